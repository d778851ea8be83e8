"""A message wakes whoever listens; without Redis nobody waits and nothing is raised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from kernel.ids import new_id
from kernel.wakeup import Wakeup

TIMEOUT_S = 10


@pytest.fixture
async def wakeup(redis_url: str) -> AsyncIterator[Wakeup]:
    """A channel of this test's own."""
    opened = Wakeup(redis_url, f"test:{new_id()}")
    yield opened
    await opened.close()


@pytest.fixture
async def woken(wakeup: Wakeup) -> AsyncIterator[asyncio.Event]:
    """Set by each message that arrives."""
    event = asyncio.Event()
    listening = asyncio.create_task(wakeup.listen(event))
    yield event
    listening.cancel()
    await asyncio.wait([listening])


async def send_until_woken(wakeup: Wakeup, woken: asyncio.Event) -> None:
    """Send again and again: nobody knows when the subscription has begun."""
    async with asyncio.timeout(TIMEOUT_S):
        while not woken.is_set():
            await wakeup.send()
            await asyncio.sleep(0.01)


async def test_a_message_wakes_the_listener_each_time(wakeup: Wakeup, woken: asyncio.Event) -> None:
    for _ in range(2):
        await send_until_woken(wakeup, woken)
        # What was sent before the subscription began may still be on its way.
        await asyncio.sleep(0.05)
        woken.clear()
    await wakeup.send()
    async with asyncio.timeout(TIMEOUT_S):
        await woken.wait()


async def test_a_listener_that_lost_redis_subscribes_again(
    redis_url: str, wakeup: Wakeup, woken: asyncio.Event
) -> None:
    await send_until_woken(wakeup, woken)
    async with Redis.from_url(redis_url) as administrator:
        assert await administrator.client_kill_filter(_type="pubsub") >= 1
    woken.clear()
    await send_until_woken(wakeup, woken)


async def test_nobody_waits_for_a_redis_that_is_away() -> None:
    away = Wakeup("redis://127.0.0.1:1", "test:away")
    event = asyncio.Event()
    listening = asyncio.create_task(away.listen(event))
    try:
        for _ in range(3):
            await away.send()
        assert not listening.done()
        assert not event.is_set()
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        await away.close()


async def test_a_redis_that_is_silent_is_asked_once_and_then_left_alone() -> None:
    connections = 0

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    silent = Wakeup(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", "test:silent")
    try:
        for _ in range(5):
            await silent.send()
        assert connections == 1
    finally:
        await silent.close()
        server.close()
        await server.wait_closed()
