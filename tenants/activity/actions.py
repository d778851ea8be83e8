"""Writes events of actions and of refused actions, creates and prunes event logs."""

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
    publish_after_commit,
)
from kernel.telemetry.logs import current_request_id
from kernel.wakeup import EVENTS_CHANNEL
from tenants.activity.events import ActionRefused, Event, encode

# Not Piccolo's insert: it returns the key, and app may not read drafts.
_INSERT_DRAFT: Final = """
INSERT INTO event_draft (workspace_id, kind, payload, audit_only, actor_kind, actor_id, context)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# Not Piccolo's insert: it names all columns, and app may set only this one.
_INSERT_HEAD: Final = "INSERT INTO event_head (workspace_id) VALUES ($1)"
_PRUNE_EVENTS: Final = "SELECT portal_prune_events($1, $2)"

#: How long events are stored, in every workspace.
RETENTION: Final = timedelta(days=730)
#: In one call, which takes some seconds; the next day's call removes the rest.
_MAX_PRUNED_EVENTS: Final = 100_000


async def emit(event: Event) -> None:
    """Write an event into the open unit of work: the last statement of an action, after its writes.

    Actions that lock the same row then emit in the order in which they get the lock. The actor is the unit's, the
    request id that of the log context. Raises NoUnitOfWork and NoActor.
    """
    actor = current_actor()
    await execute(
        _INSERT_DRAFT,
        current_workspace(),
        event.kind,
        encode(event),
        event.audit_only,
        actor.kind.value,
        actor.id,
        _encode_context(actor),
    )
    # The sequencer polls, too: this only shortens the delay.
    publish_after_commit(EVENTS_CHANNEL, b"")


async def audit_refusal(
    database: Database,
    workspace_id: WorkspaceId,
    error: PortalError,
    *,
    action: str,
    actor: Actor | None = None,
) -> None:
    """Record that an action was refused, in a new unit of work, because the action's was rolled back.

    Only the error's code is stored: its message and data may contain input. Raises NestedUnitOfWork inside a unit
    of work, NoActor, and what `Database.scope` raises.
    """
    async with database.scope(workspace_id, actor=actor):
        await emit(ActionRefused(action=action, error_code=error.code))


async def create_event_head() -> None:
    """Create the head of the bound workspace's log; the sequencer places no drafts without it."""
    await execute(_INSERT_HEAD, current_workspace())


async def prune_events(*, clock: Clock) -> int:
    """Remove the bound workspace's events that are older than `RETENTION`, oldest first; returns how many.

    The log's head keeps the place and hash of the last one, so that the remaining events can be verified.
    """
    return int(await fetch_value(_PRUNE_EVENTS, clock.now() - RETENTION, _MAX_PRUNED_EVENTS))


def _encode_context(actor: Actor) -> str:
    fields = {
        "name": actor.name,
        "link_id": actor.link_id,
        "session_id": actor.session_id,
        "address_prefix": actor.address_prefix,
        "request_id": current_request_id(),
    }
    return msgspec.json.encode({name: value for name, value in fields.items() if value}).decode()
