"""Clients that flood, send too much or do not read: they are closed, and others notice nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from structlog.testing import capture_logs

from kernel import live
from kernel.live import Audience
from tests.web.hub.conftest import TIMEOUT_S, Running, StartHub

# More than the buffers of both kernels and of the hub together.
PAYLOAD = "x" * 4000


async def test_what_a_client_sends_is_ignored(running: Running) -> None:
    socket = await running.follow()
    for _ in range(5):
        await socket.connection.send("hello?")
        await socket.connection.send(b"\x00" * 1000)
    await (await socket.connection.ping())
    await running.append()
    assert await socket.read_seqs(1) == [1]


async def test_a_client_that_floods_is_told_to_back_off(running: Running) -> None:
    other = await running.follow()
    for kind in ("messages", "pings", "fragments"):
        flooding = await running.follow()
        writer = flooding.connection.transport
        frame = {
            "messages": b"\x81\x81\x00\x00\x00\x00x",
            "pings": b"\x89\x80\x00\x00\x00\x00",
            "fragments": b"\x01\x80\x00\x00\x00\x00" + b"\x00\x80\x00\x00\x00\x00" * 99,
        }[kind]
        writer.write(frame * 20_000)
        assert await flooding.read_code() == 4029, kind
    await running.append()
    assert await other.read_seqs(1) == [1]
    await running.wait_until(lambda: running.count("portal_hub_closes_total", code="4029") == 3)


async def test_a_message_that_is_too_large_is_refused(running: Running) -> None:
    socket = await running.follow()
    await socket.connection.send("x" * 1025)
    assert await socket.read_code() == 1009
    # Its head suffices: the hub does not wait for the rest.
    announcing = await running.follow()
    announcing.connection.transport.write(b"\x82\xff" + (2**40).to_bytes(8, "big") + b"\x00" * 4)
    assert await announcing.read_code() == 1009


async def test_a_client_that_breaks_the_protocol_is_closed(running: Running) -> None:
    socket = await running.follow()
    # Not masked (RFC 6455, 5.1).
    socket.connection.transport.write(b"\x81\x01x")
    assert await socket.read_code() == 1002


async def test_a_reader_that_does_not_read_is_shed_and_the_others_get_everything(start_hub: StartHub) -> None:
    running = await start_hub(close_s=TIMEOUT_S)
    stuck, other = await running.follow(), await running.follow()
    stuck.connection.transport.pause_reading()
    count = 0
    while running.count("portal_hub_sheds_total") == 0:
        async with running.database.scope(running.workspace_id):
            event = live.NewEvent(running.stream_id, Audience.PUBLIC, "comment.posted", {"text": PAYLOAD})
            await live.append_many([event] * 50)
        assert await other.read_seqs(50) == list(range(count + 1, count + 51))
        count += 50
    stuck.connection.transport.resume_reading()
    frames, code = await stuck.read_to_end()
    # Up to where it was shed, it gets everything: it can go on from there.
    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    assert code == 4008
    rest = await running.follow(since=len(frames))
    assert await rest.read_seqs(count - len(frames)) == list(range(len(frames) + 1, count + 1))


async def test_a_reader_that_never_reads_again_is_dropped(start_hub: StartHub) -> None:
    running = await start_hub(close_s=0.2, write_buffer_bytes=4096)
    stuck = await running.follow()
    stuck.connection.transport.pause_reading()
    async with asyncio.timeout(TIMEOUT_S):
        while running.count("portal_hub_connections_count"):
            async with running.database.scope(running.workspace_id):
                event = live.NewEvent(running.stream_id, Audience.PUBLIC, "comment.posted", {"text": PAYLOAD})
                await live.append_many([event] * 50)
            await asyncio.sleep(0.01)
    assert running.count("portal_hub_closes_total", code="4008") == 1
    assert running.count("portal_hub_sheds_total") == 1
    stuck.connection.transport.abort()


async def test_nothing_is_written_to_a_reader_that_went_without_a_close_frame(start_hub: StartHub) -> None:
    running = await start_hub(write_buffer_bytes=1 << 22)
    gone = await running.follow()
    (connected,) = running.hub._readers
    reader: Any = connected
    other = await running.follow()
    gone.connection.transport.pause_reading()
    # What it has not read keeps its connection open.
    while reader._transport.get_write_buffer_size() == 0:
        await running.append(20, text=PAYLOAD)
        await other.read_seqs(20)
    gone.connection.transport.write_eof()
    await running.wait_until(lambda: reader._protocol.eof_sent)
    with capture_logs() as lines:
        await running.append()
        await other.read_seqs(1)
    assert lines == []
    await running.wait_until(lambda: running.count("portal_hub_closes_total", code="1006") == 1)
    gone.connection.transport.abort()
