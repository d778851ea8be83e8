"""Rooms with a real Postgres and a real Redis: followers get what others commit, whatever becomes of the messages."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from kernel import live
from kernel.clock import SystemClock
from kernel.errors import Denied, Missing
from kernel.ids import WorkspaceId, new_id
from kernel.live import Audience, Cursor, Entry, Heads, LogKey, ResetRequired
from kernel.live.reader import DatabaseReader, Page, StreamKey
from kernel.live.room_set import RoomSet
from kernel.live.wake import REVOCATIONS_CHANNEL
from kernel.settings import Settings
from kernel.store import Database
from kernel.telemetry.metrics import Metrics
from ops.dev.servers import start_redis, stop_redis
from tests.fakes.followers import RecordingFollower

TIMEOUT_S = 20


async def join(process: Any, writer: Any, seq: int = 1, key: LogKey | None = None) -> RecordingFollower:
    """Follow from a place of the present epoch."""
    follower = RecordingFollower(frozenset({new_id()}))
    await process.rooms.join(key or writer.public, await writer.load_cursor(seq), follower)
    return follower


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110  -- metrics have no event
            await asyncio.sleep(0.01)


async def test_a_follower_gets_what_it_missed_and_then_what_others_commit(process: Any, writer: Any) -> None:
    await writer.append(2)
    await writer.append(audience=Audience.STAFF)
    customer, member = await join(process, writer, 1), await join(process, writer, 4, writer.staff)
    assert (customer.seqs, member.seqs) == ([2, 3], [])
    assert process.rooms.find_cursor(writer.public) == await writer.load_cursor(3)
    await writer.append(audience=Audience.STAFF)
    await writer.append(text="four")
    await customer.wait_for(3)
    await member.wait_for(2)
    assert (customer.seqs, member.seqs) == ([2, 3, 4], [5, 6])
    event = {"type": "event", "seq": 4, "kind": "test.event", "payload": {"text": "four"}, "client_id": None}
    assert customer.events[-1] == event
    assert process.read("portal_live_wakes_total", result="live") == 3
    assert process.read("portal_live_resumes_total", **{"from": "memory"}) == 1
    assert process.read("portal_live_delivery_seconds_count") == 3
    process.rooms.leave(writer.public, customer)
    process.rooms.leave(writer.staff, member)
    assert len(process.rooms) == 0
    assert process.rooms.find_cursor(writer.public) is None


async def test_messages_that_come_twice_late_or_in_another_order_change_nothing(
    process: Any, writer: Any
) -> None:
    follower = await join(process, writer)
    writer.holds = True
    await writer.append(4)
    await writer.release(2, 0, 0, 3, 1, 3)
    await follower.wait_for(4)
    await writer.append()
    await follower.wait_for(5)
    assert follower.seqs == [2, 3, 4, 5, 6]
    assert process.read("portal_live_wakes_total", result="duplicate") >= 1
    assert process.read("portal_live_wakes_total", result="gap") >= 1


async def test_after_a_lost_message_the_next_one_brings_both_events(process: Any, writer: Any) -> None:
    follower = await join(process, writer)
    writer.holds = True
    await writer.append(2)
    await writer.release(1)
    await follower.wait_for(2)
    await wait_until(lambda: process.read("portal_live_gaps_filled_total") == 1)
    assert follower.seqs == [2, 3]


async def test_a_comparison_finds_what_no_message_brought(process: Any, writer: Any) -> None:
    customer, member = await join(process, writer), await join(process, writer, 1, writer.staff)
    writer.holds = True
    await writer.append(2)
    await writer.release()
    await process.rooms.reconcile()
    await customer.wait_for(2)
    await member.wait_for(2)
    await process.rooms.reconcile()
    assert process.read("portal_live_reconciled_total") == 2


@dataclass(eq=False, slots=True)
class BrokenFollower(RecordingFollower):
    """Breaks its promise to raise nothing."""

    def deliver(self, entry: Entry) -> None:
        raise RuntimeError(entry.seq)

    def revoke(self) -> None:
        raise RuntimeError("revoked")


@pytest.mark.parametrize("end", ["a message", "a read"])
async def test_a_follower_that_fails_takes_nothing_from_the_others(
    process: Any, writer: Any, end: str
) -> None:
    viewers, start = frozenset({new_id()}), await writer.load_cursor(1)
    broken, silent, other = BrokenFollower(viewers), BrokenFollower(viewers), RecordingFollower(viewers)
    await process.rooms.join(writer.public, start, broken)
    await process.rooms.join(writer.public, start, other)
    await writer.append()
    await other.wait_for(1)
    await process.rooms.join(writer.public, await writer.load_cursor(2), silent)
    async with writer.database.scope(writer.workspace_id):
        if end == "a message":
            live.revoke_after_commit(*viewers)
        else:
            await live.delete_stream(writer.public.stream_id)
    if end == "a read":
        await process.rooms.reconcile()
    await other.wait_for_end()
    assert (other.seqs, other.revocations) == ([2], 1)
    assert len(process.rooms) == 0
    assert await process.rooms.find_failure() is None


async def test_a_large_event_is_read_from_the_database(process: Any, writer: Any) -> None:
    follower = await join(process, writer)
    await writer.append(text="x" * 9000)
    await follower.wait_for(1)
    assert follower.events[0]["payload"] == {"text": "x" * 9000}
    assert process.read("portal_live_wakes_total", result="gap") == 1


@pytest.fixture
def own_redis() -> Iterator[Path]:
    """The state folder of a Redis that this test may stop; a short path, which holds the socket."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        yield Path(folder)
        stop_redis(Path(folder))


