"""Reads of the inbox: one event, and how far behind the inbox is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from kernel.errors import Missing
from kernel.ids import WorkspaceId
from kernel.store import current_workspace, fetch, fetch_one
from tenants.connect.inbox.tables import StripeInbox
from tenants.connect.inbox.values import EventScope, EventSource, EventState, EventSubject, StoredEvent

if TYPE_CHECKING:
    from tenants.connect.inbox.jobs import ApplyStripeEvent

# The oldest is read by its index; parked events are few, or somebody is paged.
_MEASURE: Final = """
SELECT coalesce(clock_timestamp() - (SELECT min(received_at) FROM stripe_inbox WHERE state = 'received'),
                interval '0') AS oldest,
       (SELECT count(*) FROM stripe_inbox WHERE state = 'parked') AS parked
"""
_LIST_CONNECTED: Final = """
SELECT DISTINCT workspace_id FROM stripe_connection
WHERE account_id IS NOT NULL AND workspace_id > $1 ORDER BY workspace_id LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class InboxLag:
    """How far behind the inbox is: the age of the oldest event that waits, and how many are parked."""

    oldest: dt.timedelta
    parked: int


async def load_event(job: ApplyStripeEvent) -> StoredEvent:
    """Return the event of a job, in the bound workspace; Missing("stripe_event.not_found")."""
    row = (
        await StripeInbox.select()
        .where(
            StripeInbox.workspace_id == current_workspace(),
            StripeInbox.scope == job.scope,
            StripeInbox.account_id == job.account_id,
            StripeInbox.event_id == job.event_id,
        )
        .first()
    )
    if row is None:
        raise Missing("stripe_event.not_found", "There is no such event in the inbox.")
    return _read_event(row)


async def list_connected_workspaces(*, after: UUID, limit: int) -> tuple[WorkspaceId, ...]:
    """Return workspaces that have, or had, an account at Stripe, by id, as role svc."""
    return tuple(WorkspaceId(row["workspace_id"]) for row in await fetch(_LIST_CONNECTED, after, limit))


async def measure_lag() -> InboxLag:
    """Measure the inbox over all workspaces, as role svc."""
    row = await fetch_one(_MEASURE)
    return InboxLag(row["oldest"], row["parked"])


def _read_event(row: dict[str, Any]) -> StoredEvent:
    return StoredEvent(
        scope=EventScope(row["scope"]),
        event_id=row["event_id"],
        kind=row["kind"],
        account_id=row["account_id"],
        subject=EventSubject(row["subject"]),
        intent_id=row["intent_id"],
        source=EventSource(row["source"]),
        state=EventState(row["state"]),
        occurred_at=row["occurred_at"],
    )
