"""A hub on a port of its own, over the real database and Redis, and readers that speak to it over real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from kernel import live
from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.live import Audience, Cursor, Rooms, Ticket, Tickets
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from kernel.store.roles import Urls
from kernel.telemetry.metrics import Metrics
from kernel.wakeup import Publisher
from tests.conftest import OPERATOR
from tests.fakes.sample_workspaces import create_sample_workspace
from web.hub.bounds import BOUNDS
from web.hub.frames import encode_frame
from web.hub.hub import Hub

CLOCK = SystemClock()
HOST = "acme.localhost"
ORIGIN = f"http://{HOST}"
TIMEOUT_S = 20.0
#: Deadlines that tests wait for are this exact.
TICK_S = 0.02


def build_upgrade(path: str, *headers: str, host: str = HOST, origin: str = ORIGIN) -> bytes:
    """Return the request of a client that is no library."""
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        f"Origin: {origin}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *headers,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


@dataclass(frozen=True, slots=True)
class Socket:
    """The reader's end of a websocket."""

    connection: ClientConnection

    async def read_raw(self) -> str:
        """Return the next frame."""
        async with asyncio.timeout(TIMEOUT_S):
            return await self.connection.recv(decode=True)

    async def read(self) -> dict[str, Any]:
        """Return the next frame, decoded."""
        frame: dict[str, Any] = json.loads(await self.read_raw())
        return frame

    async def read_seqs(self, count: int) -> list[int]:
        """Return the places of the next `count` events."""
        return [(await self.read())["seq"] for _ in range(count)]

    async def read_to_end(self) -> tuple[list[dict[str, Any]], int]:
        """Return all further frames, and the close code."""
        frames = []
        try:
            while True:
                frames.append(await self.read())
        except ConnectionClosed as error:
            return frames, error.rcvd.code if error.rcvd else 1006

    async def read_code(self) -> int:
        """Return the close code, whatever comes before."""
        return (await self.read_to_end())[1]


