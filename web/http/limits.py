"""How often one address may send requests, and ask for images that do not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kernel.client_addresses import format_rate_limit_key

if TYPE_CHECKING:
    from kernel.clock import Clock
    from kernel.limits import Limiter, Verdict
    from web.http.access_log import AccessLog

MINUTE_S: Final = 60
MISSES: Final = 60
MISSES_PERIOD_S: Final = 600
MISSES_BURST: Final = 30
CAPACITY: Final = 50_000
_FREE_SHARE: Final = 4


class RequestLimit:
    """The limit of requests a minute and address.

    The first quarter is counted in this process, without a trip to Redis: it is more than a person needs. Requests
    beyond it are counted in Redis for all processes together, against the other three quarters.
    """

    def __init__(
        self, limiter: Limiter, clock: Clock, access_log: AccessLog, per_minute: int, *, name: str
    ) -> None:
        """Allow `per_minute` requests, the same number at once; limits of different names are counted apart."""
        self._name = name
        self._access_log = access_log
        self._limiter = limiter
        self._clock = clock
        self._free = per_minute // _FREE_SHARE
        self._shared = per_minute - self._free
        self._minute = 0
        self._counts: dict[str, int] = {}

    async def count_request(self, address: str) -> float:
        """Count one request of `address`; return 0 when it may go on, else the seconds to wait."""
        minute = int(self._clock.now().timestamp()) // MINUTE_S
        if minute != self._minute or len(self._counts) > CAPACITY:
            self._minute, self._counts = minute, {}
        key = format_rate_limit_key(address)
        count = self._counts[key] = self._counts.get(key, 0) + 1
        if count <= self._free:
            return 0
        verdict = await self._limiter.hit(
            f"{self._name}:{key}", period_s=MINUTE_S, limit=self._shared, burst=self._shared
        )
        _count_verdict(self._access_log, self._name, verdict)
        return 0 if verdict.allowed else max(verdict.retry_after_s, 1)


class MissLimit:
    """The limit of misses of one address; beyond it nothing is looked up for the address."""

    def __init__(self, limiter: Limiter, clock: Clock, access_log: AccessLog, *, subject: str) -> None:
        """Count by `limiter`, for all processes together; `subject` names what is missing and has its own count."""
        self._access_log = access_log
        self._subject = subject
        self._limiter = limiter
        self._clock = clock
        self._until: dict[str, float] = {}

    def is_reached(self, address: str) -> bool:
        """Tell whether the address has used up its misses, without a round trip."""
        until = self._until.get(format_rate_limit_key(address)) if self._until else None
        return until is not None and until > self._clock.now().timestamp()

    async def count(self, address: str) -> None:
        """Count one miss of the address."""
        name = format_rate_limit_key(address)
        verdict = await self._limiter.hit(
            f"miss:{self._subject}:{name}", period_s=MISSES_PERIOD_S, limit=MISSES, burst=MISSES_BURST
        )
        _count_verdict(self._access_log, f"{self._subject}_misses", verdict)
        if verdict.allowed:
            self._until.pop(name, None)
            return
        if len(self._until) > CAPACITY:
            self._until.clear()
        self._until[name] = self._clock.now().timestamp() + verdict.retry_after_s


def _count_verdict(access_log: AccessLog, limit: str, verdict: Verdict) -> None:
    access_log.count_verdict(limit, "allowed" if verdict.allowed else "refused", verdict.source.value)
