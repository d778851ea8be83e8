"""A log as Postgres would have it, and its queries, which the test answers by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from kernel.errors import Unavailable
from kernel.ids import WorkspaceId
from kernel.live import Audience, Heads, LogKey
from kernel.live.reader import Page, Record, StreamKey
from kernel.live.wake import Wake, WakeEvent

WORKSPACE = WorkspaceId(UUID(int=1))
STREAM = UUID(int=2)
FIRST_EPOCH = UUID(int=100)
NOW = datetime(2026, 3, 16, tzinfo=UTC)
_T = TypeVar("_T")


@dataclass(slots=True)
class Log:
    """What Postgres has: events, and the records of each audience, of the present epoch and of earlier ones."""

    epoch: UUID = FIRST_EPOCH
    events: list[WakeEvent] = field(default_factory=list)
    records: dict[tuple[UUID, Audience], list[Record]] = field(default_factory=dict)
    written: int = 0

    def list_records(self, audience: Audience, epoch: UUID | None = None) -> list[Record]:
        """Return the events of an audience in order, none for an epoch that never was."""
        return self.records.get((epoch or self.epoch, audience), [])

    def find_head(self, audience: Audience) -> int:
        """Return the place of the newest event of an audience."""
        return len(self.list_records(audience))

    def write(self, *, public: bool) -> None:
        """Append an event."""
        self.written += 1
        payload = msgspec.Raw(b'{"n":%d}' % self.written)
        places = {Audience.STAFF: self.find_head(Audience.STAFF) + 1}
        if public:
            places[Audience.PUBLIC] = self.find_head(Audience.PUBLIC) + 1
        self.events.append(
            WakeEvent(places[Audience.STAFF], places.get(Audience.PUBLIC), "test.event", payload, None, NOW)
        )
        for audience, seq in places.items():
            record = Record(seq, "test.event", payload, None, NOW)
            self.records.setdefault((self.epoch, audience), []).append(record)

    def make_wake(self, count: int, *, inline: bool) -> Wake:
        """Return the wake of the newest events."""
        heads = (self.find_head(Audience.STAFF), self.find_head(Audience.PUBLIC))
        events = tuple(self.events[-count:]) if inline else ()
        return Wake(WORKSPACE, STREAM, self.epoch, *heads, events)

    def restore(self, lost: int) -> None:
        """Go back to an earlier state, under another epoch."""
        self.events = self.events[: max(0, len(self.events) - lost)]
        publics = sum(event.public_seq is not None for event in self.events)
        staff, public = self.list_records(Audience.STAFF), self.list_records(Audience.PUBLIC)
        self.epoch = UUID(int=self.epoch.int + 1)
        self.records[self.epoch, Audience.STAFF] = staff[: len(self.events)]
        self.records[self.epoch, Audience.PUBLIC] = public[:publics]


@dataclass(slots=True)
class Request:
    """A query that has not been answered."""

    ask: Callable[[], Any]
    early: Any
    answer: asyncio.Future[Any]


class HeldReader:
    """Holds each query until the test answers it: from the snapshot of when it was asked, or of now."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.requests: list[Request] = []

    async def read_after(self, key: LogKey, after: int, limit: int) -> Page:
        """Wait for the first events after a place."""
        return await self._hold(lambda: self._make_page(key, after, limit))

    async def read_newest(self, key: LogKey, after: int, limit: int) -> Page:
        """Wait for the newest events."""
        return await self._hold(
            lambda: self._make_page(key, max(after, self._log.find_head(key.audience) - limit), limit)
        )

    async def load_heads(self, streams: Iterable[StreamKey]) -> Mapping[StreamKey, Heads]:
        """Wait for the heads."""
        return await self._hold(lambda: {key: self._make_heads() for key in streams})

    def answer(self, index: int, *, late: bool, fails: bool) -> None:
        """Answer one query."""
        request = self.requests.pop(index % len(self.requests))
        if request.answer.done():
            return
        if fails:
            request.answer.set_exception(Unavailable("store.unavailable", "as from Postgres"))
        else:
            request.answer.set_result(request.ask() if late else request.early)

    async def _hold(self, ask: Callable[[], _T]) -> _T:
        answer: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self.requests.append(Request(ask, ask(), answer))
        return await answer

    def _make_page(self, key: LogKey, after: int, limit: int) -> Page:
        records = self._log.list_records(key.audience)
        return Page(self._log.epoch, len(records), tuple(records[after : after + limit]))

    def _make_heads(self) -> Heads:
        return Heads(
            self._log.epoch, *(self._log.find_head(each) for each in (Audience.STAFF, Audience.PUBLIC))
        )
