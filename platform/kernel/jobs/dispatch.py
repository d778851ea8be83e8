"""What the relay does to the table, as role svc across workspaces: finds due jobs, buries the poisonous, prunes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.ids import WorkspaceId
from kernel.store import execute, fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Jobs that ended well are kept this long, for whoever asks what happened.
KEPT: Final = timedelta(days=1)
#: Before every workspace.
FIRST: Final = UUID(int=0)
_POISON: Final = "The worker that held it died each time, or was cut off."

# A bell that was rung and not answered is rung again: Redis may have lost it.
_RECALL: Final = """
WITH silent AS (
    SELECT workspace_id, job_id FROM job
    WHERE state = 'queued' AND dispatched_at IS NOT NULL AND dispatched_at < now() - $1::interval
    LIMIT 1000 FOR UPDATE SKIP LOCKED
), orphaned AS (
    SELECT workspace_id, job_id FROM job
    WHERE state = 'running' AND lease_until < now() AND attempts < max_attempts
      AND (dispatched_at < lease_until OR dispatched_at < now() - $1::interval)
    LIMIT 1000 FOR UPDATE SKIP LOCKED
)
UPDATE job SET dispatched_at = NULL
FROM (SELECT * FROM silent UNION ALL SELECT * FROM orphaned) again
WHERE job.workspace_id = again.workspace_id AND job.job_id = again.job_id
"""
_WAITING: Final = "state IN ('queued', 'running') AND dispatched_at IS NULL AND run_at <= now()"
# One probe of the index for each queue, however many jobs wait in it.
_QUEUES: Final = f"""
WITH RECURSIVE known AS (
    (SELECT queue FROM job WHERE {_WAITING} ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT following.queue FROM known, LATERAL (
        SELECT queue FROM job WHERE {_WAITING} AND queue > known.queue ORDER BY queue LIMIT 1
    ) following
)
SELECT queue FROM known
"""  # noqa: S608  -- made of constants
# Workspaces take turns: first whose turn is next after $2, by one probe of the index each, then some jobs of each, the
# oldest first, and of these one of each workspace in turn. SKIP LOCKED lets relays share.
_TAKE: Final = f"""
WITH RECURSIVE later AS (
    (SELECT workspace_id, 1 AS n FROM job WHERE {_WAITING} AND queue = $1 AND workspace_id > $2
     ORDER BY workspace_id LIMIT 1)
    UNION ALL
    SELECT following.workspace_id, n + 1 FROM later, LATERAL (
        SELECT workspace_id FROM job WHERE {_WAITING} AND queue = $1 AND workspace_id > later.workspace_id
        ORDER BY workspace_id LIMIT 1
    ) following
    WHERE n < $3
), earlier AS (
    (SELECT workspace_id, 1 AS n FROM job WHERE {_WAITING} AND queue = $1 AND workspace_id <= $2
     ORDER BY workspace_id LIMIT 1)
    UNION ALL
    SELECT following.workspace_id, n + 1 FROM earlier, LATERAL (
        SELECT workspace_id FROM job
        WHERE {_WAITING} AND queue = $1 AND workspace_id > earlier.workspace_id AND workspace_id <= $2
        ORDER BY workspace_id LIMIT 1
    ) following
    WHERE n < $3
), turn AS (
    SELECT workspace_id, row_number() OVER (ORDER BY lap, n) AS place, count(*) OVER () AS others
    FROM (SELECT 0 AS lap, n, workspace_id FROM later UNION ALL SELECT 1, n, workspace_id FROM earlier) laps
    ORDER BY lap, n LIMIT $3
), due AS (
    SELECT found.*, place, row_number() OVER (PARTITION BY turn.workspace_id ORDER BY run_at) AS lap
    FROM turn, LATERAL (
        SELECT workspace_id, job_id, run_at FROM job
        WHERE {_WAITING} AND queue = $1 AND workspace_id = turn.workspace_id
          AND (state = 'queued' OR lease_until < now() AND attempts < max_attempts)
        ORDER BY run_at LIMIT least($3, 4 * ($3 + others - 1) / others)
    ) found
), chosen AS (
    SELECT workspace_id, job_id, lap, place FROM due ORDER BY lap, place LIMIT $3
), held AS (
    SELECT job.workspace_id, job.job_id, lap, place
    FROM chosen JOIN job ON job.workspace_id = chosen.workspace_id AND job.job_id = chosen.job_id
    -- Said so that no partial index looks as good as the primary key to a planner without statistics.
    WHERE job.state NOT IN ('done', 'dead') AND job.dispatched_at IS NULL FOR UPDATE OF job SKIP LOCKED
)
UPDATE job SET dispatched_at = clock_timestamp()
FROM held
WHERE job.workspace_id = held.workspace_id AND job.job_id = held.job_id
RETURNING job.workspace_id, job.job_id, job.queue, job.run_at, job.dispatched_at, lap, place
"""  # noqa: S608  -- made of constants
_PUT_BACK: Final = """
UPDATE job SET dispatched_at = NULL
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS sent (workspace_id, job_id, dispatched_at)
WHERE job.workspace_id = sent.workspace_id AND job.job_id = sent.job_id
  AND job.dispatched_at = sent.dispatched_at AND (job.state = 'queued' OR job.state = 'running' AND lease_until < now())
"""
_BURY: Final = """
UPDATE job SET state = 'dead', ended_at = clock_timestamp(), lease = NULL, lease_until = NULL,
               error = CASE error WHEN '' THEN $1 ELSE error END
FROM (
    SELECT workspace_id, job_id FROM job
    WHERE state = 'running' AND lease_until < now() AND attempts >= max_attempts
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
class Due:
    """A job whose bell is to be rung."""

    workspace_id: WorkspaceId
    job_id: UUID
    queue: str
    run_at: datetime
    dispatched_at: datetime


_DUE_FIELDS: Final = tuple(each.name for each in fields(Due))


@dataclass(frozen=True, slots=True)
class Taken:
    """What is to be rung for, in this order, and whose turn was the last."""

    due: tuple[Due, ...]
    last: UUID


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits now: jobs due by queue, age in seconds of the oldest by queue, dead jobs by kind."""

    due: dict[str, int]
    oldest_s: dict[str, float]
    dead: dict[str, int]


async def recall(*, again_after: timedelta) -> None:
    """Let what nobody answered wait for its turn again: a bell older than `again_after`, a lease that ran out."""
    await execute(_RECALL, again_after)


async def waiting_queues() -> list[str]:
    """Return the queues in which jobs are due that no bell was rung for."""
    return [row["queue"] for row in await fetch(_QUEUES)]


async def take_due(queue: str, *, limit: int, after: UUID = FIRST) -> Taken:
    """Mark jobs of a queue as dispatched and return them in the order to ring for them; commit before that.

    Workspaces take turns, beginning with the one after `after`; of each the longest due goes first.
    """
    if limit < 1:
        return Taken((), after)
    rows = sorted(await fetch(_TAKE, queue, after, limit), key=lambda row: (row["lap"], row["place"]))
    last = max(rows, key=lambda row: row["place"], default=None)
    found = tuple(Due(**{name: row[name] for name in _DUE_FIELDS}) for row in rows)
    return Taken(found, after if last is None else last["workspace_id"])


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
