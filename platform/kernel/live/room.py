"""A room: the readers of one log in this process, and the newest events. It awaits nothing and asks nobody."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from kernel.live.cursor import Cursor
from kernel.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from kernel.live.reader import LogKey, Page, Record

_log: Final = logs.get_logger("kernel.live")


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a log, encoded once for all its readers."""

    seq: int
    frame: bytes


class Follower(Protocol):
    """A reader. Its transport calls nothing that waits in these methods, which are called in order.

    They raise nothing: one that does while a room tells all its followers is ended, so that the others are told.
    Followers are keys of dictionaries: two are equal only if they are the same.
    """

    @property
    def viewers(self) -> frozenset[UUID]:
        """The link, and the session if there is one, that let the reader in."""
        ...

    def deliver(self, entry: Entry, /) -> None:
        """Take the next event."""
        ...

    def reset(self, cursor: Cursor, /) -> None:
        """End: the reader's cursor belongs to another epoch or lies ahead of the log, which is now at `cursor`."""
        ...

    def revoke(self) -> None:
        """End for good: what let the reader in was revoked, or the stream is gone."""
        ...


class Outcome(StrEnum):
    """What a wake was for a room."""

    LIVE = "live"
    DUPLICATE = "duplicate"
    """Nothing new for these readers."""
    GAP = "gap"
    """Something is missing, and must be read first."""


class Standing(Enum):
    """Where a cursor lies, seen from a room."""

    IN_MEMORY = "in_memory"
    """The room has all events after it; maybe none."""
    OLDER = "older"
    AHEAD = "ahead"
    OTHER_EPOCH = "other_epoch"


