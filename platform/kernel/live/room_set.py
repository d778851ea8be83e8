"""All rooms of a process: who joins and leaves, what wakes and reads bring. It never waits for a time: see `rooms`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from kernel.errors import Denied, Missing
from kernel.ids import WorkspaceId
from kernel.live.cursor import Cursor, ResetRequired
from kernel.live.filler import Filler
from kernel.live.log import Audience
from kernel.live.reader import LogKey, Record
from kernel.live.revocations import Revocations
from kernel.live.room import Outcome, Room, Standing
from kernel.live.wake import Revocation, Wake, decode_message
from kernel.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from kernel.clock import Clock
    from kernel.live.reader import Reader
    from kernel.live.room import Follower
    from kernel.telemetry.metrics import Metrics

PAGE: Final = 500
_log: Final = logs.get_logger("kernel.live")


class RoomSet:
    """Rooms by log. A room exists while somebody is in it or joins it."""

    _room_type: ClassVar[type[Room]] = Room
    _filler_type: ClassVar[type[Filler]] = Filler

    def __init__(
        self,
        reader: Reader,
        metrics: Metrics,
        clock: Clock,
        *,
        encode_frame: Callable[[bytes], bytes],
        keep: int,
        page: int = PAGE,
    ) -> None:
        """Read from `reader`, `page` events at a time; `encode_frame` turns the JSON of an event into its frame.

        A room keeps the newest `keep` events at most, for followers that come back.
        """
        self._reader = reader
        self._metrics = metrics
        self._encode_frame = encode_frame
        self._keep = keep
        self._revocations = Revocations(clock)
        self._rooms: dict[LogKey, Room] = {}
        self._filler = self._filler_type(reader, metrics, clock, keep=keep, page=page, free=self._free)

    def __len__(self) -> int:
        """Return the number of rooms."""
        return len(self._rooms)

    async def join(self, key: LogKey, cursor: Cursor, follower: Follower) -> Cursor:
        """Deliver what comes after `cursor`, then make the follower live in the same tick; returns the head then.

        A follower that leaves meanwhile gets nothing more. Raises Missing("live.not_found") for an unknown stream,
        ResetRequired and Denied("live.revoked") after the follower's method was called, and Unavailable.
        """
        room = self._rooms.get(key)
        if room is None:
            room = self._rooms[key] = self._room_type(key, self._encode_frame, self._keep)
        room.joining.add(follower)
        try:
            return await self._bring_up(room, cursor, follower)
        finally:
            room.joining.discard(follower)
            self._free(room)

    def leave(self, key: LogKey, follower: Follower) -> None:
        """Deliver nothing more to a follower."""
        room = self._rooms.get(key)
        if room is not None:
            room.remove(follower)
            self._free(room)

    def find_cursor(self, key: LogKey) -> Cursor | None:
        """Return the place of a room, None while there is none."""
        room = self._rooms.get(key)
        return room.cursor if room is not None and room.is_warm else None

    def receive(self, message: bytes) -> None:
        """Take a message of `wake.CHANNELS`."""
        try:
            content = decode_message(message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _log.warning("live message ignored", reason=str(error))
            return
        if isinstance(content, Revocation):
            self._receive_revocation(content)
        else:
            self._receive_wake(content)

    async def reconcile(self) -> None:
        """Compare all rooms with the database in one query; those that differ are brought up to date in the background.

        Raises Unavailable.
        """
        places = {room: room.head for room in self._rooms.values() if room.is_warm}
        if not places:
            return
        streams = {(room.key.workspace_id, room.key.stream_id) for room in places}
        found = await self._reader.load_heads(streams)
        for room, place in places.items():
            heads = found.get((room.key.workspace_id, room.key.stream_id))
            if self._rooms.get(room.key) is not room:
                continue
            if heads is None:
                self._filler.end(room)
                continue
            head = heads.public if room.key.audience is Audience.PUBLIC else heads.staff
            is_other = heads.epoch != room.cursor.epoch or head > room.head or head < place
            if room.is_behind or is_other:
                self._metrics.live_reconciled.inc()
                self._filler.start(room)

    async def close(self) -> None:
        """End what runs in the background. Followers are their transports' to end."""
        await self._filler.close()

    # Followers that join.

    async def _bring_up(self, room: Room, cursor: Cursor, follower: Follower) -> Cursor:
        """Read and deliver until the room has all that is missing, then admit the follower; see `join`."""
        reads_before = room.reads_started
        start = cursor
        if self._revocations.cover(follower.viewers):
            room.revoke(follower)
        elif not room.is_warm:
            await self._filler.warm_up(room, cursor)
        while follower in room.joining:
            if room.is_gone:
                raise Missing("live.not_found", "There is no such stream.")
            standing = room.find_standing(cursor)
            if standing is Standing.IN_MEMORY:
                if start.seq < room.head:
                    source = "memory" if cursor == start else "database"
                    self._metrics.live_resumes.labels(source).inc()
                room.admit(follower, cursor)
                return room.cursor
            if standing is Standing.OLDER:
                cursor = await self._filler.deliver_older(room, cursor, follower)
            else:
                await self._require_place(room, follower, reads_before)
        if self._revocations.cover(follower.viewers):
            raise Denied("live.revoked", "What let this reader in was revoked.")
        return cursor

    async def _require_place(self, room: Room, follower: Follower, reads_before: int) -> None:
        """Ask the database about a place that the room does not know, which another process may know already.

        Only a read that has begun after the follower came can tell: then raises ResetRequired.
        """
        if room.reads_applied > reads_before:
            self._metrics.live_resets.inc()
            follower.reset(room.cursor)
            raise ResetRequired(room.cursor)
        await self._filler.catch_up(room)

    # Messages.

    def _receive_wake(self, wake: Wake) -> None:
        """Deliver the events of a wake, or read what is missing before them."""
        rooms = [
            room
            for audience in Audience
            if (room := self._rooms.get(LogKey(WorkspaceId(wake.workspace_id), wake.stream_id, audience)))
        ]
        if not rooms:
            self._metrics.live_wakes.labels("unknown").inc()
        for room in rooms:
            place = room.head
            head, records = self._select_log(wake, room.key.audience)
            outcome = room.receive(wake.epoch, head, records)
            self._metrics.live_wakes.labels(outcome.value).inc()
            self._filler.observe_delivery(room, place, records)
            if outcome is Outcome.GAP:
                if room.is_warm:
                    self._filler.start(room)
                else:
                    room.is_behind = True

    def _receive_revocation(self, revocation: Revocation) -> None:
        """End the followers that a viewer let in, and refuse new ones while its tickets may be valid."""
        self._revocations.add(revocation.viewer)
        for room in [*self._rooms.values()]:
            if room.key.workspace_id != revocation.workspace_id:
                continue
            for follower in [*room.followers, *room.joining]:
                if revocation.viewer in follower.viewers:
                    room.revoke(follower)
            self._free(room)

    def _free(self, room: Room) -> None:
        if (room.is_empty or room.is_gone) and self._rooms.get(room.key) is room:
            del self._rooms[room.key]

    @staticmethod
    def _select_log(wake: Wake, audience: Audience) -> tuple[int, list[Record]]:
        """Return the head and the events of a wake as the readers of one log see them."""
        if audience is Audience.STAFF:
            return wake.staff_head, [
                Record(event.staff_seq, event.kind, event.payload, event.client_id, event.created_at)
                for event in wake.events
            ]
        return wake.public_head, [
            Record(event.public_seq, event.kind, event.payload, event.client_id, event.created_at)
            for event in wake.events
            if event.public_seq is not None
        ]
