"""Wakes another process through Redis after a commit; a lost message costs no more than that process's poll."""

from __future__ import annotations

import asyncio
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from kernel.limits import DEADLINE_S, CircuitBreaker

EVENTS_CHANNEL: Final = "portal:events"
_RECONNECT_S: Final = 1.0


class Wakeup:
    """One channel of Redis, to send on or to listen to."""

    def __init__(self, redis_url: str, channel: str = EVENTS_CHANNEL) -> None:
        """Connect to nothing yet."""
        self._channel = channel
        self._sender = Redis.from_url(
            redis_url,
            socket_timeout=DEADLINE_S,
            socket_connect_timeout=DEADLINE_S,
            retry=Retry(NoBackoff(), 0),
        )
        # Without a timeout: it waits for a message however long none comes.
        self._listener = Redis.from_url(redis_url, socket_timeout=None)
        self._breaker = CircuitBreaker()

    async def send(self) -> None:
        """Wake whoever listens; waits 50 ms at most and never raises, because listeners poll as well."""
        if not self._breaker.allows_request():
            return
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._sender.publish(self._channel, b"")
        except (RedisError, OSError, TimeoutError):
            self._breaker.record_failure()
        except BaseException:
            self._breaker.record_cancellation()
            raise
        else:
            self._breaker.record_success()

    async def listen(self, woken: asyncio.Event) -> None:
        """Set `woken` at each message until cancelled; subscribes again when Redis was away."""
        while True:
            try:
                async with self._listener.pubsub() as subscription:
                    await subscription.subscribe(self._channel)
                    async for _ in subscription.listen():
                        woken.set()
            except (RedisError, OSError):
                await asyncio.sleep(_RECONNECT_S)

    async def close(self) -> None:
        """Close the connections."""
        await self._sender.aclose()
        await self._listener.aclose()
