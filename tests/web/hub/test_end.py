"""How a hub ends: every reader is told, at its own time."""

from __future__ import annotations

import asyncio

import pytest

from tests.web.hub.conftest import ORIGIN, TIMEOUT_S, Running, StartHub, build_upgrade


async def test_at_its_end_a_hub_sends_its_readers_elsewhere_one_after_the_other(start_hub: StartHub) -> None:
    running = await start_hub(drain_s=0.6, drain_rate=1)
    sockets = [await running.follow() for _ in range(20)]
    await running.append()
    ends = [asyncio.create_task(socket.read_to_end()) for socket in sockets]
    await running.wait_until(lambda: running.count("portal_live_wakes_total", result="live") == 1)
    await running.hub.drain()
    results = [await end for end in ends]
    assert [code for _, code in results] == [4012] * 20
    assert [[frame["type"] for frame in frames] for frames, _ in results] == [["event", "drain"]] * 20
    delays = {frames[1]["after_ms"] for frames, _ in results}
    assert len(delays) > 10
    assert min(delays) >= 0
    assert max(delays) <= 600
    assert await running.hub.find_failure() == "does not accept connections"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", running.port)


async def test_events_of_the_last_seconds_still_arrive(start_hub: StartHub) -> None:
    running = await start_hub(drain_s=TIMEOUT_S, drain_rate=0.01)
    sockets = [await running.follow() for _ in range(5)]
    draining = asyncio.create_task(running.hub.drain())
    for socket in sockets:
        assert (await socket.read())["type"] == "drain"
    await running.append()
    for socket in sockets:
        assert await socket.read_seqs(1) == [1]
    # The second signal.
    draining.cancel()
    await running.hub.close()
    assert [await socket.read_code() for socket in sockets] == [4012] * 5


async def test_a_connection_without_a_request_yet_is_sent_elsewhere_when_it_has_one(running: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    epoch = (await running.load_cursor()).epoch
    path = f"/realtime?invoice={running.stream_id}&since=0&epoch={epoch}"
    request = build_upgrade(path, f"Sec-WebSocket-Protocol: portal.v1, ticket.{running.issue(origin=ORIGIN)}")
    writer.write(request[:20])
    # The hub has accepted it once another connection, made later, is served.
    await running.follow()
    draining = asyncio.create_task(running.hub.drain())
    await asyncio.sleep(0)
    writer.write(request[20:])
    async with asyncio.timeout(TIMEOUT_S):
        received = await reader.read()
    assert received.endswith((4012).to_bytes(2, "big") + b"drain")
    writer.close()
    await draining


async def test_a_reader_that_does_not_answer_the_close_frame_is_dropped(start_hub: StartHub) -> None:
    running = await start_hub(close_s=0.1)
    socket = await running.follow()
    socket.connection.transport.pause_reading()
    await running.hub.close()
    assert running.count("portal_hub_connections_count") == 0
    assert running.count("portal_hub_closes_total", code="4012") == 1
    socket.connection.transport.abort()
