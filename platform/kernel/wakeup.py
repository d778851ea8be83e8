"""Messages between processes through Redis pub/sub. They only wake: any may be lost, so whoever listens also polls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from kernel.limits import DEADLINE_S, CircuitBreaker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: An empty message: events were committed that have no place in the event log yet.
EVENTS_CHANNEL: Final = "portal:events"
_CONNECT_S: Final = 2.0
_RECONNECT_S: Final = 0.5
# A subscription that hears nothing for so long sends a PING; without a reply within the same time it connects again.
_SILENCE_S: Final = 5.0


class Publisher:
    """Sends messages to whoever listens; one for each process that writes."""

    def __init__(self, redis_url: str, *, deadline_s: float = DEADLINE_S) -> None:
        """Connect on first use; a message that is not sent within `deadline_s` is dropped."""
        self._deadline_s = deadline_s
        self._redis = Redis.from_url(
            redis_url,
            # With a time-out of its own the library sends by `asyncio.wait_for`, which before Python 3.12 loses a
            # cancellation that comes as the bytes are sent. `publish` has one for all steps together.
            socket_timeout=None,
            socket_connect_timeout=deadline_s,
            retry=Retry(NoBackoff(), 0),
        )
        self._breaker = CircuitBreaker()

    async def publish(self, channel: str, message: bytes) -> None:
        """Send a message within the deadline; never raises, because listeners poll as well."""
        if not self._breaker.allows_request():
            return
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._redis.publish(channel, message)
        except (RedisError, OSError, TimeoutError):
            self._breaker.record_failure()
        except BaseException:
            self._breaker.record_cancellation()
            raise
        else:
            self._breaker.record_success()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


class Subscriber:
    """Receives the messages of some channels, and subscribes again whenever the connection is lost."""

    def __init__(self, redis_url: str, channels: Sequence[str], *, silence_s: float = _SILENCE_S) -> None:
        """Connect when listening."""
        self._redis_url = redis_url
        self._channels = tuple(channels)
        self._silence_s = silence_s

    async def listen(
        self,
        receive: Callable[[bytes], None],
        report_connected: Callable[[bool], None] | None = None,
    ) -> None:
        """Call `receive` with each message until cancelled.

        `report_connected` gets True each time the subscription has begun, before its first message, and False when it
        was lost: messages sent in between are not delivered.
        """
        report = report_connected or _ignore
        while True:
            try:
                await self._listen_once(receive, report)
            except (RedisError, OSError, TimeoutError):
                report(False)
                await asyncio.sleep(_RECONNECT_S)

    async def _listen_once(self, receive: Callable[[bytes], None], report: Callable[[bool], None]) -> None:
        # No time-out for reads: the next message may come much later. The PING finds a connection that is dead.
        redis = Redis.from_url(
            self._redis_url,
            socket_timeout=None,
            socket_connect_timeout=_CONNECT_S,
            retry=Retry(NoBackoff(), 0),
        )
        async with redis, redis.pubsub() as subscription:
            async with asyncio.timeout(_CONNECT_S):
                await subscription.subscribe(*self._channels)
            unconfirmed = len(self._channels)
            is_silent = False
            while True:
                message = await subscription.get_message(timeout=self._silence_s)
                if message is None:
                    if is_silent:
                        raise TimeoutError
                    is_silent = True
                    await subscription.ping()
                    continue
                is_silent = False
                if message["type"] == "message":
                    receive(message["data"])
                elif message["type"] == "subscribe":
                    unconfirmed -= 1
                    if unconfirmed == 0:
                        report(True)


def _ignore(is_connected: bool) -> None:  # noqa: FBT001
    """Do nothing."""
