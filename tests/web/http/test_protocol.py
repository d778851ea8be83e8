"""The connection itself, over a real socket: how many there may be, how long and how large their heads."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import Any

import pytest
from litestar import Request, get, post, route
from litestar.response import Stream
from uvicorn.server import ServerState

from web.http.protocol import BOUNDS
from web.http.server import Server

PATIENCE_S = 10
SHORT = replace(BOUNDS, head_s=0.3, drain_s=0.5)
REQUEST = b"GET /assets/short HTTP/1.1\r\nHost: probe\r\n"
WAITING = b"GET /assets/waiting HTTP/1.1\r\nHost: probe\r\n\r\n"
STREAMED = b"GET /assets/streamed HTTP/1.1\r\nHost: probe\r\n\r\n"
UPLOAD = b"POST /assets/upload HTTP/1.1\r\nHost: probe\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = 8_000_000


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway behind a port of its own; `gate` lets the requests of /assets/waiting go on."""

    port: int
    portal: Any
    gate: asyncio.Event
    state: ServerState
    clients: list[Client] = field(default_factory=list)

    async def connect(
        self, *, address: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0))

    async def client(self, *, address: str = "127.0.0.1") -> Client:
        """Connect a client that is there until the test ends; the server has accepted it."""
        before = self.accepted()
        self.clients.append(Client(*await self.connect(address=address)))
        await until(lambda: self.accepted() != before)
        return self.clients[-1]

    async def waiting(self, count: int, *, address: str = "127.0.0.1") -> list[Client]:
        """Connect clients whose requests are being answered until the gate is opened."""
        before = self.portal.count("portal_http_requests_in_flight_count")
        found = [Client(*await self.connect(address=address)) for _ in range(count)]
        self.clients.extend(found)
        for each in found:
            each.writer.write(WAITING)
        await until(lambda: self.portal.count("portal_http_requests_in_flight_count") == before + count)
        return found

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

    def accepted(self) -> frozenset[object]:
        """The connections that the server has accepted."""
        return frozenset(self.state.connections)

    def connection(self) -> Any:
        """The server's side of the only connection."""
        (found,) = self.state.connections
        return found

    def refused(self, status: int) -> float:
        return float(
            self.portal.count(
                "portal_http_request_seconds_count", method="other", route="unrouted", status=str(status)
            )
        )


@dataclass(frozen=True, slots=True)
class Client:
    """One open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self) -> bytes:
        """Send one request and return the answer, which leaves the connection open."""
        self.writer.write(REQUEST + b"\r\n")
        return await self.answer()

    async def answer(self) -> bytes:
        """Return the next answer; b"" where the server has closed the connection."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                head = await self.reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return b""
            length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length: "))
            return head + await self.reader.readexactly(int(length.split()[1]))


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110  -- the server has no event for it
            await asyncio.sleep(0.005)


Start = Callable[..., Awaitable[Running]]


def routes(gate: asyncio.Event) -> list[Any]:
    """What is served beside the product's own pages; `gate` lets those that wait go on."""

    # Beside the files, which are served on every host and do not count towards the limit of pages.
    @get("/assets/short")
    async def short() -> str:
        return "short"

    @get("/assets/waiting")
    async def waiting() -> str:
        await gate.wait()
        return "waited"

    @get("/assets/large")
    async def large() -> bytes:
        return bytes(LARGE)

    @route("/assets/streamed", http_method=["GET", "POST"], status_code=200, opt={"exclude_from_csrf": True})
    async def streamed() -> Stream:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            await gate.wait()
            yield b"second"

        return Stream(parts())

    @post("/assets/waiting", opt={"exclude_from_csrf": True})
    async def waiting_without_body() -> str:
        await gate.wait()
        return "waited"

    @post("/assets/upload", opt={"exclude_from_csrf": True})
    async def upload(request: Request[Any, Any, Any]) -> str:
        return str(len(await request.body()))

    return [short, waiting, large, streamed, waiting_without_body, upload]


