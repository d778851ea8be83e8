"""What the relay does to the table, as role svc across workspaces: finds due jobs, buries the poisonous, prunes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.ids import WorkspaceId
from kernel.store import execute, fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Jobs that ended well are kept this long, for whoever asks what happened.
KEPT: Final = timedelta(days=1)
_POISON: Final = "The worker that held it died each time, or was cut off."

# A bell that was rung and not answered is rung again: Redis may have lost it. SKIP LOCKED lets relays share.
_TAKE: Final = """
UPDATE job SET dispatched_at = clock_timestamp()
FROM (
    SELECT workspace_id, job_id FROM job
    WHERE state IN ('queued', 'running') AND run_at <= now() AND queue <> ALL ($2)
      AND (dispatched_at IS NULL OR dispatched_at < now() - $1::interval
           OR state = 'running' AND dispatched_at < lease_until)
      AND (state = 'queued' OR lease_until < now() AND attempts < max_attempts)
    ORDER BY run_at LIMIT $3 FOR UPDATE SKIP LOCKED
) due
WHERE job.workspace_id = due.workspace_id AND job.job_id = due.job_id
RETURNING job.workspace_id, job.job_id, job.queue, job.run_at, job.dispatched_at
"""
_PUT_BACK: Final = """
UPDATE job SET dispatched_at = NULL
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS sent (workspace_id, job_id, dispatched_at)
WHERE job.workspace_id = sent.workspace_id AND job.job_id = sent.job_id
  AND job.dispatched_at = sent.dispatched_at AND job.state IN ('queued', 'running')
"""
_BURY: Final = """
UPDATE job SET state = 'dead', ended_at = clock_timestamp(), lease = NULL, lease_until = NULL,
               error = CASE error WHEN '' THEN $1 ELSE error END
FROM (
    SELECT workspace_id, job_id FROM job
    WHERE state = 'running' AND run_at <= now() AND lease_until < now() AND attempts >= max_attempts
    LIMIT 100 FOR UPDATE SKIP LOCKED
) poison
WHERE job.workspace_id = poison.workspace_id AND job.job_id = poison.job_id
RETURNING job.job_id, job.kind
"""
_PRUNE: Final = """
DELETE FROM job USING (
    SELECT workspace_id, job_id FROM job
    WHERE state = 'done' AND ended_at < now() - $1::interval LIMIT $2 FOR UPDATE SKIP LOCKED
) old
WHERE job.workspace_id = old.workspace_id AND job.job_id = old.job_id
"""
_DUE: Final = """
SELECT queue, count(*) AS due, extract(epoch FROM now() - min(run_at))::float8 AS oldest_s
FROM job
WHERE state IN ('queued', 'running') AND run_at <= now() AND (state = 'queued' OR lease_until < now())
GROUP BY queue
"""
_DEAD: Final = "SELECT kind, count(*) AS dead FROM job WHERE state = 'dead' GROUP BY kind"


@dataclass(frozen=True, slots=True)
class Due:
    """A job whose bell is to be rung."""

    workspace_id: WorkspaceId
    job_id: UUID
    queue: str
    run_at: datetime
    dispatched_at: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits now: jobs due by queue, age in seconds of the oldest by queue, dead jobs by kind."""

    due: dict[str, int]
    oldest_s: dict[str, float]
    dead: dict[str, int]


async def take_due(*, again_after: timedelta, limit: int, without: Sequence[str] = ()) -> list[Due]:
    """Mark jobs as dispatched and return them, the longest due first; commit before anything is sent.

    `again_after`: how old a bell must be that nobody answered. `without`: queues that are full.
    """
    rows = await fetch(_TAKE, again_after, list(without), limit)
    found = [Due(**row) for row in rows]
    return sorted(found, key=lambda due: due.run_at)


async def put_back(unsent: Sequence[Due]) -> None:
    """Undo `take_due` for jobs that could not be sent."""
    await execute(
        _PUT_BACK,
        [due.workspace_id for due in unsent],
        [due.job_id for due in unsent],
        [due.dispatched_at for due in unsent],
    )


async def bury() -> list[tuple[UUID, str]]:
    """Mark jobs dead whose last allowed attempt ended with the worker's death; returns (id, kind) of each."""
    return [(row["job_id"], row["kind"]) for row in await fetch(_BURY, _POISON)]


async def prune(*, limit: int, kept: timedelta = KEPT) -> int:
    """Delete jobs that were done longer than `kept` ago; returns how many. Dead ones wait for a human."""
    return int((await execute(_PRUNE, kept, limit)).rpartition(" ")[2])


async def backlog() -> Backlog:
    """Return what waits now."""
    due, dead = await fetch(_DUE), await fetch(_DEAD)
    return Backlog(
        due={row["queue"]: row["due"] for row in due},
        oldest_s={row["queue"]: row["oldest_s"] for row in due},
        dead={row["kind"]: row["dead"] for row in dead},
    )
