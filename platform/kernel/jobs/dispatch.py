"""Statements of the relay, as role svc across workspaces: dispatch due jobs, mark crashed ones dead, prune."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.ids import WorkspaceId
from kernel.store import execute, fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How long done jobs are kept, for operators.
RETENTION: Final = timedelta(days=1)
#: Less than the id of each workspace.
LOWEST_ID: Final = UUID(int=0)
_CRASHED: Final = "The worker died or was stopped during every attempt."

# A notification that led to no claim is sent again: Redis may have lost it.
_RESET_DISPATCHED: Final = """
WITH unclaimed AS (
    SELECT workspace_id, job_id FROM job
    WHERE state = 'queued' AND dispatched_at IS NOT NULL AND dispatched_at < now() - $1::interval
    LIMIT 1000 FOR UPDATE SKIP LOCKED
), abandoned AS (
    SELECT workspace_id, job_id FROM job
    WHERE state = 'running' AND lease_until < now() AND attempts < max_attempts
      AND (dispatched_at < lease_until OR dispatched_at < now() - $1::interval)
    LIMIT 1000 FOR UPDATE SKIP LOCKED
)
UPDATE job SET dispatched_at = NULL
FROM (SELECT * FROM unclaimed UNION ALL SELECT * FROM abandoned) again
WHERE job.workspace_id = again.workspace_id AND job.job_id = again.job_id
"""
_IS_DUE: Final = "state IN ('queued', 'running') AND dispatched_at IS NULL AND run_at <= now()"
# One index probe for each queue, however many jobs are due in it.
_DUE_QUEUES: Final = f"""
WITH RECURSIVE known AS (
    (SELECT queue FROM job WHERE {_IS_DUE} ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT following.queue FROM known, LATERAL (
        SELECT queue FROM job WHERE {_IS_DUE} AND queue > known.queue ORDER BY queue LIMIT 1
    ) following
)
SELECT queue FROM known
"""  # noqa: S608  -- made of constants
# Round-robin over the workspaces. `later` and `earlier` find the workspaces after $2 and then those up to $2, by one
# index probe each; `due` some jobs of each, the oldest first; `chosen` takes the first job of each workspace, then the
# second of each, and so on. SKIP LOCKED lets several relays work at once.
_DISPATCH_DUE: Final = f"""
WITH RECURSIVE later AS (
    (SELECT workspace_id, 1 AS n FROM job WHERE {_IS_DUE} AND queue = $1 AND workspace_id > $2
     ORDER BY workspace_id LIMIT 1)
    UNION ALL
    SELECT following.workspace_id, n + 1 FROM later, LATERAL (
        SELECT workspace_id FROM job WHERE {_IS_DUE} AND queue = $1 AND workspace_id > later.workspace_id
        ORDER BY workspace_id LIMIT 1
    ) following
    WHERE n < $3
), earlier AS (
    (SELECT workspace_id, 1 AS n FROM job WHERE {_IS_DUE} AND queue = $1 AND workspace_id <= $2
     ORDER BY workspace_id LIMIT 1)
    UNION ALL
    SELECT following.workspace_id, n + 1 FROM earlier, LATERAL (
        SELECT workspace_id FROM job
        WHERE {_IS_DUE} AND queue = $1 AND workspace_id > earlier.workspace_id AND workspace_id <= $2
        ORDER BY workspace_id LIMIT 1
    ) following
    WHERE n < $3
), workspaces AS (
    SELECT workspace_id, row_number() OVER (ORDER BY part, n) AS position, count(*) OVER () AS number
    FROM (SELECT 0 AS part, n, workspace_id FROM later UNION ALL SELECT 1, n, workspace_id FROM earlier) parts
    ORDER BY part, n LIMIT $3
), due AS (
    SELECT oldest.*, position, row_number() OVER (PARTITION BY workspaces.workspace_id ORDER BY run_at) AS turn
    FROM workspaces, LATERAL (
        SELECT workspace_id, job_id, run_at FROM job
        WHERE {_IS_DUE} AND queue = $1 AND workspace_id = workspaces.workspace_id
          AND (state = 'queued' OR lease_until < now() AND attempts < max_attempts)
        ORDER BY run_at LIMIT least($3, 4 * ($3 + number - 1) / number)
    ) oldest
), chosen AS (
    SELECT workspace_id, job_id, turn, position FROM due ORDER BY turn, position LIMIT $3
), locked AS (
    SELECT job.workspace_id, job.job_id, turn, position
    FROM chosen JOIN job ON job.workspace_id = chosen.workspace_id AND job.job_id = chosen.job_id
    -- No condition of a partial index, which a planner without statistics could prefer to the primary key.
    WHERE job.state NOT IN ('done', 'dead') AND job.dispatched_at IS NULL FOR UPDATE OF job SKIP LOCKED
)
UPDATE job SET dispatched_at = clock_timestamp()
FROM locked
WHERE job.workspace_id = locked.workspace_id AND job.job_id = locked.job_id
RETURNING job.workspace_id, job.job_id, job.queue, job.run_at, job.dispatched_at, turn, position
"""  # noqa: S608  -- made of constants
_UNDO_DISPATCH: Final = """
UPDATE job SET dispatched_at = NULL
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS sent (workspace_id, job_id, dispatched_at)
WHERE job.workspace_id = sent.workspace_id AND job.job_id = sent.job_id
  AND job.dispatched_at = sent.dispatched_at AND (job.state = 'queued' OR job.state = 'running' AND lease_until < now())
"""
_MARK_DEAD: Final = """
UPDATE job SET state = 'dead', ended_at = clock_timestamp(), lease = NULL, lease_until = NULL,
               error = CASE error WHEN '' THEN $1 ELSE error END
FROM (
    SELECT workspace_id, job_id FROM job
    WHERE state = 'running' AND lease_until < now() AND attempts >= max_attempts
    LIMIT 100 FOR UPDATE SKIP LOCKED
) crashed
WHERE job.workspace_id = crashed.workspace_id AND job.job_id = crashed.job_id
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
FROM (
    SELECT queue, run_at FROM job
    WHERE state IN ('queued', 'running') AND dispatched_at IS NULL AND state = 'queued' AND run_at <= now()
    UNION ALL
    SELECT queue, run_at FROM job WHERE state = 'queued' AND dispatched_at IS NOT NULL AND run_at <= now()
    UNION ALL
    SELECT queue, run_at FROM job WHERE state = 'running' AND lease_until < now()
) waits
GROUP BY queue
"""
_DEAD: Final = "SELECT kind, count(*) AS dead FROM job WHERE state = 'dead' GROUP BY kind"


@dataclass(frozen=True, slots=True)
class DueJob:
    """A job whose worker is to be notified."""

    workspace_id: WorkspaceId
    job_id: UUID
    queue: str
    run_at: datetime
    dispatched_at: datetime


_DUE_JOB_FIELDS: Final = tuple(each.name for each in fields(DueJob))


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs to notify workers of, in this order, and the last workspace of the round-robin."""

    jobs: tuple[DueJob, ...]
    last_workspace_id: UUID


@dataclass(frozen=True, slots=True)
class Backlog:
    """Due jobs by queue, age in seconds of the oldest by queue, dead jobs by kind."""

    due: dict[str, int]
    oldest_s: dict[str, float]
    dead: dict[str, int]


async def reset_dispatched(*, older_than: timedelta) -> None:
    """Make jobs due again that were not claimed within `older_than`, or whose lease has expired."""
    await execute(_RESET_DISPATCHED, older_than)


async def find_due_queues() -> list[str]:
    """Return the queues in which jobs are due and not dispatched."""
    return [row["queue"] for row in await fetch(_DUE_QUEUES)]


async def dispatch_due(queue: str, *, limit: int, after: UUID = LOWEST_ID) -> Batch:
    """Mark jobs of a queue as dispatched and return them; the caller commits before it notifies workers of them.

    Round-robin over the workspaces, from the one after `after`; of each the job that is due longest comes first.
    """
    if limit < 1:
        return Batch((), after)
    rows = sorted(
        await fetch(_DISPATCH_DUE, queue, after, limit), key=lambda row: (row["turn"], row["position"])
    )
    last = max(rows, key=lambda row: row["position"], default=None)
    jobs = tuple(DueJob(**{name: row[name] for name in _DUE_JOB_FIELDS}) for row in rows)
    return Batch(jobs, after if last is None else last["workspace_id"])


async def undo_dispatch(unsent: Sequence[DueJob]) -> None:
    """Undo `dispatch_due` for jobs whose notification could not be sent."""
    await execute(
        _UNDO_DISPATCH,
        [job.workspace_id for job in unsent],
        [job.job_id for job in unsent],
        [job.dispatched_at for job in unsent],
    )


async def mark_crashed_dead() -> list[tuple[UUID, str]]:
    """Mark jobs dead whose worker died during the last allowed attempt; returns (id, kind) of each."""
    return [(row["job_id"], row["kind"]) for row in await fetch(_MARK_DEAD, _CRASHED)]


async def prune(*, limit: int, retention: timedelta = RETENTION) -> int:
    """Delete jobs that were done longer than `retention` ago; returns how many. Dead jobs stay."""
    return int((await execute(_PRUNE, retention, limit)).rpartition(" ")[2])


async def measure_backlog() -> Backlog:
    """Count due and dead jobs."""
    due, dead = await fetch(_DUE), await fetch(_DEAD)
    return Backlog(
        due={row["queue"]: row["due"] for row in due},
        oldest_s={row["queue"]: row["oldest_s"] for row in due},
        dead={row["kind"]: row["dead"] for row in dead},
    )
