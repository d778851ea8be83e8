"""Reads and verifies the event log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel.actor import Actor, ActorKind
from kernel.ids import WorkspaceId
from kernel.store import current_workspace, fetch, fetch_value
from tenants.activity.tables import Event as EventRow

# Reads the whole log once: a million events in some seconds. $2, $3: anchors.
_SELECT_FAULTS: Final = """
WITH head AS (
    SELECT * FROM event_head WHERE workspace_id = $1
), entry AS (
    SELECT event.*, head.place AS head_place, lag(event.place, 1, floor_place) OVER chain + 1 AS expected_place,
           lag(event.hash, 1, floor_hash) OVER chain AS expected_previous_hash
    FROM event JOIN head ON head.workspace_id = event.workspace_id WINDOW chain AS (ORDER BY event.place)
), anchor AS (
    SELECT place, hash FROM head UNION SELECT * FROM unnest($2::bigint[], $3::bytea[])
)
SELECT place, CASE WHEN place <> expected_place THEN 'row_missing'
                   WHEN previous_hash <> expected_previous_hash THEN 'row_replaced'
                   WHEN place > head_place THEN 'not_placed'
                   ELSE 'row_changed' END AS kind
FROM entry WHERE place <> expected_place OR previous_hash <> expected_previous_hash OR place > head_place
   OR hash <> sha256(previous_hash || event_content(workspace_id, place, event_id, kind, payload, audit_only,
                                                    actor_kind, actor_id, context, at))
UNION ALL
SELECT anchor.place, 'anchor_differs' FROM head, anchor
WHERE (anchor.place, anchor.hash) <> (floor_place, floor_hash) AND NOT EXISTS (
    SELECT FROM event
    WHERE event.workspace_id = head.workspace_id AND event.place = anchor.place AND event.hash = anchor.hash)
UNION ALL
SELECT 0, 'head_missing' WHERE NOT EXISTS (SELECT FROM head)
ORDER BY 1, 2
"""
_SELECT_DRAFT_AGE: Final = """
SELECT coalesce(clock_timestamp() - min(at), interval '0') FROM event_draft
"""
_SELECT_ANCHORS: Final = """
SELECT workspace_id, place, encode(hash, 'hex') AS hash FROM event_head
WHERE place > 0 AND placed_at > now() - $1::interval ORDER BY workspace_id
"""


class FaultKind(StrEnum):
    """How the log differs from what the sequencer wrote."""

    ROW_MISSING = "row_missing"
    """The row before this place is not there."""
    ROW_REPLACED = "row_replaced"
    """The row before this place has another hash than this row names."""
    ROW_CHANGED = "row_changed"
    """The row does not have the content of its hash."""
    NOT_PLACED = "not_placed"
    """The row is beyond the end of the log."""
    ANCHOR_DIFFERS = "anchor_differs"
    """The log's head, or an anchor written elsewhere, refers to a row that is not there."""
    HEAD_MISSING = "head_missing"
    """The log has no head: nothing in it can be verified."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The place and hash (hexadecimal) at which a log once ended. Stored elsewhere, it reveals a rewritten chain."""

    workspace_id: WorkspaceId
    place: int
    hash: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One finding of `verify`, at a place of the log."""

    place: int
    kind: FaultKind


@dataclass(frozen=True, slots=True)
class PlacedEvent:
    """An event at its place in the log of its workspace."""

    place: int
    event_id: UUID
    kind: str
    at: datetime
    actor: Actor
    request_id: str
    audit_only: bool
    payload: dict[str, Any]


async def list_events(
    *, audit: bool, kind: str | None = None, since: datetime | None = None, limit: int = 100
) -> tuple[PlacedEvent, ...]:
    """Return the newest events, the newest first; with `audit` also those that changed nothing (refusals)."""
    query = EventRow.select().where(EventRow.workspace_id == current_workspace())
    if not audit:
        query = query.where(EventRow.audit_only.eq(value=False))
    if kind is not None:
        query = query.where(EventRow.kind == kind)
    if since is not None:
        query = query.where(EventRow.at >= since)
    rows = await query.order_by(EventRow.place, ascending=False).limit(limit)
    return tuple(_read_event(row) for row in rows)


async def verify(anchors: Sequence[Anchor] = ()) -> tuple[Fault, ...]:
    """Return every difference between the log of the bound workspace and what the sequencer wrote, by place.

    A role that may write all tables can rewrite a chain: only `anchors` that are stored elsewhere reveal it.
    They must be younger than the retention (`actions.RETENTION`): an older one may name an event that was pruned.
    """
    workspace_id = current_workspace()
    own_anchors = [anchor for anchor in anchors if anchor.workspace_id == workspace_id]
    places = [anchor.place for anchor in own_anchors]
    hashes = [bytes.fromhex(anchor.hash) for anchor in own_anchors]
    rows = await fetch(_SELECT_FAULTS, workspace_id, places, hashes)
    return tuple(Fault(row["place"], FaultKind(row["kind"])) for row in rows)


async def list_anchors(*, within: timedelta) -> tuple[Anchor, ...]:
    """Return an anchor of every log to which events were added within that time; as role svc."""
    rows = await fetch(_SELECT_ANCHORS, within)
    return tuple(Anchor(WorkspaceId(row["workspace_id"]), row["place"], row["hash"]) for row in rows)


async def measure_draft_age() -> timedelta:
    """Return the age of the oldest draft of all workspaces, zero without drafts; as role svc."""
    age: timedelta = await fetch_value(_SELECT_DRAFT_AGE)
    return age


def _read_event(row: dict[str, Any]) -> PlacedEvent:
    context: dict[str, str] = msgspec.json.decode(row["context"])
    return PlacedEvent(
        place=row["place"],
        event_id=row["event_id"],
        kind=row["kind"],
        at=row["at"],
        actor=Actor(
            ActorKind(row["actor_kind"]),
            row["actor_id"],
            name=context.get("name", ""),
            link_id=context.get("link_id", ""),
            session_id=context.get("session_id", ""),
            address_prefix=context.get("address_prefix", ""),
        ),
        request_id=context.get("request_id", ""),
        audit_only=row["audit_only"],
        payload=msgspec.json.decode(row["payload"]),
    )