@dataclass(frozen=True, slots=True)
class Running:
    """A hub with what it counts, and an invoice's stream in a workspace of its own."""

    hub: Hub
    rooms: Rooms
    port: int
    metrics: Metrics
    database: Database
    tickets: Tickets
    workspace_id: WorkspaceId
    stream_id: UUID

    async def append(self, count: int = 1, audience: Audience = Audience.PUBLIC, **payload: Any) -> None:
        """Append events, each in a unit of work."""
        for _ in range(count):
            async with self.database.scope(self.workspace_id):
                await live.append(
                    self.stream_id, audience, "comment.posted", payload or {"id": str(new_id())}
                )

    async def load_cursor(self, seq: int = 0) -> Cursor:
        """Return a place in the stream's present log."""
        async with self.database.scope(self.workspace_id, read_only=True):
            heads = await live.load_heads(self.stream_id)
        assert heads is not None
        return Cursor(heads.epoch, seq)

    def issue(self, **fields: Any) -> str:
        """Return a ticket of a customer for the stream; `fields` are others than that one has."""
        ticket = Ticket(
            workspace_id=self.workspace_id,
            stream_id=self.stream_id,
            audience=Audience.PUBLIC,
            viewers=frozenset({new_id()}),
            origin=ORIGIN,
            expires_at=CLOCK.now() + timedelta(minutes=4),
        )
        return self.tickets.issue(replace(ticket, **fields))

    async def open(
        self,
        since: int = 0,
        *,
        epoch: UUID | None = None,
        ticket: str | None = None,
        invoice_id: UUID | None = None,
        origin: str | None = ORIGIN,
        **options: Any,
    ) -> Socket:
        """Connect like a page; `ticket` "" sends none, `origin` None neither."""
        epoch = epoch or (await self.load_cursor()).epoch
        text = self.issue() if ticket is None else ticket
        path = options.pop(
            "path", f"/realtime?invoice={invoice_id or self.stream_id}&since={since}&epoch={epoch}"
        )
        connection = await connect(
            f"ws://{HOST}:{self.port}{path}",
            host="127.0.0.1",
            port=self.port,
            origin=None if origin is None else Origin(origin),
            subprotocols=[Subprotocol("portal.v1"), Subprotocol(f"ticket.{text}")] if text else None,
            compression=None,
            proxy=None,
            **{"ping_interval": None, "close_timeout": 1, "open_timeout": TIMEOUT_S} | options,
        )
        return Socket(connection)

    async def follow(self, since: int = 0, **fields: Any) -> Socket:
        """Connect, and read the hello."""
        opened = await self.open(since, **fields)
        hello = await opened.read()
        assert hello["type"] == "hello"
        return opened

    def count(self, name: str, **labels: str) -> float:
        """Return the value of a series, 0 where it was never counted."""
        return self.metrics.registry.get_sample_value(name, labels) or 0

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the hub has come to a state."""
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)


StartHub = Callable[..., Awaitable[Running]]


@pytest.fixture(scope="session")
async def _publishing_database(urls: Urls, redis_url: str) -> AsyncIterator[Database]:
    publisher = Publisher(redis_url, deadline_s=10)
    opened = await Database.open(
        urls.app, size=4, name="tests hub", acquire_timeout_s=5, actor=OPERATOR, publish=publisher.publish
    )
    yield opened
    await opened.close()
    await publisher.close()


@pytest.fixture(scope="session")
async def workspace_id(_publishing_database: Database, settings_of_run: Settings) -> WorkspaceId:
    """The workspace of all streams here."""
    sealer = Sealer(settings_of_run.secret_keys)
    return (await create_sample_workspace(_publishing_database, sealer, CLOCK)).workspace_id


@pytest.fixture(scope="session")
def settings_of_run(urls: Urls, redis_url: str) -> Settings:
    """Settings of a hub in this run."""
    return Settings.from_environ(
        {
            "PORTAL_PROFILE": "test",
            "PORTAL_DATABASE_URL": urls.app,
            "PORTAL_REDIS_URL": redis_url,
            "PORTAL_PUBLIC_SCHEME": "http",
        }
    )


@pytest.fixture
async def start_hub(
    _publishing_database: Database, workspace_id: WorkspaceId, settings_of_run: Settings
) -> AsyncIterator[StartHub]:
    """Start a hub with a stream of its own; words are fields of its bounds, `over` is another way to the database."""
    hubs: list[tuple[Hub, Rooms, asyncio.Task[None]]] = []

    async def start(
        *, settings: Settings = settings_of_run, over: Database = _publishing_database, **bounds: Any
    ) -> Running:
        metrics, database = Metrics(), _publishing_database
        rooms = Rooms(
            over,
            metrics,
            redis_url=settings.redis_url,
            encode_frame=encode_frame,
            # A test whose wake is lost is slow, and does not fail.
            reconcile_s=(0.5, 1.0),
        )
        tickets = Tickets(Sealer(settings.secret_keys), CLOCK)
        hub = Hub(
            rooms,
            tickets,
            settings=settings,
            clock=CLOCK,
            metrics=metrics,
            bounds=replace(BOUNDS, **{"close_s": 1.0} | bounds),
            tick_s=TICK_S,
        )
        hubs.append((hub, rooms, asyncio.create_task(rooms.run())))
        listening = socket.create_server(("127.0.0.1", 0))
        await hub.start(listening)
        stream_id = new_id()
        async with database.scope(workspace_id):
            await live.create_stream(stream_id)
        port = listening.getsockname()[1]
        running = Running(hub, rooms, port, metrics, database, tickets, workspace_id, stream_id)
        await running.wait_until(lambda: running.count("portal_live_listener_connected_count") == 1)
        return running

    yield start
    for hub, rooms, following in hubs:
        await hub.close()
        following.cancel()
        await asyncio.wait([following])
        await rooms.close()


@pytest.fixture
async def running(start_hub: StartHub) -> Running:
    """A hub as it is."""
    return await start_hub()
