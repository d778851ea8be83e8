"""A process that writes, whose messages the tests may hold, and processes with rooms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from kernel import live
from kernel.ids import WorkspaceId, new_id
from kernel.live import Audience, Cursor, LogKey, Rooms
from kernel.settings import Settings
from kernel.store import Database
from kernel.telemetry.metrics import Metrics
from kernel.wakeup import Publisher
from tenants.workspaces.profile import WorkspaceProfile

NEVER_S = (3600.0, 3600.0)
TIMEOUT_S = 20


@pytest.fixture
async def workspace_id(new_workspace: Callable[[], Awaitable[WorkspaceProfile]]) -> WorkspaceId:
    return (await new_workspace()).workspace_id


@dataclass(slots=True)
class Writer:
    """Another process: it appends to one stream and sends what wakes, or holds it."""

    workspace_id: WorkspaceId
    publisher: Publisher
    database: Database = field(init=False)
    holds: bool = False
    held: list[tuple[str, bytes]] = field(default_factory=list)
    public: LogKey = field(init=False)
    staff: LogKey = field(init=False)

    def __post_init__(self) -> None:
        stream_id = new_id()
        self.public = LogKey(self.workspace_id, stream_id, Audience.PUBLIC)
        self.staff = LogKey(self.workspace_id, stream_id, Audience.STAFF)

    async def publish(self, channel: str, message: bytes) -> None:
        """Send a message after a commit."""
        if self.holds:
            self.held.append((channel, message))
        else:
            await self.publisher.publish(channel, message)

    async def release(self, *indexes: int) -> None:
        """Send held messages by their indexes: in another order, twice, or not."""
        self.holds = False
        held, self.held = self.held, []
        for index in indexes:
            await self.publisher.publish(*held[index])

    async def append(self, count: int = 1, *, audience: Audience = Audience.PUBLIC, text: str = "") -> None:
        """Append events, each in a unit of its own."""
        for _ in range(count):
            async with self.database.scope(self.workspace_id):
                await live.append(self.public.stream_id, audience, "test.event", {"text": text})

    async def load_cursor(self, seq: int = 0) -> Cursor:
        """Return a place in the present epoch."""
        async with self.database.scope(self.workspace_id, read_only=True):
            heads = await live.load_heads(self.public.stream_id)
        assert heads is not None
        return Cursor(heads.epoch, seq)


@pytest.fixture
async def writer(settings: Settings, workspace_id: WorkspaceId) -> AsyncIterator[Writer]:
    publisher = Publisher(settings.redis_url)
    writer = Writer(workspace_id, publisher)
    writer.database = await Database.open(settings.database_url, size=2, publish=writer.publish)
    await writer.append()
    yield writer
    await writer.database.close()
    await publisher.close()


@dataclass(slots=True)
class Process:
    """A process with rooms that listens."""

    rooms: Rooms
    metrics: Metrics
    task: asyncio.Task[None]

    def read(self, name: str, **labels: str) -> float:
        """Return the value of a metric, 0 before its first."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    async def wait_until_connected(self) -> None:
        """Wait for the subscription."""
        async with asyncio.timeout(TIMEOUT_S):
            while not self.read("portal_live_listener_connected_count"):  # noqa: ASYNC110  -- a gauge has no event
                await asyncio.sleep(0.01)


StartProcess = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start_process(settings: Settings, database: Database) -> AsyncIterator[StartProcess]:
    """Start a process, which compares with the database only when it has subscribed unless told otherwise."""
    started: list[Process] = []

    async def start(
        redis_url: str = settings.redis_url,
        *,
        reconcile_s: tuple[float, float] = NEVER_S,
        keep: int = 256,
        waits: bool = True,
    ) -> Process:
        metrics = Metrics()
        rooms = Rooms(database, metrics, redis_url=redis_url, keep=keep, reconcile_s=reconcile_s)
        started.append(Process(rooms, metrics, asyncio.create_task(rooms.run())))
        if waits:
            await started[-1].wait_until_connected()
        return started[-1]

    yield start
    for process in started:
        process.task.cancel()
        await asyncio.wait([process.task])
        await process.rooms.close()


@pytest.fixture
async def process(start_process: StartProcess) -> Process:
    return await start_process()