class Room:
    """The followers of one log. Each gets exactly the events after its cursor, in order."""

    __slots__ = (
        "_encode_frame",
        "_entries",
        "_epoch",
        "_keep",
        "followers",
        "head",
        "is_behind",
        "is_deep",
        "is_gone",
        "joining",
        "key",
        "reads_applied",
        "reads_started",
    )

    def __init__(self, key: LogKey, encode_frame: Callable[[bytes], bytes], keep: int) -> None:
        """Create an empty room, cold until its first page."""
        self.key = key
        self.head = 0
        self.followers: dict[Follower, None] = {}
        """Those that are live: they have everything up to the head."""
        self.joining: set[Follower] = set()
        self.is_behind = False
        """Something is missing that no read that has begun is sure to see."""
        self.is_deep = False
        """The room has tried to hold as many old events as it may."""
        self.is_gone = False
        self.reads_started = 0
        self.reads_applied = 0
        """The newest read that showed the whole log; one that began before a follower came decides nothing for it."""
        self._epoch: UUID | None = None
        self._entries: deque[Entry] = deque()
        self._encode_frame = encode_frame
        self._keep = keep

    @property
    def is_warm(self) -> bool:
        """Whether the room knows its log."""
        return self._epoch is not None

    @property
    def is_empty(self) -> bool:
        """Whether nobody needs the room."""
        return not self.followers and not self.joining

    @property
    def cursor(self) -> Cursor:
        """The room's place in its log; ValueError while it is cold."""
        if self._epoch is None:
            raise ValueError("a cold room has no place")
        return Cursor(self._epoch, self.head)

    def begin_read(self) -> int:
        """Return the number of a read that begins now; from here on a new gap needs another read."""
        self.is_behind = False
        self.reads_started += 1
        return self.reads_started

    def start(self, page: Page, number: int) -> None:
        """Warm up with the newest events of the log."""
        self._epoch, self.head = page.epoch, page.head
        self._entries = deque(self.encode(record) for record in page.records)
        self.is_deep = len(self._entries) >= self._keep
        self.reads_applied = number

    def apply(self, page: Page, place: int, number: int) -> None:
        """Take what was read after a place that was the head then.

        All followers start anew in another epoch, and where the log has become shorter: then it was restored, and the
        next events get places that they believe to have seen.
        """
        if page.epoch != self._epoch or page.head < place:
            self._restart(page)
        else:
            self._append(page.records)
        if self.head >= page.head:
            # Not before: what a follower has seen may be on a later page.
            self.reads_applied = number

    def receive(self, epoch: UUID, head: int, records: Sequence[Record]) -> Outcome:
        """Take the content of a wake: what comes next is delivered, what is known already is dropped."""
        if epoch != self._epoch:
            # Cold, or an older epoch or a newer one: only the database knows.
            return Outcome.GAP
        if head <= self.head:
            return Outcome.DUPLICATE
        self._append(records)
        return Outcome.LIVE if self.head >= head else Outcome.GAP

    def deepen(self, page: Page) -> None:
        """Put older events before those that the room has."""
        self.is_deep = True
        oldest = self.head - len(self._entries) + 1
        older = [record for record in page.records if record.seq < oldest]
        if page.epoch == self._epoch and older and older[-1].seq == oldest - 1:
            entries = [*map(self.encode, older), *self._entries]
            self._entries = deque(entries[-self._keep :])

    def find_standing(self, cursor: Cursor) -> Standing:
        """Tell where a cursor lies."""
        if cursor.epoch != self._epoch:
            return Standing.OTHER_EPOCH
        if cursor.seq > self.head:
            return Standing.AHEAD
        return Standing.IN_MEMORY if self.head - cursor.seq <= len(self._entries) else Standing.OLDER

    def admit(self, follower: Follower, cursor: Cursor) -> None:
        """Deliver what the room has after a cursor and make the joining follower live, in one go."""
        missing = self.head - cursor.seq
        for entry in islice(self._entries, len(self._entries) - missing, None):
            follower.deliver(entry)
        # It may have left while it was delivered to.
        if follower in self.joining:
            self.joining.discard(follower)
            self.followers[follower] = None

    def remove(self, follower: Follower) -> None:
        """Forget a follower, if it is known."""
        self.joining.discard(follower)
        self.followers.pop(follower, None)

    def encode(self, record: Record) -> Entry:
        """Return a record as its readers get it."""
        event = {
            "type": "event",
            "seq": record.seq,
            "kind": record.kind,
            "payload": record.payload,
            "client_id": record.client_id,
        }
        return Entry(record.seq, self._encode_frame(msgspec.json.encode(event)))

    def end(self) -> None:
        """End all followers: the stream is gone. Those that join notice it themselves."""
        self.is_gone = True
        followers, self.followers = self.followers, {}
        for follower in followers:
            self.revoke(follower)

    def revoke(self, follower: Follower) -> None:
        """Forget a follower and end it for good."""
        self.remove(follower)
        try:
            follower.revoke()
        except Exception as error:  # noqa: BLE001  -- the others must be told
            _log.error("follower not revoked", exc_info=error)

    def _append(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.seq == self.head + 1:
                self._deliver(self.encode(record))

    def _deliver(self, entry: Entry) -> None:
        self.head = entry.seq
        self._entries.append(entry)
        if len(self._entries) > self._keep:
            self._entries.popleft()
        # A follower that cannot take it may leave meanwhile.
        for follower in tuple(self.followers):
            try:
                follower.deliver(entry)
            except Exception as error:  # noqa: BLE001  -- the others must get it
                _log.error("event not delivered", exc_info=error)
                # Not only forgotten: its reader would be behind and not know it.
                self.remove(follower)
                self._reset(follower)

    def _restart(self, page: Page) -> None:
        followers, self.followers = self.followers, {}
        self._epoch, self.head = page.epoch, page.head
        self._entries.clear()
        self.is_deep = False
        for follower in followers:
            self._reset(follower)

    def _reset(self, follower: Follower) -> None:
        try:
            follower.reset(self.cursor)
        except Exception as error:  # noqa: BLE001  -- the others must be told
            _log.error("follower not reset", exc_info=error)
