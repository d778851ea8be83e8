"""Rows of events: the columns as Piccolo sees them; keys and constraints are in the migrations."""

from __future__ import annotations

from piccolo.columns import JSONB, UUID, BigInt, Boolean, Bytea, Text, Timestamptz
from piccolo.table import Table

from kernel.store import ENGINE


class EventDraft(Table, db=ENGINE, tablename="event_draft"):
    """An event of an open or committed transaction that has no place in the log yet."""

    workspace_id = UUID()
    entry = BigInt(primary_key=True)
    event_id = UUID()
    kind = Text()
    payload = JSONB()
    audit_only = Boolean()
    actor_kind = Text()
    actor_id = Text()
    context = JSONB()
    at = Timestamptz()


class Event(Table, db=ENGINE, tablename="event"):
    """An event at its place in the log; never updated."""

    workspace_id = UUID()
    place = BigInt(primary_key=True)
    event_id = UUID()
    kind = Text()
    payload = JSONB()
    audit_only = Boolean()
    actor_kind = Text()
    actor_id = Text()
    context = JSONB()
    at = Timestamptz()
    previous_hash = Bytea()
    hash = Bytea()


class EventHead(Table, db=ENGINE, tablename="event_head"):
    """The newest place and hash of a workspace's log, and those of the last event that retention removed."""

    workspace_id = UUID(primary_key=True)
    place = BigInt()
    hash = Bytea()
    floor_place = BigInt()
    floor_hash = Bytea()
    placed_at = Timestamptz()
