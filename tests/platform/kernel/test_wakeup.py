"""A message wakes whoever listens; without Redis nobody waits and nothing is raised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

from kernel.ids import new_id
from kernel.wakeup import Publisher, Subscriber

TIMEOUT_S = 10


@dataclass(slots=True)
class Listening:
    """What a subscriber has heard and reported."""

    channels: tuple[str, ...]
    messages: list[bytes] = field(default_factory=list)
    reports: list[bool] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def receive(self, message: bytes) -> None:
        self.messages.append(message)
        self.changed.set()

    def report(self, is_connected: bool) -> None:  # noqa: FBT001
        self.reports.append(is_connected)
        self.changed.set()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def publisher(redis_url: str) -> AsyncIterator[Publisher]:
    opened = Publisher(redis_url)
    yield opened
    await opened.close()


@pytest.fixture
async def listening(redis_url: str) -> AsyncIterator[Listening]:
    """A subscription to two channels of this test's own, which has begun."""
    heard = Listening((f"test:{new_id()}", f"test:{new_id()}"))
    subscriber = Subscriber(redis_url, heard.channels)
    task = asyncio.create_task(subscriber.listen(heard.receive, heard.report))
    await heard.wait_until(lambda: heard.reports == [True])
    yield heard
    task.cancel()
    await asyncio.wait([task])


async def test_messages_of_all_channels_arrive_in_order(publisher: Publisher, listening: Listening) -> None:
    await publisher.publish(f"test:{new_id()}", b"of another channel")
    sent = [b"one", b"", b"three"]
    for channel, message in zip([*listening.channels, listening.channels[0]], sent, strict=True):
        await publisher.publish(channel, message)
    await listening.wait_until(lambda: len(listening.messages) == len(sent))
    assert listening.messages == sent


async def test_a_caller_that_is_cancelled_ends_wherever_it_is(publisher: Publisher) -> None:
    await publisher.publish("test:nobody", b"")
    steps = is_done = 0
    while not is_done:
        task = asyncio.create_task(publisher.publish("test:nobody", b""))
        for _ in range(steps):
            await asyncio.sleep(0)
        # False: it has ended before.
        is_done = not task.cancel()
        (found,) = await asyncio.gather(task, return_exceptions=True)
        assert is_done or isinstance(found, asyncio.CancelledError), steps
        steps += 1
    assert steps > 1


async def test_a_listener_that_lost_redis_subscribes_again_and_says_so(
    redis_url: str, publisher: Publisher, listening: Listening
) -> None:
    async with Redis.from_url(redis_url) as administrator:
        assert await administrator.client_kill_filter(_type="pubsub") >= 1
    await listening.wait_until(lambda: listening.reports == [True, False, True])
    await publisher.publish(listening.channels[1], b"back")
    await listening.wait_until(lambda: listening.messages == [b"back"])


async def test_a_redis_that_is_away_delays_nobody_and_ends_no_listener() -> None:
    publisher = Publisher("redis://127.0.0.1:1")
    heard = Listening(("test:away",))
    task = asyncio.create_task(
        Subscriber("redis://127.0.0.1:1", heard.channels).listen(heard.receive, heard.report)
    )
    try:
        for _ in range(3):
            await publisher.publish("test:away", b"")
        await heard.wait_until(lambda: heard.reports == [False])
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait([task])
        await publisher.close()


@dataclass(slots=True)
class SilentServer:
    """Accepts connections and never answers."""

    url: str = ""
    connections: int = 0
    accepted: asyncio.Event = field(default_factory=asyncio.Event)
    subscribes: bool = False

    async def hang(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.accepted.set()
        while data := await reader.read(1024):
            # Confirms a subscription to one channel, and says nothing after that.
            if self.subscribes and b"SUBSCRIBE" in data:
                writer.write(b"*3\r\n$9\r\nsubscribe\r\n$11\r\ntest:silent\r\n:1\r\n")
            elif self.subscribes and b"PING" not in data:
                writer.write(b"+OK\r\n" * data.count(b"CLIENT"))
        writer.close()


@pytest.fixture
async def silent() -> AsyncIterator[SilentServer]:
    silent = SilentServer()
    server = await asyncio.start_server(silent.hang, "127.0.0.1", 0)
    silent.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}?protocol=2"
    yield silent
    server.close()
    await server.wait_closed()


async def test_a_redis_that_is_silent_is_asked_once_and_then_left_alone(silent: SilentServer) -> None:
    publisher = Publisher(silent.url)
    try:
        for _ in range(5):
            await publisher.publish("test:silent", b"")
        async with asyncio.timeout(TIMEOUT_S):
            await silent.accepted.wait()
        assert silent.connections == 1
    finally:
        await publisher.close()


async def test_a_subscription_without_messages_goes_on(redis_url: str, publisher: Publisher) -> None:
    heard = Listening((f"test:{new_id()}",))
    subscriber = Subscriber(redis_url, heard.channels, silence_s=0.02)
    task = asyncio.create_task(subscriber.listen(heard.receive, heard.report))
    try:
        await heard.wait_until(lambda: heard.reports == [True])
        await asyncio.sleep(0.2)
        await publisher.publish(heard.channels[0], b"at last")
        await heard.wait_until(lambda: heard.messages == [b"at last"])
        assert heard.reports == [True]
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_subscription_that_falls_silent_without_an_error_is_begun_again(silent: SilentServer) -> None:
    silent.subscribes = True
    heard = Listening(("test:silent",))
    subscriber = Subscriber(silent.url, heard.channels, silence_s=0.05)
    task = asyncio.create_task(subscriber.listen(heard.receive, heard.report))
    try:
        await heard.wait_until(lambda: heard.reports == [True, False, True])
        assert silent.connections == 2
    finally:
        task.cancel()
        await asyncio.wait([task])
