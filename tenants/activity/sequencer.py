"""Moves committed drafts into the event log: contiguous places and the hash chain of each workspace, as role svc."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from kernel.ids import WorkspaceId
from kernel.store import Database, Isolation, execute, fetch

BEFORE_FIRST: Final = UUID(int=0)
#: The most that one transaction places: about 0.1 s of work.
MAX_WORKSPACES: Final = 500
MAX_EVENTS: Final = 5000

# A cached plan from when the tables were empty would scan them; a process that hangs must release its locks.
_CONFIGURE_TRANSACTION: Final = """
SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL idle_in_transaction_session_timeout = '5s'
"""
# One probe of the index for each workspace that has drafts, and one where there are none.
_FIND_WORKSPACES: Final = """
WITH RECURSIVE waiting AS (
    (SELECT workspace_id, 1 AS n FROM event_draft WHERE workspace_id > $1 ORDER BY workspace_id LIMIT 1)
    UNION ALL
    SELECT other.workspace_id, n + 1 FROM waiting, LATERAL (
        SELECT workspace_id FROM event_draft WHERE workspace_id > waiting.workspace_id ORDER BY workspace_id LIMIT 1
    ) other WHERE n < $2
) SELECT workspace_id FROM waiting
"""
# Not FOR UPDATE: it would skip heads that a foreign key check has locked.
_LOCK_HEADS: Final = """
SELECT workspace_id FROM event_head WHERE workspace_id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED
"""
# A separate statement: its snapshot must be newer than the locks, or events that another sequencer has just placed
# would be placed again.
_PLACE_EVENTS: Final = """
WITH next AS (
    SELECT head.workspace_id, head.hash AS head_hash, head.place + draft.n AS place, entry, event_id, kind, payload,
           audit_only, actor_kind, actor_id, context, at
    FROM event_head head, LATERAL (
        SELECT row_number() OVER (ORDER BY entry) AS n, *
        FROM event_draft WHERE event_draft.workspace_id = head.workspace_id ORDER BY entry LIMIT $2
    ) draft WHERE head.workspace_id = ANY ($1)
), hashed AS (
    SELECT *, event_chain(head_hash, event_content(workspace_id, place, event_id, kind, payload, audit_only,
                                                actor_kind, actor_id, context, at))
              OVER (PARTITION BY workspace_id ORDER BY place) AS hash
    FROM next
), linked AS (
    SELECT *, lag(hash, 1, head_hash) OVER (PARTITION BY workspace_id ORDER BY place) AS previous_hash FROM hashed
), deleted AS (
    DELETE FROM event_draft USING linked
    WHERE event_draft.workspace_id = linked.workspace_id AND event_draft.entry = linked.entry
), inserted AS (
    INSERT INTO event (workspace_id, place, event_id, kind, payload, audit_only, actor_kind, actor_id, context, at,
                       previous_hash, hash)
    SELECT workspace_id, place, event_id, kind, payload, audit_only, actor_kind, actor_id, context, at,
           previous_hash, hash
    FROM linked
    RETURNING workspace_id, place, hash
)
UPDATE event_head head SET place = newest.place, hash = newest.hash, placed_at = now()
FROM (
    SELECT DISTINCT ON (workspace_id) *, count(*) OVER (PARTITION BY workspace_id) AS events
    FROM inserted ORDER BY workspace_id, place DESC
) newest
WHERE head.workspace_id = newest.workspace_id RETURNING newest.events
"""


async def find_workspaces_with_drafts(
    database: Database, after: UUID = BEFORE_FIRST, *, limit: int = MAX_WORKSPACES
) -> tuple[WorkspaceId, ...]:
    """Return workspaces that have drafts, by id, after `after`; as role svc."""
    async with database.unbound(isolation=Isolation.READ_COMMITTED):
        await execute(_CONFIGURE_TRANSACTION)
        return tuple(WorkspaceId(row["workspace_id"]) for row in await fetch(_FIND_WORKSPACES, after, limit))


async def place_events(
    database: Database, workspaces: Sequence[WorkspaceId], *, limit: int = MAX_EVENTS
) -> int:
    """Place the drafts of these workspaces, about `limit` at most, in one transaction; as role svc. Returns how many.

    Several may run at once, and each may be killed at any statement: one of them has the lock of a head, and an
    event that it did not commit is still a draft.
    """
    async with database.unbound(isolation=Isolation.READ_COMMITTED):
        await execute(_CONFIGURE_TRANSACTION)
        locked = [row["workspace_id"] for row in await fetch(_LOCK_HEADS, list(workspaces))]
        if not locked:
            return 0
        heads = await fetch(_PLACE_EVENTS, locked, max(1, limit // len(locked)))
    return sum(head["events"] for head in heads)
