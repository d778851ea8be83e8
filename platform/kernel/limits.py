"""Rate limits that all processes share through Redis, and a limit for each process when Redis is not available."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_S: Final = 0.05
MAX_LOCAL_KEYS: Final = 20_000
_MIN_PAUSE_S: Final = 0.5
_MAX_PAUSE_S: Final = 8.0
_PREFIX: Final = "limit:"

# GCRA (ITU-T I.371, leaky bucket as a meter) on Redis' clock, in whole microseconds, which a Lua number holds exactly.
# The stored theoretical arrival time (`due`) counts as one burst ahead at most, so that a clock that is set back
# delays nobody for longer than a burst.
_SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local step, depth = tonumber(ARGV[1]), tonumber(ARGV[2])
local due = tonumber(redis.call('GET', KEYS[1]) or now)
due = math.min(math.max(due, now), now + depth) + step
if due - depth > now then return due - depth - now end
redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000) + 1000)
return 0
"""


class Source(StrEnum):
    """The counter that was used: Redis for all processes, or the memory of this one."""

    REDIS = "redis"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is allowed; if not, the whole seconds to wait, otherwise 0."""

    allowed: bool
    retry_after_s: int
    source: Source


class Limiter:
    """Limits requests by key and never raises: pages are served without Redis too.

    A call of Redis takes 50 ms at most, with the connection. A failure opens the circuit breaker; then this process
    counts in memory, against its share of the limit, and tries Redis with single requests after growing pauses.
    Not for attempts at secrets, which are counted in Postgres and fail closed.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        processes: int = 4,
        deadline_s: float = DEADLINE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect on first use. `processes` share the limit while each counts in its memory."""
        pool = BlockingConnectionPool.from_url(
            redis_url,
            max_connections=16,
            timeout=deadline_s,
            # With a time-out of its own the library sends by `asyncio.wait_for`, which before Python 3.12 loses a
            # cancellation that comes as the bytes are sent. `hit` has one for all steps together.
            socket_timeout=None,
            socket_connect_timeout=deadline_s,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = Redis(connection_pool=pool)
        self._digest: str | None = None
        self._local = LocalCounter(monotonic)
        self._breaker = CircuitBreaker(monotonic)
        self._processes = processes
        self._deadline_s = deadline_s

    async def hit(self, key: str, *, period_s: float, limit: int, burst: int) -> Verdict:
        """Count one request for `key`: `limit` of them per `period_s` seconds, `burst` of them at once."""
        if self._breaker.allows_request():
            try:
                async with asyncio.timeout(self._deadline_s):
                    wait = await self._hit_redis(_PREFIX + key, *_convert_limit(period_s, limit, burst))
            except (RedisError, OSError, TimeoutError):
                self._breaker.record_failure()
            except BaseException:
                # The caller was cancelled: the state of Redis is unknown.
                self._breaker.record_cancellation()
                raise
            else:
                self._breaker.record_success()
                return _make_verdict(wait, Source.REDIS)
        step, depth = _convert_limit(
            period_s, max(1, limit // self._processes), max(1, burst // self._processes)
        )
        return _make_verdict(self._local.hit(key, step, depth), Source.LOCAL)

    async def close(self) -> None:
        """Close the connections to Redis."""
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def _hit_redis(self, key: str, step: int, depth: int) -> int:
        """Return the microseconds to wait; 0 if the request is allowed, which counts it."""
        if self._digest is None:
            self._digest = str(await self._redis.script_load(_SCRIPT))
        try:
            return int(await self._redis.evalsha(self._digest, 1, key, step, depth))
        except NoScriptError:
            # Redis was restarted or flushed; `eval` stores the script again.
            return int(await self._redis.eval(_SCRIPT, 1, key, step, depth))


class LocalCounter:
    """The same algorithm in memory, for at most MAX_LOCAL_KEYS keys; the least recently used one is evicted."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._due: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._due)

    def hit(self, key: str, step: int, depth: int) -> int:
        """Return the microseconds to wait; 0 if the request is allowed, which counts it."""
        now = round(self._monotonic() * 1_000_000)
        due = max(self._due.get(key, now), now) + step
        if due - depth > now:
            self._due.move_to_end(key)
            return due - depth - now
        self._due[key] = due
        self._due.move_to_end(key)
        if len(self._due) > MAX_LOCAL_KEYS:
            self._due.popitem(last=False)
        return 0


class CircuitBreaker:
    """Closed while Redis answers, open after a failure, half open for one request after each pause."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._pause_s = 0.0
        self._open_until = 0.0
        self._trial_is_running = False

    def allows_request(self) -> bool:
        """Tell whether Redis may be called; after a call the caller records its result."""
        if not self._pause_s:
            return True
        if self._trial_is_running or self._monotonic() < self._open_until:
            return False
        self._trial_is_running = True
        return True

    def record_success(self) -> None:
        """Close the breaker."""
        self._pause_s = 0.0
        self._trial_is_running = False

    def record_failure(self) -> None:
        """Open the breaker, for longer after a failed trial."""
        if not self._pause_s or self._trial_is_running:
            self._pause_s = min(max(self._pause_s * 2, _MIN_PAUSE_S), _MAX_PAUSE_S)
            self._open_until = self._monotonic() + self._pause_s
        self._trial_is_running = False

    def record_cancellation(self) -> None:
        """End a trial without a result; the next request may be another."""
        self._trial_is_running = False


def _convert_limit(period_s: float, limit: int, burst: int) -> tuple[int, int]:
    """Return GCRA's (emission interval, burst tolerance) in microseconds."""
    if period_s <= 0 or limit < 1 or burst < 1:
        raise ValueError("a limit has a positive period, at least one request and a burst of at least one")
    step = math.ceil(period_s * 1_000_000 / limit)
    return step, step * burst


def _make_verdict(wait: int, source: Source) -> Verdict:
    return Verdict(allowed=wait == 0, retry_after_s=math.ceil(wait / 1_000_000), source=source)
