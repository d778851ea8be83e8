"""Writes of the inbox: store an event with its job, end it, park it, remove old ones."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from kernel.jobs import enqueue
from kernel.jobs.job import encode_job
from kernel.store import current_workspace, execute, fetch, fetch_one
from kernel.telemetry.logs import current_request_id
from tenants.connect.inbox.jobs import ApplyStripeEvent
from tenants.connect.inbox.values import EventSource, EventState, EventSubject, ReceiptResult, VerifiedEvent

if TYPE_CHECKING:
    from kernel.store import Database
    from tenants.connect.inbox.values import StoredEvent

_RECEIVE: Final = """
SELECT receive_stripe_event($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) AS result
"""
_END: Final = """
UPDATE stripe_inbox SET state = $5, ended_at = now(), error = $6
WHERE workspace_id = $1 AND scope = $2 AND account_id = $3 AND event_id = $4
"""
_REOPEN: Final = """
UPDATE stripe_inbox SET state = 'received', ended_at = NULL, error = ''
WHERE workspace_id = $1 AND account_id = $2 AND state = 'applied' AND error = $3
RETURNING scope, event_id
"""
# Stripe keeps events for 30 days: its list has none that is older than those that are kept here.
_PRUNE: Final = """
DELETE FROM stripe_inbox WHERE workspace_id = $1 AND state = 'applied' AND ended_at < now() - $2::interval
"""
RETENTION: Final = dt.timedelta(days=60)
_MAX_ERROR_LENGTH: Final = 200
_NO_ACCESS: Final = "payment.account_revoked"


async def receive(database: Database, event: VerifiedEvent, *, is_live: bool) -> ReceiptResult:
    """Store a delivered event and the job that applies it, unless there is nothing to apply.

    `is_live` is the mode of our key. The workspace is that of the event's account, whatever else the event says.
    One round trip, outside any unit of work. Raises Unavailable as `Database.fetch_autocommit` does.
    """
    if event.subject is EventSubject.NONE:
        return ReceiptResult.UNUSED
    if event.is_live != is_live:
        return ReceiptResult.OTHER_LIVEMODE
    row = await database.fetch_autocommit(
        _RECEIVE, *_build_values(event, EventSource.DELIVERY), read_only=False
    )
    return ReceiptResult(row["result"])


async def add_listed_event(event: VerifiedEvent) -> ReceiptResult:
    """Store an event of the bound workspace's account that Stripe's list has, unless it was delivered."""
    if event.subject is EventSubject.NONE:
        return ReceiptResult.UNUSED
    row = await fetch_one(_RECEIVE, *_build_values(event, EventSource.RECONCILER))
    return ReceiptResult(row["result"])


async def mark_applied(event: StoredEvent) -> None:
    """End an event, in the unit of work that applies it."""
    await _end(event, EventState.APPLIED, "")


async def mark_unread(event: StoredEvent) -> None:
    """End an event whose object cannot be read, since Stripe refuses us the account, until `reopen_events`."""
    await _end(event, EventState.APPLIED, _NO_ACCESS)


async def reopen_events(account_id: str) -> int:
    """Apply the events that `mark_unread` ended, once there is access to the account again; returns how many.

    Stripe's list has them too, and yet the inbox would take them for known.
    """
    rows = await fetch(_REOPEN, current_workspace(), account_id, _NO_ACCESS)
    for row in rows:
        await enqueue(ApplyStripeEvent(scope=row["scope"], account_id=account_id, event_id=row["event_id"]))
    return len(rows)


async def park(event: StoredEvent, reason: str) -> None:
    """Set an event aside that leads to something this release does not know; `reason` is a stable code."""
    await _end(event, EventState.PARKED, reason)


async def prune_inbox() -> None:
    """Remove the bound workspace's events that were applied long ago."""
    await execute(_PRUNE, current_workspace(), RETENTION)


def _build_values(event: VerifiedEvent, source: EventSource) -> tuple[object, ...]:
    job = ApplyStripeEvent(scope=event.scope, account_id=event.account_id, event_id=event.event_id)
    return (
        event.scope,
        event.account_id,
        event.event_id,
        event.kind,
        event.subject,
        event.intent_id,
        event.is_live,
        source,
        event.occurred_at,
        job.kind,
        job.queue,
        encode_job(job),
        job.dedupe_key(),
        job.max_attempts,
        current_request_id(),
    )


async def _end(event: StoredEvent, state: EventState, error: str) -> None:
    await execute(
        _END,
        current_workspace(),
        event.scope,
        event.account_id,
        event.event_id,
        state,
        error[:_MAX_ERROR_LENGTH],
    )
