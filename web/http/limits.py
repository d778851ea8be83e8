"""How often one address may ask: for pages at all, and for links, hosts and images that do not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from web.http.addresses import limited_as

if TYPE_CHECKING:
    from kernel.clock import Clock
    from kernel.limits import Limiter, Verdict
    from web.http.access_log import Traffic

MINUTE_S: Final = 60
MISSES: Final = 60
MISSES_PERIOD_S: Final = 600
MISSES_BURST: Final = 30
CAPACITY: Final = 50_000
_FREE_SHARE: Final = 4


class PageLimit:
    """The limit of requests a minute and address.

    A quarter of it is counted here and costs no trip to Redis, which is all that a person ever needs; whoever
    asks for more is counted for all processes together, against the other three quarters.
    """

    def __init__(self, limiter: Limiter, clock: Clock, traffic: Traffic, per_minute: int) -> None:
        """Allow `per_minute` requests, the same number at once."""
        self._traffic = traffic
        self._limiter = limiter
        self._clock = clock
        self._free = per_minute // _FREE_SHARE
        self._shared = per_minute - self._free
        self._minute = 0
        self._counts: dict[str, int] = {}

    async def wait_s(self, address: str) -> float:
        """Count one request of `address`; return 0 when it may go on, else the seconds to wait."""
        minute = int(self._clock.now().timestamp()) // MINUTE_S
        if minute != self._minute or len(self._counts) > CAPACITY:
            self._minute, self._counts = minute, {}
        name = limited_as(address)
        count = self._counts[name] = self._counts.get(name, 0) + 1
        if count <= self._free:
            return 0
        verdict = await self._limiter.hit(
            f"page:{name}", period_s=MINUTE_S, limit=self._shared, burst=self._shared
        )
        _counted(self._traffic, "page", verdict)
        return 0 if verdict.allowed else max(verdict.retry_after_s, 1)


class MissLimit:
    """The limit of links, or hosts, or images, an address may look for in vain; then nothing is looked up for it.

    For links the answer stays the same, so that whoever tries tokens cannot see when the trying stopped to matter.
    """

    def __init__(self, limiter: Limiter, clock: Clock, traffic: Traffic, *, of: str = "link") -> None:
        """Count by `limiter`, for all processes together; `of` says what is missed, each with a count of its own."""
        self._traffic = traffic
        self._of = of
        self._limiter = limiter
        self._clock = clock
        self._until: dict[str, float] = {}

    def is_reached(self, address: str) -> bool:
        """Tell whether the address has used up its misses; costs no trip anywhere."""
        return self.wait_s(address) > 0

    def wait_s(self, address: str) -> float:
        """Return for how many seconds nothing is looked up for the address, 0 when it is; costs no trip either."""
        if not self._until:
            return 0
        until = self._until.get(limited_as(address))
        return 0 if until is None else max(0, until - self._clock.now().timestamp())

    async def count(self, address: str) -> None:
        """Count one miss of the address."""
        name = limited_as(address)
        verdict = await self._limiter.hit(
            f"miss:{self._of}:{name}", period_s=MISSES_PERIOD_S, limit=MISSES, burst=MISSES_BURST
        )
        _counted(self._traffic, f"{self._of}_misses", verdict)
        if verdict.allowed:
            self._until.pop(name, None)
            return
        if len(self._until) > CAPACITY:
            self._until.clear()
        self._until[name] = self._clock.now().timestamp() + verdict.retry_after_s


def _counted(traffic: Traffic, limit: str, verdict: Verdict) -> None:
    traffic.verdict(limit, "allowed" if verdict.allowed else "refused", verdict.source.value)
