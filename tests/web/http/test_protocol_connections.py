"""Connections over a real socket: how many one client and the gateway may hold, and slow readers."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

import pytest

from tests.fakes.protocol_server import (
    LARGE,
    REQUEST,
    TIMEOUT_S,
    Client,
    StartBounded,
    is_refusal,
    wait_until,
)


async def test_one_connection_too_many_is_refused_and_the_others_go_on(start_bounded: StartBounded) -> None:
    running = await start_bounded(connections=2, head_s=60)
    busy = await running.connect_waiting(2)
    assert is_refusal(await running.exchange(REQUEST + b"\r\n"), 503)
    assert running.count_refused(503) == 1
    running.gate.set()
    assert [(await each.read_response())[:12] for each in busy] == [b"HTTP/1.1 200"] * 2


async def test_in_a_full_process_the_connection_that_was_idle_longest_makes_room(
    start_bounded: StartBounded,
) -> None:
    running = await start_bounded(connections=3, head_s=60)
    first, second, third = [await running.connect_client() for _ in range(3)]
    assert (await second.send_request()).startswith(b"HTTP/1.1 200 ")
    assert (await first.send_request()).startswith(b"HTTP/1.1 200 ")
    # The third has never asked anything, and the second has been idle for longer than the first.
    fourth = await running.connect_client()
    assert await third.read_response() == b""
    fifth = await running.connect_client()
    assert await second.read_response() == b""
    for each in (first, fourth, fifth):
        assert (await each.send_request()).startswith(b"HTTP/1.1 200 ")
    assert running.count_refused(503) == 0


async def test_half_a_head_does_not_hold_a_place(start_bounded: StartBounded) -> None:
    running = await start_bounded(connections=1, head_s=60)
    dripping = await running.connect_client()
    dripping.writer.write(REQUEST)
    assert (await (await running.connect_client()).send_request()).startswith(b"HTTP/1.1 200 ")
    assert await dripping.read_response() == b""


async def test_an_answer_that_is_still_read_is_not_cut_off_to_make_room(start_bounded: StartBounded) -> None:
    running = await start_bounded(connections=1, drain_s=60)
    slow = await running.connect_client()
    slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
    slow.writer.write(b"GET /assets/large HTTP/1.1\r\nHost: probe\r\n\r\n")
    # The application is done with it; most of it lies in the buffers.
    done = {"method": "GET", "route": "/assets/large", "status": "200"}
    await wait_until(lambda: running.portal.count("portal_http_request_seconds_count", **done) == 1)
    assert is_refusal(await running.exchange(REQUEST + b"\r\n"), 503)
    slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert (await slow.read_response()).endswith(bytes(LARGE))


async def test_one_client_has_a_hundred_connections_and_the_others_are_served(
    start_bounded: StartBounded,
) -> None:
    running = await start_bounded(head_s=60)
    busy = await running.connect_waiting(100)
    assert is_refusal(await running.exchange(REQUEST + b"\r\n"), 429)
    assert running.count_refused(429) == 1
    other = await running.connect_client(address="127.0.0.2")
    assert (await other.send_request()).startswith(b"HTTP/1.1 200 ")
    running.gate.set()
    assert {(await each.read_response())[:12] for each in busy} == {b"HTTP/1.1 200"}


async def test_a_client_with_too_many_connections_loses_its_own_that_was_idle_longest(
    start_bounded: StartBounded,
) -> None:
    running = await start_bounded(connections_per_address=2, head_s=60)
    other = await running.connect_client(address="127.0.0.2")
    first, second = [await running.connect_client() for _ in range(2)]
    third = await running.connect_client()
    assert await first.read_response() == b""
    for each in (other, second, third):
        assert (await each.send_request()).startswith(b"HTTP/1.1 200 ")


async def test_a_trusted_proxy_has_as_many_connections_as_there_are(start_bounded: StartBounded) -> None:
    proxies = (ip_network("127.0.0.1"),)
    running = await start_bounded(connections_per_address=1, head_s=60, trusted_proxies=proxies)
    await running.connect_waiting(2)
    assert (await running.exchange(REQUEST + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    await running.connect_waiting(1, address="127.0.0.2")
    _, writer = stranger = await running.connect(address="127.0.0.2")
    assert is_refusal(await Client(*stranger).read_response(), 429)
    writer.close()
    await writer.wait_closed()


async def test_who_asks_and_never_reads_is_cut_off(start_bounded: StartBounded) -> None:
    running = await start_bounded(head_s=60)
    client = await running.connect_client()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    client.writer.write(b"GET /assets/large HTTP/1.1\r\nHost: probe\r\n\r\n")
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                # Allowed before a request: only in order to notice the end.
                client.writer.write(b"\r\n")
                await client.writer.drain()
                await asyncio.sleep(0.01)