async def test_a_listener_whose_redis_comes_back_makes_up_for_what_was_lost(
    own_redis: Path, start_process: Any, writer: Any
) -> None:
    process = await start_process(start_redis(own_redis, environ={}))
    follower = await join(process, writer)
    stop_redis(own_redis)
    await wait_until(lambda: not process.read("portal_live_listener_connected_count"))
    await writer.append(2)
    assert await process.rooms.find_failure() is None
    assert follower.seqs == []
    start_redis(own_redis, environ={})
    await follower.wait_for(2)
    assert follower.seqs == [2, 3]


async def test_without_redis_events_come_with_the_next_comparison(start_process: Any, writer: Any) -> None:
    process = await start_process("redis://127.0.0.1:1", reconcile_s=(0.02, 0.05), waits=False)
    follower = await join(process, writer)
    await writer.append(2)
    await follower.wait_for(2)
    assert follower.seqs == [2, 3]


async def test_another_epoch_ends_readers_and_those_of_the_old_one_start_anew(
    process: Any, writer: Any
) -> None:
    follower, old = await join(process, writer), await writer.load_cursor(1)
    async with writer.database.scope(writer.workspace_id):
        assert await live.change_epochs() == 1
    present = await writer.load_cursor(1)
    assert present.epoch != old.epoch
    await process.rooms.reconcile()
    await follower.wait_for_end()
    assert follower.resets == [present]
    late = RecordingFollower()
    with pytest.raises(ResetRequired) as caught:
        await process.rooms.join(writer.public, old, late)
    assert (caught.value.cursor, late.resets) == (present, [present])
    assert (await join(process, writer)).resets == []
    assert process.read("portal_live_resets_total") == 2


async def test_a_reader_ahead_of_this_process_waits_for_it_and_one_ahead_of_the_database_starts_anew(
    process: Any, writer: Any
) -> None:
    first = await join(process, writer)
    writer.holds = True
    await writer.append(2)
    # Another process has delivered both events to a reader that comes here now.
    second = await join(process, writer, 3)
    assert (first.seqs, second.seqs, second.resets) == ([2, 3], [], [])
    with pytest.raises(ResetRequired):
        await join(process, writer, 4)
    await writer.release()


async def test_an_unknown_stream_is_missing_and_one_that_is_deleted_ends_its_readers(
    process: Any, writer: Any
) -> None:
    unknown = LogKey(writer.workspace_id, new_id(), Audience.PUBLIC)
    foreign = LogKey(WorkspaceId(new_id()), writer.public.stream_id, Audience.PUBLIC)
    for key in (unknown, foreign):
        with pytest.raises(Missing, match=r"live\.not_found"):
            await join(process, writer, 0, key)
    follower = await join(process, writer)
    async with writer.database.scope(writer.workspace_id):
        await live.delete_stream(writer.public.stream_id)
    await process.rooms.reconcile()
    assert follower.revocations == 1
    assert len(process.rooms) == 0


async def test_a_revocation_ends_the_readers_it_let_in_and_nobody_else(process: Any, writer: Any) -> None:
    link, session, other = await join(process, writer), await join(process, writer), RecordingFollower()
    both = RecordingFollower(link.viewers | session.viewers)
    cursor = await writer.load_cursor(1)
    await process.rooms.join(writer.public, cursor, both)
    await process.rooms.join(writer.public, cursor, other)
    async with writer.database.scope(writer.workspace_id):
        (viewer,) = session.viewers
        live.revoke_after_commit(viewer)
    await session.wait_for_end()
    await both.wait_for_end()
    await writer.append()
    await link.wait_for(1)
    await other.wait_for(1)
    assert [each.revocations for each in (link, session, both, other)] == [0, 1, 1, 0]
    assert (session.seqs, both.seqs) == ([], [])
    # Its ticket may still be valid for minutes.
    again = RecordingFollower(session.viewers)
    with pytest.raises(Denied, match=r"live\.revoked"):
        await process.rooms.join(writer.public, cursor, again)
    assert again.revocations == 1


