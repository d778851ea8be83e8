"""Reads logs for rooms: pages of events with epoch and head, from one snapshot; and the heads of many streams."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

import msgspec

from kernel.ids import WorkspaceId
from kernel.live.log import Audience, Heads
from kernel.store import fetch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kernel.store import Database

# One statement is one snapshot. `$5`: at most the newest `$4` events, instead of the first ones after the place.
_READ: Final = """
SELECT s.epoch, s.{log}_head AS head, e.{log}_seq AS seq, e.kind, e.payload, e.client_id, e.created_at
FROM live_stream s LEFT JOIN LATERAL (
    SELECT * FROM live_event
    WHERE workspace_id = $1 AND stream_id = $2
      AND {log}_seq > CASE WHEN $5 THEN greatest($3, s.{log}_head - $4) ELSE $3 END
    ORDER BY {log}_seq LIMIT $4
) e ON true
WHERE s.workspace_id = $1 AND s.stream_id = $2 ORDER BY seq
"""
_READ_STAFF: Final = _READ.format(log="staff")
_READ_PUBLIC: Final = _READ.format(log="public")
_LOAD_HEADS: Final = "SELECT * FROM portal_live_heads($1, $2)"
_MAX_PLACE: Final = 2**62

StreamKey = tuple[WorkspaceId, UUID]


@dataclass(frozen=True, slots=True)
class LogKey:
    """Which log a reader follows."""

    workspace_id: WorkspaceId
    stream_id: UUID
    audience: Audience


@dataclass(frozen=True, slots=True)
class Record:
    """An event at its place in one log; `payload` is JSON."""

    seq: int
    kind: str
    payload: msgspec.Raw
    client_id: str | None
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Events of a log in order, without a gap, and its epoch and head at that moment."""

    epoch: UUID
    head: int
    records: tuple[Record, ...]


class Reader(Protocol):
    """What rooms read from."""

    async def read_after(self, key: LogKey, after: int, limit: int) -> Page | None:
        """Return the first events after a place; None for an unknown stream."""
        ...

    async def read_newest(self, key: LogKey, after: int, limit: int) -> Page | None:
        """Return the newest events, at most `limit`, those after a place only; None for an unknown stream."""
        ...

    async def load_heads(self, streams: Iterable[StreamKey]) -> Mapping[StreamKey, Heads]:
        """Return the heads of many streams of any workspaces; unknown ones are left out."""
        ...


class DatabaseReader:
    """Reads from Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read_after(self, key: LogKey, after: int, limit: int) -> Page | None:
        """Return the first events after a place; None for an unknown stream."""
        return await self._read(key, after, limit, newest=False)

    async def read_newest(self, key: LogKey, after: int, limit: int) -> Page | None:
        """Return the newest events, at most `limit`, those after a place only; None for an unknown stream."""
        return await self._read(key, after, limit, newest=True)

    async def load_heads(self, streams: Iterable[StreamKey]) -> Mapping[StreamKey, Heads]:
        """Return the heads of many streams of any workspaces in one call; unknown ones are left out."""
        wanted = list(streams)
        async with self._database.unbound(read_only=True):
            rows = await fetch(
                _LOAD_HEADS,
                [workspace_id for workspace_id, _ in wanted],
                [stream_id for _, stream_id in wanted],
            )
        return {
            (WorkspaceId(row["workspace_id"]), row["stream_id"]): Heads(
                row["epoch"], row["staff_head"], row["public_head"]
            )
            for row in rows
        }

    async def _read(self, key: LogKey, after: int, limit: int, *, newest: bool) -> Page | None:
        sql = _READ_PUBLIC if key.audience is Audience.PUBLIC else _READ_STAFF
        async with self._database.scope(key.workspace_id, read_only=True):
            rows = await fetch(
                sql, key.workspace_id, key.stream_id, max(0, min(after, _MAX_PLACE)), limit, newest
            )
        if not rows:
            return None
        records = tuple(
            Record(
                row["seq"],
                row["kind"],
                msgspec.Raw(row["payload"].encode()),
                row["client_id"],
                row["created_at"],
            )
            for row in rows
            if row["seq"] is not None
        )
        return Page(rows[0]["epoch"], rows[0]["head"], records)
