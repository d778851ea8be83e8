"""Writes of the activity log: events with the action that they tell of, refusals after it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from kernel.actor import Actor
from kernel.clock import Clock
from kernel.errors import PortalError
from kernel.ids import WorkspaceId
from kernel.store import (
    Database,
    current_actor,
    current_workspace,
    execute,
    fetch_value,
    notify_after_commit,
)
from kernel.telemetry.logs import current_request_id
from tenants.activity.events import ActionRefused, Event, encode

# Not Piccolo's insert: it returns the key, and app may not read drafts.
_EMIT: Final = """
INSERT INTO event_draft (workspace_id, kind, payload, audit_only, actor_kind, actor_id, context)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# Nor here: it names all columns, and app may set none but this.
_CREATE_HEAD: Final = "INSERT INTO event_head (workspace_id) VALUES ($1)"
_PRUNE: Final = "SELECT portal_prune_events($1, $2)"

#: How long events are stored, in every workspace.
RETENTION: Final = timedelta(days=730)
#: Of one pruning: some seconds. More of a day is left for the next day.
_PRUNED_AT_ONCE: Final = 100_000


async def emit(event: Event) -> None:
    """Write an event into the open unit of work: the last statement of an action, after the writes it tells of.

    Of two actions that wait for the same row the later one then emits later. The actor is the unit's, the request
    id that of the log context. Raises NoUnitOfWork and NoActor.
    """
    actor = current_actor()
    await execute(
        _EMIT,
        current_workspace(),
        event.kind,
        encode(event),
        event.audit_only,
        actor.kind.value,
        actor.id,
        _context(actor),
    )
    # The sequencer polls; this only makes it sooner.
    notify_after_commit()


async def audit_refusal(
    database: Database,
    workspace_id: WorkspaceId,
    error: PortalError,
    *,
    action: str,
    actor: Actor | None = None,
) -> None:
    """Record that an action was refused, in a unit of work of its own: the action's own was rolled back.

    Only the error's code is stored: its words and data may repeat what was sent. Raises NestedUnitOfWork inside a unit
    of work, NoActor, and what `Database.scope` raises.
    """
    async with database.scope(workspace_id, actor=actor):
        await emit(ActionRefused(action=action, error_code=error.code))


async def create_event_head() -> None:
    """Begin the log of the bound workspace, with the workspace: drafts without a head are never placed."""
    await execute(_CREATE_HEAD, current_workspace())


async def prune_events(*, clock: Clock) -> int:
    """Remove the bound workspace's events that are older than `RETENTION`, oldest first; returns how many.

    The log's head keeps the place and hash of the last one, so that the rest can still be verified.
    """
    return int(await fetch_value(_PRUNE, clock.now() - RETENTION, _PRUNED_AT_ONCE))


def _context(actor: Actor) -> str:
    known = {
        "name": actor.name,
        "link_id": actor.link_id,
        "session_id": actor.session_id,
        "address_prefix": actor.address_prefix,
        "request_id": current_request_id(),
    }
    return msgspec.json.encode({name: value for name, value in known.items() if value}).decode()
