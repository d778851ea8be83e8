"""Whatever happens in whatever order, each reader gets exactly its log; and the machine notices where it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from kernel.clock import FixedClock
from kernel.live import Audience, Cursor
from kernel.live.filler import Filler
from kernel.live.reader import Page, Record
from kernel.live.room import Follower, Outcome, Room, Standing
from kernel.live.room_set import RoomSet
from kernel.live.wake import Wake
from kernel.telemetry.metrics import Metrics
from tests.fakes.held_reader import NOW, HeldReader
from tests.fakes.live_machine import run_machine

METRICS = Metrics()


def build_rooms(reader: HeldReader, room_set: type[RoomSet] = RoomSet) -> RoomSet:
    """Make rooms that keep little and read little at a time, so that all limits are reached."""
    return room_set(reader, METRICS, FixedClock(NOW), encode_frame=bytes, keep=3, page=2)


def test_each_reader_gets_exactly_its_log_in_any_order_of_events() -> None:
    run_machine(build_rooms, 100, shrinks=True)


# Deliberate defects, each in the one method that prevents it.


class NoGapCheck(Room):
    """Delivers what comes, whatever is missing before it."""

    def _append(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.seq > self.head:
                self._deliver(self.encode(record))


class NoDuplicateCheck(Room):
    """Delivers what was delivered before."""

    def receive(self, epoch: Any, head: int, records: Sequence[Record]) -> Outcome:
        if epoch == self._epoch and head <= self.head and records:
            for follower in tuple(self.followers):
                follower.deliver(self.encode(records[-1]))
        return super().receive(epoch, head, records)


class NoEpochCheckOfWakes(Room):
    """Takes the wakes of any epoch for its own."""

    def receive(self, epoch: Any, head: int, records: Sequence[Record]) -> Outcome:
        return super().receive(self._epoch or epoch, head, records)


class LateAdmission(Room):
    """Makes a follower live a tick after its backlog."""

    def admit(self, follower: Follower, cursor: Cursor) -> None:
        super().admit(follower, cursor)
        if self.followers.pop(follower, self) is None:
            asyncio.get_running_loop().call_soon(self.followers.__setitem__, follower, None)


class SilentRestart(Room):
    """Begins another epoch with the followers of the one before."""

    def _restart(self, page: Page) -> None:
        followers, self.followers = self.followers, {}
        super()._restart(page)
        self.followers = followers


class HoleInMemory(Room):
    """Believes to have all events that there were."""

    def find_standing(self, cursor: Cursor) -> Standing:
        standing = super().find_standing(cursor)
        return Standing.IN_MEMORY if standing is Standing.OLDER else standing

    def admit(self, follower: Follower, cursor: Cursor) -> None:
        super().admit(follower, Cursor(cursor.epoch, max(cursor.seq, self.head - len(self._entries))))


class AheadAccepted(Room):
    """Lets a follower in that is ahead of this process."""

    def find_standing(self, cursor: Cursor) -> Standing:
        standing = super().find_standing(cursor)
        return Standing.IN_MEMORY if standing is Standing.AHEAD else standing

    def admit(self, follower: Follower, cursor: Cursor) -> None:
        super().admit(follower, Cursor(cursor.epoch, min(cursor.seq, self.head)))


class NoEpochCheckOfJoiners(Room):
    """Takes the places of any epoch for its own."""

    def find_standing(self, cursor: Cursor) -> Standing:
        return super().find_standing(Cursor(self.cursor.epoch, cursor.seq))


class DeepHole(Room):
    """Puts older events before its own without looking whether they meet."""

    def deepen(self, page: Page) -> None:
        self.is_deep = True
        self._entries.extendleft(map(self.encode, reversed(page.records)))


class ForgottenGap(Room):
    """Takes a read that begins now for one that sees everything."""

    def apply(self, page: Page, place: int, number: int) -> None:
        super().apply(page, place, number)
        self.is_behind = False


class MemoryLeak(Room):
    """Keeps those who have left while they joined."""

    @property
    def is_empty(self) -> bool:
        return super().is_empty and self.reads_started < 2


class LiveBeforeBacklog(RoomSet):
    """Makes a follower live before it has what it missed."""

    async def _bring_up(self, room: Room, cursor: Cursor, follower: Follower) -> Cursor:
        if room.is_warm:
            room.followers[follower] = None
        return await super()._bring_up(room, cursor, follower)


class OlderReadDecides(RoomSet):
    """Resets a follower after a read that may have begun before it came."""

    async def _require_place(self, room: Room, follower: Follower, reads_before: int) -> None:
        await super()._require_place(room, follower, min(reads_before, room.reads_applied - 1))


class NeverReset(RoomSet):
    """Asks again and again instead of telling a follower that its log is another one."""

    async def _require_place(self, room: Room, follower: Follower, reads_before: int) -> None:
        if room.reads_applied > reads_before:
            room.admit(follower, room.cursor)
        else:
            await super()._require_place(room, follower, reads_before)


class WrongCounter(RoomSet):
    """Compares the readers of the public log with the counter of the staff."""

    @staticmethod
    def _select_log(wake: Wake, audience: Audience) -> tuple[int, list[Record]]:
        head, records = RoomSet._select_log(wake, audience)
        return (wake.public_head, records) if audience is Audience.STAFF else (head, records)


class StaffEventsForAll(RoomSet):
    """Shows customers what only the staff may know."""

    @staticmethod
    def _select_log(wake: Wake, audience: Audience) -> tuple[int, list[Record]]:
        return RoomSet._select_log(wake, Audience.STAFF)


class ForgottenWake(RoomSet):
    """Ignores what happens while a room warms up."""

    def _receive_wake(self, wake: Wake) -> None:
        if all(room.is_warm for room in self._rooms.values()):
            super()._receive_wake(wake)


class HalfReconciliation(RoomSet):
    """Compares all rooms but the oldest."""

    async def reconcile(self) -> None:
        skipped = dict(list(self._rooms.items())[:1])
        self._rooms = dict(list(self._rooms.items())[1:])
        reading = asyncio.ensure_future(super().reconcile())
        await asyncio.sleep(0)
        self._rooms = skipped | self._rooms
        await reading


class DeafToRevocations(RoomSet):
    """Lets those go on whose link was revoked, unless they join later."""

    def _receive_revocation(self, revocation: Any) -> None:
        self._revocations.add(revocation.viewer)


class EachForItself(Filler):
    """Warms a room up for each follower anew."""

    async def warm_up(self, room: Room, cursor: Cursor) -> None:
        await self._warm_up(room, cursor)


class NoPlaceAfterPage(Filler):
    """Forgets how far it has read for a follower."""

    async def deliver_older(self, room: Room, cursor: Cursor, follower: Follower) -> Cursor:
        place = await super().deliver_older(room, cursor, follower)
        return Cursor(place.epoch, max(cursor.seq, place.seq - 1))


DEFECTS: list[type[Room | RoomSet | Filler]] = [
    NoGapCheck,
    NoDuplicateCheck,
    NoEpochCheckOfWakes,
    LateAdmission,
    SilentRestart,
    HoleInMemory,
    AheadAccepted,
    NoEpochCheckOfJoiners,
    DeepHole,
    ForgottenGap,
    MemoryLeak,
    LiveBeforeBacklog,
    OlderReadDecides,
    NeverReset,
    WrongCounter,
    StaffEventsForAll,
    ForgottenWake,
    HalfReconciliation,
    DeafToRevocations,
    EachForItself,
    NoPlaceAfterPage,
]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_the_machine_notices(defect: type[Room | RoomSet | Filler]) -> None:
    class Defective(defect if issubclass(defect, RoomSet) else RoomSet):  # type: ignore[misc]
        _room_type: ClassVar[type[Room]] = defect if issubclass(defect, Room) else Room
        _filler_type: ClassVar[type[Filler]] = defect if issubclass(defect, Filler) else Filler

    with pytest.raises(AssertionError):
        run_machine(lambda reader: build_rooms(reader, Defective), 300)
