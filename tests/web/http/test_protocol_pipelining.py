"""Requests in a row on one connection, and responses that are cut off."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import pytest

from tests.fakes.protocol_server import (
    LARGE,
    REQUEST,
    STREAMED,
    TIMEOUT_S,
    UPLOAD,
    StartBounded,
    is_refusal,
    wait_until,
)


def live_timers(connection: Any) -> list[str]:
    """The names of the timers that would still call a connection."""
    timers = connection._timers | {"keep-alive": connection.timeout_keep_alive_task}
    return [name for name, timer in timers.items() if timer is not None and not timer.cancelled()]


async def test_seventeen_requests_at_once_are_answered(start_bounded: StartBounded) -> None:
    running = await start_bounded()
    last = REQUEST + b"Connection: close\r\n\r\n"
    answer = await running.exchange((REQUEST + b"\r\n") * 16 + last)
    assert answer.count(b"HTTP/1.1 200 ") == 17
    assert running.count_refused(429) == 0


async def test_of_eighteen_requests_at_once_the_first_is_answered_and_the_others_are_dropped(
    start_bounded: StartBounded,
) -> None:
    running = await start_bounded()
    answer = await running.exchange((REQUEST + b"\r\n") * 18)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert running.count_refused(429) == 1
    assert running.portal.count("portal_http_requests_in_flight_count") == 0


async def test_the_requests_of_a_connection_do_not_add_up(start_bounded: StartBounded) -> None:
    running = await start_bounded()
    client = await running.connect_client()
    for _ in range(40):
        assert (await client.send_request()).startswith(b"HTTP/1.1 200 ")


async def test_requests_that_come_one_by_one_behind_a_slow_one_are_bounded_too(
    start_bounded: StartBounded,
) -> None:
    running = await start_bounded()
    (client,) = await running.connect_waiting(1)
    connection = running.get_connection()
    for count in range(1, 17):
        client.writer.write(REQUEST + b"\r\n")
        await wait_until(lambda count=count: len(connection.pipeline) == count)  # type: ignore[misc]
    client.writer.write(REQUEST + b"\r\n")
    await wait_until(lambda: running.count_refused(429) == 1)
    running.gate.set()
    assert (await client.read_response()).startswith(b"HTTP/1.1 200 ")
    assert await client.read_response() == b""


@pytest.mark.parametrize(
    ("head", "rubbish"),
    [(b"", b"rubbish\r\n\r\n"), (UPLOAD, b"rubbish\r\n"), (UPLOAD, b"5;extension=" + b"a" * 40_000)],
    ids=["no request", "a bad chunk", "a chunk without end"],
)
async def test_no_refusal_is_written_into_a_response(
    start_bounded: StartBounded, head: bytes, rubbish: bytes
) -> None:
    running = await start_bounded()
    client = await running.connect_client()
    connection = running.get_connection()
    client.writer.write(STREAMED)
    assert (await client.reader.readuntil(b"first\r\n")).startswith(b"HTTP/1.1 200 ")
    client.writer.write(REQUEST + b"\r\n" + head)
    await wait_until(lambda: len(connection.pipeline) == (2 if head else 1))
    client.writer.write(rubbish)
    await wait_until(lambda: running.count_refused(400) + running.count_refused(431) == 1)
    running.gate.set()
    async with asyncio.timeout(TIMEOUT_S):
        # The request between them is dropped: it was not begun.
        assert await client.reader.read() == b"6\r\nsecond\r\n0\r\n\r\n"


async def test_a_bad_chunk_does_not_cut_off_the_response_that_has_begun(start_bounded: StartBounded) -> None:
    running = await start_bounded()
    client = await running.connect_client()
    client.writer.write(UPLOAD.replace(b"upload", b"streamed"))
    assert (await client.reader.readuntil(b"first\r\n")).startswith(b"HTTP/1.1 200 ")
    client.writer.write(b"rubbish\r\n")
    await wait_until(lambda: running.count_refused(400) == 1)
    running.gate.set()
    async with asyncio.timeout(TIMEOUT_S):
        assert await client.reader.read() == b"6\r\nsecond\r\n0\r\n\r\n"


async def test_a_bad_chunk_of_the_request_itself_is_answered_once(start_bounded: StartBounded) -> None:
    running = await start_bounded()
    answer = await running.exchange(UPLOAD + b"rubbish\r\n")
    assert is_refusal(answer, 400)
    assert answer.count(b"HTTP/1.1 ") == 1
    await wait_until(lambda: running.portal.count("portal_http_requests_in_flight_count") == 0)


async def test_behind_a_refusal_nothing_is_written(start_bounded: StartBounded) -> None:
    running = await start_bounded(drain_s=60)
    client = await running.connect_client()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    client.writer.write(b"GET /assets/large HTTP/1.1\r\nHost: probe\r\n\r\n")
    done = {"method": "GET", "route": "/assets/large", "status": "200"}
    await wait_until(lambda: running.portal.count("portal_http_request_seconds_count", **done) == 1)
    # The refusal waits in the buffer behind that answer, and the connection is open as long.
    client.writer.write(UPLOAD.replace(b"upload", b"waiting"))
    await wait_until(lambda: running.portal.count("portal_http_requests_in_flight_count") == 1)
    client.writer.write(b"rubbish\r\n")
    await wait_until(lambda: running.count_refused(400) == 1)
    running.gate.set()
    await wait_until(lambda: running.portal.count("portal_http_requests_in_flight_count") == 0)
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert (await client.read_response()).endswith(bytes(LARGE))
    async with asyncio.timeout(TIMEOUT_S):
        assert is_refusal(await client.reader.read(), 400)


async def test_the_body_of_a_queued_request_is_not_read_ahead(start_bounded: StartBounded) -> None:
    running = await start_bounded()
    (client,) = await running.connect_waiting(1)
    connection = running.get_connection()
    client.writer.write(UPLOAD + (b"4000\r\n" + bytes(0x4000) + b"\r\n") * 3)
    await wait_until(lambda: connection.flow.read_paused)
    client.writer.write(b"0\r\n\r\n")
    running.gate.set()
    assert (await client.read_response()).endswith(b"waited")
    assert (await client.read_response()).endswith(str(3 * 0x4000).encode())


async def test_a_lost_connection_with_a_queued_request_leaves_no_timer(start_bounded: StartBounded) -> None:
    running = await start_bounded()
    (client,) = await running.connect_waiting(1)
    connection = running.get_connection()
    client.writer.write(REQUEST + b"\r\n")
    await wait_until(lambda: len(connection.pipeline) == 1)
    client.writer.transport.abort()
    await wait_until(lambda: not running.state.connections)
    running.gate.set()
    await wait_until(lambda: not running.state.tasks)
    assert live_timers(connection) == []


async def test_a_connection_that_is_reset_leaves_no_timer(start_bounded: StartBounded) -> None:
    running = await start_bounded()
    client = await running.connect_client()
    assert (await client.send_request()).startswith(b"HTTP/1.1 200 ")
    connection = running.get_connection()
    assert live_timers(connection) == ["keep-alive"]
    # Closing sends a reset.
    client.writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    client.writer.transport.abort()
    await wait_until(lambda: not running.state.connections)
    assert live_timers(connection) == []
