"""A room by itself, without a database: a log that was set back, and followers that break their promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest
from structlog.testing import capture_logs

from kernel.live import Audience, Cursor, Entry, LogKey
from kernel.live.reader import Page, Record
from kernel.live.room import Outcome, Room, Standing
from tests.fakes.followers import RecordingFollower
from tests.fakes.held_reader import FIRST_EPOCH, NOW, STREAM, WORKSPACE

HEAD = 3


def make_page(head: int, *seqs: int) -> Page:
    records = tuple(Record(seq, "test.event", msgspec.Raw(b"{}"), None, NOW) for seq in seqs)
    return Page(FIRST_EPOCH, head, records)


def follow(room: Room, follower: RecordingFollower) -> RecordingFollower:
    room.joining.add(follower)
    room.admit(follower, room.cursor)
    return follower


@pytest.fixture
def room() -> Room:
    """A room that has all of its log."""
    room = Room(LogKey(WORKSPACE, STREAM, Audience.PUBLIC), bytes, keep=256)
    room.start(make_page(HEAD, 1, 2, 3), room.begin_read())
    return room


def test_a_log_that_became_shorter_is_another_one_although_its_epoch_is_the_same(room: Room) -> None:
    follower = follow(room, RecordingFollower())
    number = room.begin_read()
    room.apply(make_page(2), HEAD, number)
    assert follower.resets == [Cursor(FIRST_EPOCH, 2)]
    assert (room.is_empty, room.reads_applied) == (True, number)
    # The next event gets a place that the follower believed to have seen, and those that join now get it once.
    assert room.find_standing(Cursor(FIRST_EPOCH, HEAD)) is Standing.AHEAD
    newcomer = follow(room, RecordingFollower())
    assert room.receive(FIRST_EPOCH, HEAD, make_page(HEAD, HEAD).records) is Outcome.LIVE
    assert (newcomer.seqs, follower.seqs) == ([HEAD], [])


def test_a_read_that_a_message_overtook_is_no_shorter_log(room: Room) -> None:
    follower = follow(room, RecordingFollower())
    number = room.begin_read()
    room.receive(FIRST_EPOCH, HEAD + 1, make_page(HEAD + 1, HEAD + 1).records)
    room.apply(make_page(HEAD), HEAD, number)
    assert (follower.seqs, follower.resets, room.head) == ([HEAD + 1], [], HEAD + 1)


@dataclass(eq=False, slots=True)
class RaisingFollower(RecordingFollower):
    """Records each call, and fails in it."""

    def deliver(self, entry: Entry) -> None:
        RecordingFollower.deliver(self, entry)
        raise RuntimeError("deliver")

    def reset(self, cursor: Cursor) -> None:
        RecordingFollower.reset(self, cursor)
        raise RuntimeError("reset")

    def revoke(self) -> None:
        RecordingFollower.revoke(self)
        raise RuntimeError("revoke")


def test_a_follower_that_fails_to_take_an_event_is_ended_and_the_others_get_it(room: Room) -> None:
    broken, other = follow(room, RaisingFollower()), follow(room, RecordingFollower())
    with capture_logs() as lines:
        for seq in (HEAD + 1, HEAD + 2):
            room.receive(FIRST_EPOCH, seq, make_page(seq, seq).records)
    assert other.seqs == [HEAD + 1, HEAD + 2]
    assert (broken.seqs, broken.resets) == ([HEAD + 1], [Cursor(FIRST_EPOCH, HEAD + 1)])
    assert list(room.followers) == [other]
    assert [line["event"] for line in lines] == ["event not delivered", "follower not reset"]


@pytest.mark.parametrize("end", [Room.end, lambda room: room.apply(make_page(0), HEAD, room.begin_read())])
def test_a_follower_that_fails_to_end_keeps_no_other_from_it(room: Room, end: Callable[[Room], None]) -> None:
    follow(room, RaisingFollower())
    other = follow(room, RecordingFollower())
    with capture_logs():
        end(room)
    assert other.revocations + len(other.resets) == 1
    assert not room.followers
