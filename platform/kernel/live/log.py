"""The rows of realtime streams: appended in the writing transaction, read by the counter of an audience."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel.live.wake import Wake, WakeEvent, wake_after_commit
from kernel.store import current_workspace, execute, fetch, fetch_one

_CREATE: Final = """
INSERT INTO live_stream (workspace_id, stream_id) VALUES ($1, $2) ON CONFLICT (workspace_id, stream_id) DO NOTHING
"""
_DELETE: Final = "DELETE FROM live_stream WHERE workspace_id = $1 AND stream_id = $2"
# The row of a stream stays locked until the unit of work ends: writers of a stream wait for each other, and a rollback
# frees the counters. Streams are locked in one order, so that two calls never wait for each other.
_APPEND: Final = """
WITH entry AS (
    SELECT * FROM unnest($2::uuid[], $3::boolean[], $4::text[], $5::jsonb[], $6::text[])
        WITH ORDINALITY e (stream_id, is_public, kind, payload, client_id, n)
), addition AS (
    SELECT stream_id, count(*) AS staff, count(*) FILTER (WHERE is_public) AS public FROM entry GROUP BY stream_id
), head AS (
    INSERT INTO live_stream AS s (workspace_id, stream_id, staff_head, public_head)
    SELECT $1, stream_id, staff, public FROM addition ORDER BY stream_id
    ON CONFLICT (workspace_id, stream_id) DO UPDATE
    SET staff_head = s.staff_head + excluded.staff_head, public_head = s.public_head + excluded.public_head
    RETURNING stream_id, epoch, staff_head, public_head
), added AS (
    INSERT INTO live_event (workspace_id, stream_id, staff_seq, public_seq, kind, payload, client_id)
    SELECT $1, stream_id, staff_head - staff + row_number() OVER earlier,
           CASE WHEN is_public THEN public_head - public + count(*) FILTER (WHERE is_public) OVER earlier END,
           kind, payload, client_id
    FROM entry JOIN addition USING (stream_id) JOIN head USING (stream_id)
    WINDOW earlier AS (PARTITION BY stream_id ORDER BY n)
    RETURNING stream_id, staff_seq, public_seq, created_at
)
SELECT stream_id, epoch, staff_head, public_head, staff_seq, public_seq, created_at
FROM added JOIN head USING (stream_id) ORDER BY stream_id, staff_seq
"""
_SELECT_STAFF: Final = """
SELECT staff_seq AS seq, kind, payload, client_id, created_at FROM live_event
WHERE workspace_id = $1 AND stream_id = $2 AND staff_seq > $3 ORDER BY staff_seq LIMIT $4
"""
_SELECT_PUBLIC: Final = """
SELECT public_seq AS seq, kind, payload, client_id, created_at FROM live_event
WHERE workspace_id = $1 AND stream_id = $2 AND public_seq > $3 ORDER BY public_seq LIMIT $4
"""
# Every reader then starts anew.
_CHANGE_EPOCHS: Final = "UPDATE live_stream SET epoch = gen_random_uuid() WHERE workspace_id = $1"
_SELECT_HEADS: Final = """
SELECT epoch, staff_head, public_head FROM live_stream WHERE workspace_id = $1 AND stream_id = $2
"""


class Audience(StrEnum):
    """Who may know of an event."""

    PUBLIC = "public"
    """Customers, and staff."""
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append. `payload` holds ids, no text of people; `client_id` was chosen by the client that writes."""

    stream_id: UUID
    audience: Audience
    kind: str
    payload: Mapping[str, Any]
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands in the log of the staff and, unless it is for staff only, in that of the customers."""

    staff_seq: int
    public_seq: int | None


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """An event as a reader of one audience sees it: `seq` counts the events of that audience, without a gap."""

    seq: int
    kind: str
    payload: dict[str, Any]
    client_id: str | None
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Heads:
    """The place of the newest event in each log of a stream; 0 before the first."""

    epoch: UUID
    staff: int
    public: int


async def create_stream(stream_id: UUID) -> None:
    """Create an empty stream, so that its readers know its epoch before the first event; once is enough."""
    await execute(_CREATE, current_workspace(), stream_id)


async def delete_stream(stream_id: UUID) -> None:
    """Delete a stream and its events, with what it is about."""
    await execute(_DELETE, current_workspace(), stream_id)


async def append(
    stream_id: UUID,
    audience: Audience,
    kind: str,
    payload: Mapping[str, Any],
    *,
    client_id: str | None = None,
) -> Place:
    """Append an event in the open unit of work and return its place; a stream that does not exist is created.

    Lock what the event is about before: the stream is the last row that a transaction locks.
    """
    (place,) = await append_many([NewEvent(stream_id, audience, kind, payload, client_id)])
    return place


async def append_many(events: Sequence[NewEvent]) -> tuple[Place, ...]:
    """Append events of any streams in one statement; returns their places in the same order."""
    if not events:
        return ()
    payloads = [msgspec.json.encode(event.payload) for event in events]
    rows = await fetch(
        _APPEND,
        current_workspace(),
        [event.stream_id for event in events],
        [event.audience is Audience.PUBLIC for event in events],
        [event.kind for event in events],
        [payload.decode() for payload in payloads],
        [event.client_id for event in events],
    )
    added: dict[UUID, deque[Any]] = {}
    for row in rows:
        added.setdefault(row["stream_id"], deque()).append(row)
    ordered = [added[event.stream_id].popleft() for event in events]
    _wake_readers(events, payloads, ordered)
    return tuple(Place(row["staff_seq"], row["public_seq"]) for row in ordered)


def _wake_readers(events: Sequence[NewEvent], payloads: Sequence[bytes], rows: Sequence[Any]) -> None:
    """Send one wake for each stream after the commit."""
    additions: dict[UUID, list[WakeEvent]] = {}
    heads: dict[UUID, Any] = {}
    for event, payload, row in zip(events, payloads, rows, strict=True):
        heads[event.stream_id] = row
        additions.setdefault(event.stream_id, []).append(
            WakeEvent(
                row["staff_seq"],
                row["public_seq"],
                event.kind,
                msgspec.Raw(payload),
                event.client_id,
                row["created_at"],
            )
        )
    for stream_id, row in heads.items():
        head = (row["epoch"], row["staff_head"], row["public_head"])
        wake_after_commit(Wake(current_workspace(), stream_id, *head, tuple(additions[stream_id])))


async def read_events(
    stream_id: UUID, audience: Audience, after: int, limit: int = 100
) -> tuple[LiveEvent, ...]:
    """Return the events of an audience after a place, the oldest first; none for an unknown stream."""
    sql = _SELECT_PUBLIC if audience is Audience.PUBLIC else _SELECT_STAFF
    rows = await fetch(sql, current_workspace(), stream_id, after, limit)
    return tuple(
        LiveEvent(
            row["seq"],
            row["kind"],
            msgspec.json.decode(row["payload"]),
            row["client_id"],
            row["created_at"],
        )
        for row in rows
    )


async def load_heads(stream_id: UUID) -> Heads | None:
    """Return the heads of a stream, or None if it does not exist."""
    row = await fetch_one(_SELECT_HEADS, current_workspace(), stream_id)
    return None if row is None else Heads(row["epoch"], row["staff_head"], row["public_head"])


async def change_epochs() -> int:
    """Give every stream of the bound workspace another epoch; returns how many there are.

    After a restore that took events away, their places will be those of other events: readers must start anew.
    """
    tag = await execute(_CHANGE_EPOCHS, current_workspace())
    return int(tag.rpartition(" ")[2])