async def test_a_message_that_nobody_understands_ends_no_listener(process: Any, writer: Any) -> None:
    follower = await join(process, writer)
    with capture_logs() as lines:
        for message in (b"", b"{}", b"\xff", b'{"revoke":', b'{"revoke":{}}'):
            await writer.publisher.publish(REVOCATIONS_CHANNEL, message)
        await writer.append()
        await follower.wait_for(1)
    assert [line["event"] for line in lines].count("live message ignored") == 5


async def test_a_listener_that_has_ended_is_not_ready(process: Any) -> None:
    assert await process.rooms.find_failure() is None
    process.task.cancel()
    await asyncio.wait([process.task])
    assert await process.rooms.find_failure() == "nothing listens for events"


class CountingReader(DatabaseReader):
    """Counts its queries."""

    queries = 0

    async def _read(self, key: LogKey, after: int, limit: int, *, newest: bool) -> Page | None:
        self.queries += 1
        return await super()._read(key, after, limit, newest=newest)

    async def load_heads(self, streams: Iterable[StreamKey]) -> Mapping[StreamKey, Heads]:
        self.queries += 1
        return await super().load_heads(streams)


@pytest.fixture
def reader(database: Database) -> CountingReader:
    return CountingReader(database)


@pytest.fixture
async def room_set(reader: CountingReader) -> AsyncIterator[RoomSet]:
    """Rooms that keep ten events."""
    rooms = RoomSet(reader, Metrics(), SystemClock(), encode_frame=bytes, keep=10, page=20)
    yield rooms
    await rooms.close()


async def test_a_thousand_who_come_back_at_once_cost_two_queries(
    reader: CountingReader, room_set: RoomSet, writer: Any
) -> None:
    await writer.append(9)
    start = await writer.load_cursor()
    followers = [RecordingFollower() for _ in range(1000)]
    await asyncio.gather(
        *(
            room_set.join(writer.public, Cursor(start.epoch, 10 - index % 11), follower)
            for index, follower in enumerate(followers)
        )
    )
    assert reader.queries <= 2
    for index, follower in enumerate(followers):
        assert follower.seqs == list(range(11 - index % 11, 11))


async def test_what_a_room_no_longer_has_is_read_in_pages(
    reader: CountingReader, room_set: RoomSet, writer: Any
) -> None:
    async with writer.database.scope(writer.workspace_id):
        event = live.NewEvent(writer.public.stream_id, Audience.PUBLIC, "test.event", {})
        await live.append_many([event] * 60)
    followers = [RecordingFollower() for _ in range(50)]
    start = await writer.load_cursor()
    await asyncio.gather(*(room_set.join(writer.public, start, follower) for follower in followers))
    assert all(follower.seqs == list(range(1, 62)) for follower in followers)
    # The room's memory, what it can keep, and three pages.
    assert reader.queries <= 5


async def test_joins_that_are_cancelled_leave_nothing_behind(
    settings: Settings, writer: Any, database: Database
) -> None:
    narrow = await Database.open(settings.database_url, size=1)
    rooms = RoomSet(DatabaseReader(narrow), Metrics(), SystemClock(), encode_frame=bytes, keep=10)
    cursor, followers = await writer.load_cursor(), [RecordingFollower() for _ in range(20)]
    try:
        async with narrow.scope(writer.workspace_id):
            # Nobody gets a connection meanwhile.
            joins = [asyncio.create_task(rooms.join(writer.public, cursor, each)) for each in followers]
            await asyncio.sleep(0)
            assert len(rooms) == 1
            for task in joins:
                task.cancel()
            await asyncio.wait(joins)
            assert len(rooms) == 0
        await rooms.join(writer.public, cursor, followers[0])
        assert [len(follower.entries) for follower in followers] == [1] + [0] * 19
        rooms.leave(writer.public, followers[0])
        assert len(rooms) == 0
    finally:
        await rooms.close()
        await narrow.close()


async def test_one_call_compares_streams_of_many_workspaces(
    database: Database, writer: Any, new_workspace: Any, settings: Settings
) -> None:
    other_id, stream_id = (await new_workspace()).workspace_id, new_id()
    async with database.scope(other_id):
        await live.append(stream_id, Audience.STAFF, "test.event", {})
    ours = (writer.workspace_id, writer.public.stream_id)
    found = await DatabaseReader(database).load_heads(
        [ours, (other_id, stream_id), (other_id, ours[1]), (ours[0], stream_id)]
    )
    assert {key: (heads.staff, heads.public) for key, heads in found.items()} == {
        ours: (1, 1),
        (other_id, stream_id): (1, 0),
    }
