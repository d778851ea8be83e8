"""A gateway on a real socket with short time limits, and clients that send bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from litestar import Request, get, post, route
from litestar.response import Stream
from uvicorn.server import ServerState

from web.http.protocol import BOUNDS

TIMEOUT_S = 10
SHORT = replace(BOUNDS, head_s=0.3, drain_s=0.5)
REQUEST = b"GET /assets/short HTTP/1.1\r\nHost: probe\r\n"
WAITING = b"GET /assets/waiting HTTP/1.1\r\nHost: probe\r\n\r\n"
STREAMED = b"GET /assets/streamed HTTP/1.1\r\nHost: probe\r\n\r\n"
UPLOAD = b"POST /assets/upload HTTP/1.1\r\nHost: probe\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = 8_000_000


@dataclass(frozen=True, slots=True)
class BoundedServer:
    """A gateway on a port of its own; `gate` lets the requests of /assets/waiting go on."""

    port: int
    portal: Any
    gate: asyncio.Event
    state: ServerState
    clients: list[Client] = field(default_factory=list)

    async def connect(
        self, *, address: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0))

    async def connect_client(self, *, address: str = "127.0.0.1") -> Client:
        """Connect a client until the test ends; returns when the server has accepted it."""
        before = self.list_connections()
        self.clients.append(Client(*await self.connect(address=address)))
        await wait_until(lambda: self.list_connections() != before)
        return self.clients[-1]

    async def connect_waiting(self, count: int, *, address: str = "127.0.0.1") -> list[Client]:
        """Connect clients whose requests get no response before the gate is opened."""
        before = self.portal.count("portal_http_requests_in_flight_count")
        found = [Client(*await self.connect(address=address)) for _ in range(count)]
        self.clients.extend(found)
        for each in found:
            each.writer.write(WAITING)
        await wait_until(lambda: self.portal.count("portal_http_requests_in_flight_count") == before + count)
        return found

    async def exchange(self, *parts: bytes, pause_s: float = 0) -> bytes:
        """Send the parts with pauses until the server closes the connection; returns all that it has sent."""
        reader, writer = await self.connect()
        reading = asyncio.create_task(reader.read())
        try:
            async with asyncio.timeout(TIMEOUT_S):
                for part in parts:
                    if reading.done():
                        break
                    writer.write(part)
                    await asyncio.sleep(pause_s)
                return await reading
        finally:
            reading.cancel()
            writer.transport.abort()

    def list_connections(self) -> frozenset[object]:
        """The connections that the server has accepted."""
        return frozenset(self.state.connections)

    def get_connection(self) -> Any:
        """The server's side of the only connection."""
        (found,) = self.state.connections
        return found

    def count_refused(self, status: int) -> float:
        """Return how many connections or requests were refused with a status."""
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

    async def send_request(self) -> bytes:
        """Send one request and return the answer, which leaves the connection open."""
        self.writer.write(REQUEST + b"\r\n")
        return await self.read_response()

    async def read_response(self) -> bytes:
        """Return the next answer; b"" where the server has closed the connection."""
        async with asyncio.timeout(TIMEOUT_S):
            try:
                head = await self.reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return b""
            length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length: "))
            return head + await self.reader.readexactly(int(length.split()[1]))


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110  -- the server has no event for it
            await asyncio.sleep(0.005)


StartBounded = Callable[..., Awaitable[BoundedServer]]


def build_routes(gate: asyncio.Event) -> list[Any]:
    """Return test routes; those that wait go on when `gate` is set."""

    # Under /assets/, which every host serves and no rate limit counts.
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
    async def stream_response() -> Stream:
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

    return [short, waiting, large, stream_response, waiting_without_body, upload]


def is_refusal(answer: bytes, status: int) -> bool:
    """Whether a response is a refusal with the headers that every response has."""
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