@pytest.fixture
async def start(make_portal: Any, settings: Any) -> AsyncIterator[Start]:
    running: list[tuple[Server, asyncio.Task[None]]] = []
    started: list[Running] = []
    gate = asyncio.Event()

    async def run(*, trusted_proxies: Any = (), **bounds: Any) -> Running:
        portal = make_portal(beside=routes(gate))
        fields = {"port": 0, "trusted_proxies": trusted_proxies}
        server = Server(portal.gateway, replace(settings, **fields), bounds=replace(SHORT, **bounds))
        task = asyncio.create_task(server.serve())
        running.append((server, task))
        async with asyncio.timeout(PATIENCE_S):
            while not server.started:  # noqa: ASYNC110  -- uvicorn has no event for it
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        started.append(Running(port, portal, gate, server.server_state))
        return started[-1]

    yield run
    gate.set()
    for client in [each for one in started for each in one.clients]:
        client.writer.transport.abort()
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
    flood = asyncio.create_task(running.talk(REQUEST + b"X-Forwarded-For: 1\r\n" * 400_000 + b"\r\n"))
    began = time.monotonic()
    answer = await running.talk(REQUEST + b"Connection: close\r\n\r\n")
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
    answer = await running.talk(REQUEST + b"Connection: close\r\n" + headers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % expected)
    if expected == 431:
        assert is_ours(answer, 431)


async def test_one_header_without_end_is_not_waited_for(start: Start) -> None:
    running = await start(head_s=5)
    answer = await running.talk(REQUEST + b"X-Long: ", *[b"a" * 1000] * 60, pause_s=0.005)
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
        REQUEST + b"Bad Header: x\r\n\r\n",
        REQUEST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
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
        (REQUEST + b"X-",),
        (REQUEST + b"X-", *[b"a"] * 100),
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
    answer = await running.talk(REQUEST + b"\r\n", REQUEST, *[b""] * 100, pause_s=0.05)
    first, second = answer.split(b"HTTP/1.1 ")[1:]
    assert (first[:3], second[:3]) == (b"200", b"408")


async def test_a_kept_connection_waits_longer_than_a_head_may_take(start: Start) -> None:
    running = await start()
    answer = await running.talk(REQUEST + b"\r\n", REQUEST + b"Connection: close\r\n\r\n", pause_s=0.6)
    assert answer.count(b"HTTP/1.1 200 ") == 2


async def test_one_connection_too_many_is_refused_and_the_others_go_on(start: Start) -> None:
    running = await start(connections=2, head_s=60)
    busy = await running.waiting(2)
    assert is_ours(await running.talk(REQUEST + b"\r\n"), 503)
    assert running.refused(503) == 1
    running.gate.set()
    assert [(await each.answer())[:12] for each in busy] == [b"HTTP/1.1 200"] * 2


async def test_in_a_full_process_the_connection_that_was_idle_longest_makes_room(start: Start) -> None:
    running = await start(connections=3, head_s=60)
    first, second, third = [await running.client() for _ in range(3)]
    assert (await second.ask()).startswith(b"HTTP/1.1 200 ")
    assert (await first.ask()).startswith(b"HTTP/1.1 200 ")
    # The third has never asked anything, and the second has been idle for longer than the first.
    fourth = await running.client()
    assert await third.answer() == b""
    fifth = await running.client()
    assert await second.answer() == b""
    for each in (first, fourth, fifth):
        assert (await each.ask()).startswith(b"HTTP/1.1 200 ")
    assert running.refused(503) == 0


async def test_half_a_head_does_not_hold_a_place(start: Start) -> None:
    running = await start(connections=1, head_s=60)
    dripping = await running.client()
    dripping.writer.write(REQUEST)
    assert (await (await running.client()).ask()).startswith(b"HTTP/1.1 200 ")
    assert await dripping.answer() == b""


async def test_an_answer_that_is_still_read_is_not_cut_off_to_make_room(start: Start) -> None:
    running = await start(connections=1, drain_s=60)
    slow = await running.client()
    slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
    slow.writer.write(b"GET /assets/large HTTP/1.1\r\nHost: probe\r\n\r\n")
    # The application is done with it; most of it lies in the buffers.
    done = {"method": "GET", "route": "/assets/large", "status": "200"}
    await until(lambda: running.portal.count("portal_http_request_seconds_count", **done) == 1)
    assert is_ours(await running.talk(REQUEST + b"\r\n"), 503)
    slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert (await slow.answer()).endswith(bytes(LARGE))


async def test_one_client_has_a_hundred_connections_and_the_others_are_served(start: Start) -> None:
    running = await start(head_s=60)
    busy = await running.waiting(100)
    assert is_ours(await running.talk(REQUEST + b"\r\n"), 429)
    assert running.refused(429) == 1
    other = await running.client(address="127.0.0.2")
    assert (await other.ask()).startswith(b"HTTP/1.1 200 ")
    running.gate.set()
    assert {(await each.answer())[:12] for each in busy} == {b"HTTP/1.1 200"}


