"""The connection itself, over a real socket: how many there may be, how long and how large their heads."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from web.http.protocol import BOUNDS
from web.http.server import Server

PATIENCE_S = 10
SHORT = replace(BOUNDS, head_s=0.3, drain_s=0.5)
PROBE = b"GET /healthz HTTP/1.1\r\nHost: probe\r\n"


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway behind a port of its own."""

    port: int
    portal: Any

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def talk(self, *parts: bytes, pause_s: float = 0) -> bytes:
        """Send the parts with pauses, for as long as the server listens, and return all that comes back."""
        reader, writer = await self.connect()
        reading = asyncio.create_task(reader.read())
        try:
            async with asyncio.timeout(PATIENCE_S):
                for part in parts:
                    if reading.done():
                        break
                    writer.write(part)
                    await asyncio.sleep(pause_s)
                return await reading
        finally:
            reading.cancel()
            writer.transport.abort()

    def refused(self, status: int) -> float:
        return float(
            self.portal.count(
                "portal_http_request_seconds_count", method="other", route="unrouted", status=str(status)
            )
        )


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(make_portal: Any, settings: Any) -> AsyncIterator[Start]:
    running: list[tuple[Server, asyncio.Task[None]]] = []

    async def run(**bounds: Any) -> Running:
        portal = make_portal()
        server = Server(portal.gateway, replace(settings, port=0), bounds=replace(SHORT, **bounds))
        task = asyncio.create_task(server.serve())
        running.append((server, task))
        async with asyncio.timeout(PATIENCE_S):
            while not server.started:  # noqa: ASYNC110  -- uvicorn has no event for it
                await asyncio.sleep(0.01)
        return Running(server.servers[0].sockets[0].getsockname()[1], portal)

    yield run
    for server, task in running:
        server.should_exit = True
        await task


def is_ours(answer: bytes, status: int) -> bool:
    """Tell whether it is a refusal with the headers that every answer carries."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = set(head.split(b"\r\n")[1:])
    assert {
        b"x-content-type-options: nosniff",
        b"referrer-policy: same-origin",
        b"cache-control: no-store",
        b"connection: close",
        b"content-length: %d" % len(body),
    } <= lines
    assert any(line.startswith(b"content-security-policy: default-src 'none'") for line in lines)
    return answer.startswith(b"HTTP/1.1 %d " % status)


async def test_a_flood_of_headers_ends_at_once_and_holds_nobody_up(start: Start) -> None:
    running = await start()
    flood = asyncio.create_task(running.talk(PROBE + b"X-Forwarded-For: 1\r\n" * 400_000 + b"\r\n"))
    began = time.monotonic()
    answer = await running.talk(PROBE + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    # The quadratic way took more than half a minute.
    assert time.monotonic() - began < 5
    # It is cut off while it still sends: the refusal may be lost with the rest.
    with contextlib.suppress(ConnectionError):
        assert is_ours(await flood, 431)
    assert running.refused(431) == 1


@pytest.mark.parametrize(
    ("count", "size", "expected"), [(98, 1, 200), (99, 1, 431), (3, 10_000, 200), (4, 10_000, 431)]
)
async def test_a_head_has_so_many_headers_and_so_many_bytes(
    start: Start, count: int, size: int, expected: int
) -> None:
    running = await start()
    headers = b"".join(b"X-%d: %s\r\n" % (number, b"a" * size) for number in range(count))
    answer = await running.talk(PROBE + b"Connection: close\r\n" + headers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % expected)
    if expected == 431:
        assert is_ours(answer, 431)


async def test_one_header_without_end_is_not_waited_for(start: Start) -> None:
    running = await start(head_s=5)
    answer = await running.talk(PROBE + b"X-Long: ", *[b"a" * 1000] * 60, pause_s=0.005)
    assert is_ours(answer, 431)
    assert running.refused(431) == 1


async def test_a_target_too_long_for_any_page_is_told_so(start: Start) -> None:
    running = await start(head_bytes=200_000)
    for size in (20_000, 70_000):
        answer = await running.talk(b"GET /" + b"x" * size + b" HTTP/1.1\r\nHost: probe\r\n\r\n")
        assert is_ours(answer, 414)
    assert running.refused(414) == 2


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
        b"GET / HTTP/9.9\r\n\r\n",
        PROBE + b"Bad Header: x\r\n\r\n",
        PROBE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: probe\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_answered_in_our_words_and_not_logged(
    start: Start, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    running = await start()
    assert is_ours(await running.talk(sent), 400)
    assert running.refused(400) == 1
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


@pytest.mark.parametrize(
    "parts",
    [
        (PROBE + b"X-",),
        (PROBE + b"X-", *[b"a"] * 100),
        (*[b"G", b"E", b"T", b" ", b"/"], *[b"a"] * 100),
    ],
    ids=["stops", "drips", "drips from the start"],
)
async def test_a_head_that_does_not_end_is_cut_off(start: Start, parts: tuple[bytes, ...]) -> None:
    running = await start()
    began = time.monotonic()
    answer = await running.talk(*parts, pause_s=0.05)
    assert is_ours(answer, 408)
    assert 0.2 < time.monotonic() - began < 4


@pytest.mark.parametrize("parts", [(), tuple([b"\r\n"] * 100)], ids=["silent", "empty lines"])
async def test_who_asks_nothing_is_told_nothing(start: Start, parts: tuple[bytes, ...]) -> None:
    running = await start()
    began = time.monotonic()
    assert await running.talk(*parts, pause_s=0.05) == b""
    assert time.monotonic() - began < 4


async def test_the_next_head_of_a_connection_has_its_deadline_too(start: Start) -> None:
    running = await start()
    answer = await running.talk(PROBE + b"\r\n", PROBE, *[b""] * 100, pause_s=0.05)
    first, second = answer.split(b"HTTP/1.1 ")[1:]
    assert (first[:3], second[:3]) == (b"200", b"408")


async def test_a_kept_connection_waits_longer_than_a_head_may_take(start: Start) -> None:
    running = await start()
    answer = await running.talk(PROBE + b"\r\n", PROBE + b"Connection: close\r\n\r\n", pause_s=0.6)
    assert answer.count(b"HTTP/1.1 200 ") == 2


async def test_one_connection_too_many_is_turned_away_and_the_others_go_on(start: Start) -> None:
    running = await start(connections=2, head_s=5)
    held = [await running.connect() for _ in range(2)]
    assert is_ours(await running.talk(PROBE + b"\r\n"), 503)
    reader, writer = held[0]
    writer.write(PROBE + b"Connection: close\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    for _, open_one in held:
        open_one.close()
        await open_one.wait_closed()


async def test_who_asks_and_never_reads_is_cut_off(start: Start) -> None:
    running = await start()
    name = running.portal.gateway.house.assets.url("portal/page.css")
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    line = f"GET {name} HTTP/1.1\r\nHost: probe\r\n\r\n".encode()
    try:
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    writer.write(line * 20)
                    await writer.drain()
                    await asyncio.sleep(0.01)
    finally:
        writer.transport.abort()
        del reader


async def test_an_upgrade_is_answered_as_if_it_were_not_asked_for(start: Start) -> None:
    running = await start()
    answer = await running.talk(PROBE + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()


async def test_an_answer_on_its_way_is_not_lost_to_the_rubbish_behind_it(start: Start) -> None:
    running = await start()
    answer = await running.talk(PROBE + b"\r\n" + b"rubbish\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1
