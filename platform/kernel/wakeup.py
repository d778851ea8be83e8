"""Wakes other processes through Redis pub/sub after a commit; they poll as well, since a message may be lost."""

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
    """A Redis channel whose messages have no content."""

    def __init__(self, redis_url: str, channel: str = EVENTS_CHANNEL) -> None:
        """Connect on first use."""
        self._channel = channel
        self._sender = Redis.from_url(
            redis_url,
            socket_timeout=DEADLINE_S,
            socket_connect_timeout=DEADLINE_S,
            retry=Retry(NoBackoff(), 0),
        )
        # No time-out: the next message may come much later.
        self._listener = Redis.from_url(redis_url, socket_timeout=None)
        self._breaker = CircuitBreaker()

    async def send(self) -> None:
        """Wake all listeners; takes 50 ms at most and never raises, because listeners poll as well."""
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

    async def listen(self, event: asyncio.Event) -> None:
        """Set `event` at each message until cancelled; subscribes again after an error of Redis."""
        while True:
            try:
                async with self._listener.pubsub() as subscription:
                    await subscription.subscribe(self._channel)
                    async for _ in subscription.listen():
                        event.set()
            except (RedisError, OSError):
                await asyncio.sleep(_RECONNECT_S)

    async def close(self) -> None:
        """Close the connections."""
        await self._sender.aclose()
        await self._listener.aclose()
