"""Reads what rooms miss: one read of a kind at a time for each room, shared by all who wait for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from kernel.errors import Unavailable
from kernel.live.cursor import Cursor
from kernel.live.room import Room
from kernel.single_flight import SingleFlight
from kernel.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kernel.clock import Clock
    from kernel.live.reader import Page, Reader, Record
    from kernel.live.room import Follower
    from kernel.telemetry.metrics import Metrics

# Rooms that are brought up to date at once in the background.
_FILLS: Final = 4

_log: Final = logs.get_logger("kernel.live")


class Filler:
    """Fills rooms from the database. A room whose stream is gone is ended."""

    def __init__(
        self,
        reader: Reader,
        metrics: Metrics,
        clock: Clock,
        *,
        keep: int,
        page: int,
        free: Callable[[Room], None],
    ) -> None:
        """Read `page` events at a time, `keep` for a room's memory; `free` is called with a room that may be empty."""
        self._reader = reader
        self._metrics = metrics
        self._clock = clock
        self._keep = keep
        self._page = page
        self._free = free
        self._newest_reads: SingleFlight[Room, None] = SingleFlight(cancel_abandoned=False)
        self._catch_ups: SingleFlight[Room, None] = SingleFlight(cancel_abandoned=False)
        self._older_reads: SingleFlight[tuple[Room, Cursor], Page | None] = SingleFlight(
            cancel_abandoned=False
        )
        self._fills: dict[Room, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_FILLS)

    def __len__(self) -> int:
        """Return the number of rooms that are brought up to date in the background."""
        return len(self._fills)

    async def warm_up(self, room: Room, cursor: Cursor) -> None:
        """Start a cold room with what is after its first follower's cursor, so that an idle one costs no memory."""
        await self._newest_reads.run(room, lambda: self._warm_up(room, cursor))

    async def catch_up(self, room: Room) -> None:
        """Bring a room up to date; a read that began before the call may be all that is done."""
        await self._catch_ups.run(room, lambda: self._catch_up(room))

    async def deliver_older(self, room: Room, cursor: Cursor, follower: Follower) -> Cursor:
        """Fetch what a room does not have, into it if it may keep it; returns the follower's place after that.

        A thousand followers that come back at once share what the room can keep.
        """
        if not room.is_deep:
            await self._newest_reads.run(room, lambda: self._deepen(room))
            return cursor
        page = await self._older_reads.run(
            (room, cursor), lambda: self._reader.read_after(room.key, cursor.seq, self._page)
        )
        if page is None:
            self.end(room)
        elif page.epoch != cursor.epoch or not page.records:
            # The room does not know yet that its log is another one.
            await self.catch_up(room)
        else:
            for record in page.records:
                # The rest comes through the room.
                if follower not in room.joining or record.seq > room.head:
                    break
                follower.deliver(room.encode(record))
                cursor = Cursor(cursor.epoch, record.seq)
        return cursor

    def start(self, room: Room) -> None:
        """Bring a room up to date in the background, with a read that begins after this call."""
        room.is_behind = True
        if room not in self._fills:
            self._fills[room] = asyncio.create_task(self._fill(room))

    def end(self, room: Room) -> None:
        """End a room whose stream is gone."""
        room.end()
        self._free(room)

    async def close(self) -> None:
        """End what runs in the background."""
        tasks = list(self._fills.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def observe_delivery(self, room: Room, place: int, records: Sequence[Record]) -> None:
        """Measure the delay of the records that a room that stood at `place` has delivered."""
        if not room.followers or not records:
            return
        now = self._clock.now()
        for record in records:
            if place < record.seq <= room.head:
                delay = (now - record.created_at).total_seconds()
                self._metrics.live_delivery_seconds.observe(max(0.0, delay))

    async def _warm_up(self, room: Room, cursor: Cursor) -> None:
        number = room.begin_read()
        page = await self._reader.read_newest(room.key, cursor.seq, self._keep)
        self._metrics.live_warm_ups.inc()
        if page is None:
            self.end(room)
            return
        room.start(page, number)
        if room.is_behind:
            # A wake came during the read.
            self.start(room)

    async def _deepen(self, room: Room) -> None:
        page = await self._reader.read_newest(room.key, 0, self._keep)
        if page is None:
            self.end(room)
        else:
            room.deepen(page)

    async def _catch_up(self, room: Room) -> None:
        while not room.is_gone:
            number, place = room.begin_read(), room.head
            try:
                page = await self._reader.read_after(room.key, place, self._page)
            except BaseException:
                room.is_behind = True
                raise
            if page is None:
                self.end(room)
                return
            followers, head = len(room.followers), room.head
            room.apply(page, place, number)
            if followers and not room.followers:
                self._metrics.live_resets.inc(followers)
                self._free(room)
            self.observe_delivery(room, head, page.records)
            if room.head >= page.head and not room.is_behind:
                return

    async def _fill(self, room: Room) -> None:
        try:
            async with self._slots:
                # A read that has just ended may have begun before the gap was seen.
                while room.is_behind and not room.is_empty:
                    await self.catch_up(room)
            self._metrics.live_gaps_filled.inc()
        except Unavailable as error:
            # The next reconciliation tries again.
            _log.warning("live events not read", code=error.code, cause=error.data.get("cause"))
        except Exception as error:  # noqa: BLE001  -- a room that fails must not stop the others
            _log.error("live events not read", exc_info=error)
        finally:
            del self._fills[room]