async def test_a_client_with_too_many_connections_loses_its_own_that_was_idle_longest(start: Start) -> None:
    running = await start(connections_per_address=2, head_s=60)
    other = await running.client(address="127.0.0.2")
    first, second = [await running.client() for _ in range(2)]
    third = await running.client()
    assert await first.answer() == b""
    for each in (other, second, third):
        assert (await each.ask()).startswith(b"HTTP/1.1 200 ")


async def test_a_trusted_proxy_has_as_many_connections_as_there_are(start: Start) -> None:
    proxies = (ip_network("127.0.0.1"),)
    running = await start(connections_per_address=1, head_s=60, trusted_proxies=proxies)
    await running.waiting(2)
    assert (await running.talk(REQUEST + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    await running.waiting(1, address="127.0.0.2")
    _, writer = stranger = await running.connect(address="127.0.0.2")
    assert is_ours(await Client(*stranger).answer(), 429)
    writer.close()
    await writer.wait_closed()


async def test_who_asks_and_never_reads_is_cut_off(start: Start) -> None:
    running = await start(head_s=60)
    client = await running.client()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    client.writer.write(b"GET /assets/large HTTP/1.1\r\nHost: probe\r\n\r\n")
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(PATIENCE_S):
            while True:
                # Allowed before a request: only in order to notice the end.
                client.writer.write(b"\r\n")
                await client.writer.drain()
                await asyncio.sleep(0.01)


async def test_an_upgrade_is_answered_as_if_it_were_not_asked_for(start: Start) -> None:
    running = await start()
    answer = await running.talk(REQUEST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()


async def test_an_answer_on_its_way_is_not_lost_to_the_rubbish_behind_it(start: Start) -> None:
    running = await start()
    answer = await running.talk(REQUEST + b"\r\n" + b"rubbish\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_http_1_1_names_its_host_and_http_1_0_need_not(start: Start) -> None:
    running = await start()
    assert is_ours(await running.talk(b"GET /assets/short HTTP/1.1\r\nX-Host: probe\r\n\r\n"), 400)
    assert running.refused(400) == 1
    answer = await running.talk(b"GET /assets/short HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "start_of", [b"0\r\nX-Trailer: ", b"5;extension="], ids=["trailer", "chunk extension"]
)
async def test_what_is_neither_head_nor_body_is_not_waited_for(start: Start, start_of: bytes) -> None:
    running = await start()
    answer = await running.talk(UPLOAD + start_of, *[b"a" * 1000] * 60, pause_s=0.005)
    assert is_ours(answer, 431)
    assert running.refused(431) == 1


def live_timers(connection: Any) -> list[str]:
    """The names of the timers that would still call a connection."""
    timers = connection._timers | {"keep-alive": connection.timeout_keep_alive_task}
    return [name for name, timer in timers.items() if timer is not None and not timer.cancelled()]


async def test_seventeen_requests_at_once_are_answered(start: Start) -> None:
    running = await start()
    last = REQUEST + b"Connection: close\r\n\r\n"
    answer = await running.talk((REQUEST + b"\r\n") * 16 + last)
    assert answer.count(b"HTTP/1.1 200 ") == 17
    assert running.refused(429) == 0


async def test_of_eighteen_requests_at_once_the_first_is_answered_and_the_others_are_dropped(
    start: Start,
) -> None:
    running = await start()
    answer = await running.talk((REQUEST + b"\r\n") * 18)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert running.refused(429) == 1
    assert running.portal.count("portal_http_requests_in_flight_count") == 0


async def test_the_requests_of_a_connection_do_not_add_up(start: Start) -> None:
    running = await start()
    client = await running.client()
    for _ in range(40):
        assert (await client.ask()).startswith(b"HTTP/1.1 200 ")


async def test_requests_that_come_one_by_one_behind_a_slow_one_are_bounded_too(start: Start) -> None:
    running = await start()
    (client,) = await running.waiting(1)
    connection = running.connection()
    for count in range(1, 17):
        client.writer.write(REQUEST + b"\r\n")
        await until(lambda count=count: len(connection.pipeline) == count)  # type: ignore[misc]
    client.writer.write(REQUEST + b"\r\n")
    await until(lambda: running.refused(429) == 1)
    running.gate.set()
    assert (await client.answer()).startswith(b"HTTP/1.1 200 ")
    assert await client.answer() == b""


@pytest.mark.parametrize(
    ("head", "rubbish"),
    [(b"", b"rubbish\r\n\r\n"), (UPLOAD, b"rubbish\r\n"), (UPLOAD, b"5;extension=" + b"a" * 40_000)],
    ids=["no request", "a bad chunk", "a chunk without end"],
)
async def test_no_refusal_is_written_into_a_response(start: Start, head: bytes, rubbish: bytes) -> None:
    running = await start()
    client = await running.client()
    connection = running.connection()
    client.writer.write(STREAMED)
    assert (await client.reader.readuntil(b"first\r\n")).startswith(b"HTTP/1.1 200 ")
    client.writer.write(REQUEST + b"\r\n" + head)
    await until(lambda: len(connection.pipeline) == (2 if head else 1))
    client.writer.write(rubbish)
    await until(lambda: running.refused(400) + running.refused(431) == 1)
    running.gate.set()
    async with asyncio.timeout(PATIENCE_S):
        # The request between them is dropped: it was not begun.
        assert await client.reader.read() == b"6\r\nsecond\r\n0\r\n\r\n"


async def test_a_bad_chunk_does_not_cut_off_the_response_that_has_begun(start: Start) -> None:
    running = await start()
    client = await running.client()
    client.writer.write(UPLOAD.replace(b"upload", b"streamed"))
    assert (await client.reader.readuntil(b"first\r\n")).startswith(b"HTTP/1.1 200 ")
    client.writer.write(b"rubbish\r\n")
    await until(lambda: running.refused(400) == 1)
    running.gate.set()
    async with asyncio.timeout(PATIENCE_S):
        assert await client.reader.read() == b"6\r\nsecond\r\n0\r\n\r\n"


async def test_a_bad_chunk_of_the_request_itself_is_answered_once(start: Start) -> None:
    running = await start()
    answer = await running.talk(UPLOAD + b"rubbish\r\n")
    assert is_ours(answer, 400)
    assert answer.count(b"HTTP/1.1 ") == 1
    await until(lambda: running.portal.count("portal_http_requests_in_flight_count") == 0)


async def test_behind_a_refusal_nothing_is_written(start: Start) -> None:
    running = await start(drain_s=60)
    client = await running.client()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    client.writer.write(b"GET /assets/large HTTP/1.1\r\nHost: probe\r\n\r\n")
    done = {"method": "GET", "route": "/assets/large", "status": "200"}
    await until(lambda: running.portal.count("portal_http_request_seconds_count", **done) == 1)
    # The refusal waits in the buffer behind that answer, and the connection is open as long.
    client.writer.write(UPLOAD.replace(b"upload", b"waiting"))
    await until(lambda: running.portal.count("portal_http_requests_in_flight_count") == 1)
    client.writer.write(b"rubbish\r\n")
    await until(lambda: running.refused(400) == 1)
    running.gate.set()
    await until(lambda: running.portal.count("portal_http_requests_in_flight_count") == 0)
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert (await client.answer()).endswith(bytes(LARGE))
    async with asyncio.timeout(PATIENCE_S):
        assert is_ours(await client.reader.read(), 400)


async def test_the_body_of_a_queued_request_is_not_read_ahead(start: Start) -> None:
    running = await start()
    (client,) = await running.waiting(1)
    connection = running.connection()
    client.writer.write(UPLOAD + (b"4000\r\n" + bytes(0x4000) + b"\r\n") * 3)
    await until(lambda: connection.flow.read_paused)
    client.writer.write(b"0\r\n\r\n")
    running.gate.set()
    assert (await client.answer()).endswith(b"waited")
    assert (await client.answer()).endswith(str(3 * 0x4000).encode())


async def test_a_lost_connection_with_a_queued_request_leaves_no_timer(start: Start) -> None:
    running = await start()
    (client,) = await running.waiting(1)
    connection = running.connection()
    client.writer.write(REQUEST + b"\r\n")
    await until(lambda: len(connection.pipeline) == 1)
    client.writer.transport.abort()
    await until(lambda: not running.state.connections)
    running.gate.set()
    await until(lambda: not running.state.tasks)
    assert live_timers(connection) == []


async def test_a_connection_that_is_reset_leaves_no_timer(start: Start) -> None:
    running = await start()
    client = await running.client()
    assert (await client.ask()).startswith(b"HTTP/1.1 200 ")
    connection = running.connection()
    assert live_timers(connection) == ["keep-alive"]
    # Closing sends a reset.
    client.writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    client.writer.transport.abort()
    await until(lambda: not running.state.connections)
    assert live_timers(connection) == []
