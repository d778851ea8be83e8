"""Streams: every event has a place in the log of each audience that may know it, without a gap, whoever writes."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import pytest

from kernel import live
from kernel.ids import WorkspaceId, new_id
from kernel.live import Audience, LiveEvent, NewEvent, Place
from kernel.settings import Settings
from kernel.store import Database, savepoint
from tenants.workspaces.profile import WorkspaceProfile

WRITERS, UNITS, STREAMS = 8, 20, 3
ROLLBACKS = 0.25


class RolledBackError(Exception):
    """Raised by a writer to roll back."""


@pytest.fixture
async def workspace_id(new_workspace: Callable[[], Awaitable[WorkspaceProfile]]) -> WorkspaceId:
    return (await new_workspace()).workspace_id


@pytest.fixture
async def wide(settings: Settings) -> AsyncIterator[Database]:
    """A database with a connection for each writer and the reader."""
    database = await Database.open(settings.database_url, size=WRITERS + 1, name="writers")
    yield database
    await database.close()


async def test_an_event_has_a_place_in_each_log_that_may_know_it(
    database: Database, workspace_id: WorkspaceId
) -> None:
    stream_id = new_id()
    async with database.scope(workspace_id):
        assert await live.load_heads(stream_id) is None
        first = await live.append(stream_id, Audience.PUBLIC, "comment.posted", {"n": 1}, client_id="x" * 8)
        second = await live.append(stream_id, Audience.STAFF, "note.posted", {"n": 2})
        third = await live.append(stream_id, Audience.PUBLIC, "pdf.ready", {"n": 3})
        heads = await live.load_heads(stream_id)
        public = await live.read_events(stream_id, Audience.PUBLIC, 0)
        staff = await live.read_events(stream_id, Audience.STAFF, 1)
    assert (first, second, third) == (Place(1, 1), Place(2, None), Place(3, 2))
    assert heads is not None
    assert (heads.staff, heads.public) == (3, 2)
    assert [(each.seq, each.kind, each.payload, each.client_id) for each in public] == [
        (1, "comment.posted", {"n": 1}, "x" * 8),
        (2, "pdf.ready", {"n": 3}, None),
    ]
    assert [(each.seq, each.kind) for each in staff] == [(2, "note.posted"), (3, "pdf.ready")]


async def test_many_events_get_their_places_in_the_order_given(
    database: Database, workspace_id: WorkspaceId
) -> None:
    one, two = new_id(), new_id()
    events = [
        NewEvent(stream_id, audience, "test.event", {})
        for stream_id, audience in (
            (two, Audience.STAFF),
            (one, Audience.PUBLIC),
            (two, Audience.PUBLIC),
            (one, Audience.STAFF),
            (two, Audience.PUBLIC),
        )
    ]
    async with database.scope(workspace_id):
        assert await live.append_many([]) == ()
        await live.append(two, Audience.PUBLIC, "test.event", {})
        places = await live.append_many(events)
    assert places == (Place(2, None), Place(1, 1), Place(3, 2), Place(2, None), Place(4, 3))


async def test_a_stream_that_is_created_twice_keeps_its_epoch_and_one_that_is_deleted_is_gone(
    database: Database, workspace_id: WorkspaceId
) -> None:
    stream_id = new_id()
    async with database.scope(workspace_id):
        await live.create_stream(stream_id)
        created = await live.load_heads(stream_id)
        await live.append(stream_id, Audience.PUBLIC, "test.event", {})
        await live.create_stream(stream_id)
        again = await live.load_heads(stream_id)
        await live.delete_stream(stream_id)
        assert await live.load_heads(stream_id) is None
        assert await live.read_events(stream_id, Audience.STAFF, 0) == ()
    assert created is not None
    assert again is not None
    assert (created.staff, again.staff) == (0, 1)
    assert created.epoch == again.epoch


async def test_an_event_that_is_refused_leaves_no_gap(database: Database, workspace_id: WorkspaceId) -> None:
    stream_id, client_id = new_id(), "chosen-once"
    async with database.scope(workspace_id):
        await live.append(stream_id, Audience.PUBLIC, "test.event", {}, client_id=client_id)
        with pytest.raises(asyncpg.UniqueViolationError):
            async with savepoint():
                await live.append(stream_id, Audience.PUBLIC, "test.event", {}, client_id=client_id)
        assert await live.append(stream_id, Audience.PUBLIC, "test.event", {}) == Place(2, 2)


async def test_a_reader_gets_at_most_as_many_events_as_asked_for(
    database: Database, workspace_id: WorkspaceId
) -> None:
    stream_id = new_id()
    async with database.scope(workspace_id):
        await live.append_many([NewEvent(stream_id, Audience.PUBLIC, "test.event", {})] * 5)
        events = await live.read_events(stream_id, Audience.PUBLIC, 1, limit=2)
    assert [event.seq for event in events] == [2, 3]


async def test_a_stream_belongs_to_its_workspace(
    database: Database,
    workspace_id: WorkspaceId,
    new_workspace: Callable[[], Awaitable[WorkspaceProfile]],
) -> None:
    stream_id, other_id = new_id(), (await new_workspace()).workspace_id
    async with database.scope(workspace_id):
        await live.append(stream_id, Audience.PUBLIC, "test.event", {})
    async with database.scope(other_id):
        assert await live.load_heads(stream_id) is None
        assert await live.read_events(stream_id, Audience.STAFF, 0) == ()
        await live.delete_stream(stream_id)
        # The same id is another stream there.
        assert await live.append(stream_id, Audience.STAFF, "test.event", {}) == Place(1, None)
    async with database.scope(workspace_id):
        heads = await live.load_heads(stream_id)
    assert heads is not None
    assert (heads.staff, heads.public) == (1, 1)


@dataclass(slots=True)
class Run:
    """Writers that commit and roll back, and a reader of every log that reads on meanwhile."""

    chance: random.Random
    database: Database
    workspace_id: WorkspaceId
    streams: list[UUID]
    committed: dict[tuple[UUID, Audience], list[int]] = field(default_factory=lambda: defaultdict(list))
    read: dict[tuple[UUID, Audience], list[LiveEvent]] = field(default_factory=lambda: defaultdict(list))

    async def write(self, writer: int) -> None:
        number = writer * 1000
        for _ in range(UNITS):
            events = []
            for _ in range(self.chance.randint(1, 4)):
                number += 1
                audience = self.chance.choice((Audience.PUBLIC, Audience.PUBLIC, Audience.STAFF))
                events.append(
                    NewEvent(self.chance.choice(self.streams), audience, "test.event", {"n": number})
                )
            try:
                async with self.database.scope(self.workspace_id):
                    await live.append_many(events)
                    await asyncio.sleep(self.chance.choice((0, 0, 0.002)))
                    if self.chance.random() < ROLLBACKS:
                        raise RolledBackError  # noqa: TRY301  -- leaves the unit of work by an error
            except RolledBackError:
                continue
            for event in events:
                self.committed[event.stream_id, Audience.STAFF].append(event.payload["n"])
                if event.audience is Audience.PUBLIC:
                    self.committed[event.stream_id, Audience.PUBLIC].append(event.payload["n"])

    async def read_on(self) -> None:
        """Read what each log has had since the last call."""
        async with self.database.scope(self.workspace_id, read_only=True):
            for stream_id in self.streams:
                for audience in Audience:
                    events = self.read[stream_id, audience]
                    events += await live.read_events(stream_id, audience, events[-1].seq if events else 0)

    async def read_until_cancelled(self) -> None:
        while True:
            await self.read_on()
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("seed", [3, 17, 42])
async def test_under_eight_writers_each_log_is_contiguous_for_a_reader_who_follows_it(
    wide: Database, workspace_id: WorkspaceId, seed: int
) -> None:
    run = Run(random.Random(seed), wide, workspace_id, [new_id() for _ in range(STREAMS)])
    reader = asyncio.create_task(run.read_until_cancelled())
    await asyncio.gather(*(run.write(writer) for writer in range(WRITERS)))
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    # Until nothing is new: one call reads at most a hundred of each log.
    count = -1
    while count != (count := sum(map(len, run.read.values()))):
        await run.read_on()
    assert run.committed.keys() <= run.read.keys()
    for log, events in run.read.items():
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert sorted(event.payload["n"] for event in events) == sorted(run.committed[log])
    async with wide.scope(workspace_id, read_only=True):
        for stream_id in run.streams:
            heads = await live.load_heads(stream_id)
            assert heads is not None
            assert heads.staff == len(run.read[stream_id, Audience.STAFF])
            assert heads.public == len(run.read[stream_id, Audience.PUBLIC])
