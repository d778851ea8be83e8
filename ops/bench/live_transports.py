"""The two transports of the realtime benchmarks' readers: a socket of any hub, and the gateway's long poll."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from kernel.live import Cursor
from ops.bench.live_client import HELLO_TIMEOUT_S, End, Reader
from ops.bench.live_http import exchange

FINAL_CODES = 4500
CLOSE_TIMEOUT_S = 0.5
#: Of what a server asks for after 429 and 503: a run is short.
LONGEST_PAUSE_S = 1.0

FindTicket = Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Address:
    """An invoice as its readers reach it: the host of its workspace, the gateway's port and the token of its link."""

    host: str
    port: int
    token: str
    invoice_id: UUID

    @property
    def authority(self) -> str:
        """Host and port, as in the Host header."""
        return f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """The origin of the page."""
        return f"http://{self.authority}"

    async def fetch_ticket(self) -> str:
        """Return a ticket of the customer's page; OSError or TimeoutError without the gateway or Postgres."""
        return str((await self.fetch_place())["ticket"])

    async def fetch_place(self) -> dict[str, Any]:
        """Return what the page needs to follow its events."""
        answer = await exchange(
            self.port, self.authority, f"/i/{self.token}/ticket", timeout_s=HELLO_TIMEOUT_S
        )
        if answer.status != 200:
            message = f"the route of tickets answered {answer.status}"
            raise ConnectionError(message)
        place: dict[str, Any] = answer.read_json()
        return place


@dataclass(frozen=True, slots=True)
class SocketTransport:
    """A websocket of one of the hubs, chosen anew each time."""

    address: Address
    hubs: Sequence[int]
    find_ticket: FindTicket
    name: str = "socket"

    async def follow(self, reader: Reader, opened: Callable[[], None]) -> End:
        """Deliver until the socket ends; cancelled, it is closed or, as often, cut off."""
        try:
            ticket = await self.find_ticket()
            # Asked after the ticket has come: meanwhile the other transport has delivered.
            asked = reader.cursor
            socket = await self._connect(reader.random.choice(self.hubs), asked, ticket)
        except (OSError, TimeoutError, InvalidHandshake, InvalidMessage):
            return End.LOST
        try:
            return await self._read(socket, asked, reader, opened)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            reader.count(f"close {code}")
            return End.FINAL if code >= FINAL_CODES else End.LOST
        finally:
            if reader.random.random() < 0.5:
                socket.transport.abort()
            else:
                await socket.close()

    async def _connect(self, hub: int, cursor: Cursor, ticket: str) -> ClientConnection:
        query = f"invoice={self.address.invoice_id}&since={cursor.seq}&epoch={cursor.epoch}"
        return await connect(
            f"ws://{self.address.host}:{hub}/realtime?{query}",
            host="127.0.0.1",
            port=hub,
            origin=self.address.origin,  # type: ignore[arg-type]
            subprotocols=["portal.v1", f"ticket.{ticket}"],  # type: ignore[list-item]
            compression=None,
            open_timeout=HELLO_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=None,
            proxy=None,
        )

    async def _read(
        self, socket: ClientConnection, asked: Cursor, reader: Reader, opened: Callable[[], None]
    ) -> End:
        async for text in socket:
            frame = msgspec.json.decode(text)
            match frame["type"]:
                case "hello":
                    if UUID(frame["epoch"]) != asked.epoch:
                        message = f"hello of the epoch {frame['epoch']}, which was not asked for"
                        raise AssertionError(message)
                    opened()
                case "event":
                    if not reader.take(asked.epoch, frame):
                        return End.GAP
                case "heartbeat":
                    if reader.is_behind(asked.epoch, frame["head"]):
                        reader.count("silently behind")
                        return End.GAP
                case "reset":
                    reader.reset(asked, UUID(frame["epoch"]), frame["head"])
                    opened()
                    return End.RESET
                case "drain":
                    await asyncio.sleep(min(frame["after_ms"] / 1000, LONGEST_PAUSE_S))
                    return End.LOST
                case other:
                    message = f"a frame of the unknown type {other}"
                    raise AssertionError(message)
        return End.LOST


@dataclass(frozen=True, slots=True)
class PollTransport:
    """The long poll of the gateway."""

    address: Address
    name: str = "poll"

    async def follow(self, reader: Reader, opened: Callable[[], None]) -> End:
        """Poll until something goes wrong."""
        while True:
            asked = reader.cursor
            wait = reader.random.choice((1, 3, 25))
            path = f"/i/{self.address.token}/events?since={asked.seq}&epoch={asked.epoch}&wait={wait}"
            try:
                answer = await exchange(self.address.port, self.address.authority, path, sent=opened)
            except (OSError, TimeoutError):
                return End.LOST
            reader.count(f"poll {answer.status}")
            match answer.status:
                case 200:
                    page = answer.read_json()
                    if not all(reader.take(UUID(page["epoch"]), event) for event in page["events"]):
                        return End.GAP
                case 204:
                    continue
                case 409:
                    refusal = answer.read_json()
                    reader.reset(asked, UUID(refusal["epoch"]), refusal["head"])
                    return End.RESET
                case 429 | 503:
                    await asyncio.sleep(min(float(answer.headers.get("retry-after", "1")), LONGEST_PAUSE_S))
                    return End.LOST
                case _:
                    return End.FINAL
