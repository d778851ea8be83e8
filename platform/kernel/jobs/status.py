"""The jobs of the bound workspace: status, and expediting a queued one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from kernel.errors import Missing
from kernel.store import current_workspace, execute, fetch_one

if TYPE_CHECKING:
    from kernel.jobs.job import Job

_COLUMNS: Final = "job_id, queue, state, attempts, greatest(run_at - now(), interval '0') AS due_in"
# Always one row. Live and dead jobs have a partial index each.
_BY_KEY: Final = f"""
SELECT live.*, (SELECT now() - max(ended_at) FROM job
                WHERE workspace_id = $1 AND kind = $2 AND dedupe_key = $3 AND state = 'dead') AS dead_for
FROM (VALUES (1)) one LEFT JOIN (
    SELECT {_COLUMNS} FROM job
    WHERE workspace_id = $1 AND kind = $2 AND dedupe_key = $3 AND state IN ('queued', 'running')
) live ON true
"""  # noqa: S608  -- made of constants
_BY_ID: Final = f"SELECT {_COLUMNS} FROM job WHERE workspace_id = $1 AND job_id = $2"  # noqa: S608
_EXPEDITE: Final = """
UPDATE job SET run_at = now() + $3::interval
WHERE workspace_id = $1 AND job_id = $2 AND state = 'queued' AND run_at > now() + $3::interval
"""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The status of a job; `due_in` is zero for one that is due."""

    job_id: UUID
    queue: str
    state: str
    attempts: int
    due_in: timedelta

    @property
    def is_running(self) -> bool:
        """Whether a worker has claimed it."""
        return self.state == "running"

    @property
    def is_retry(self) -> bool:
        """Whether it is queued after a failed attempt."""
        return self.state == "queued" and self.attempts > 0


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """The jobs of one kind and dedupe key: the live one, and how long ago the last dead one ended."""

    live: JobStatus | None
    dead_for: timedelta | None


async def find_by_key(job: Job) -> KeyStatus:
    """Find the jobs of the bound workspace that have the kind and the dedupe key of `job`."""
    row = dict(await fetch_one(_BY_KEY, current_workspace(), job.kind, job.dedupe_key()))
    dead_for = row.pop("dead_for")
    return KeyStatus(None if row["job_id"] is None else JobStatus(**row), dead_for)


async def describe_job(job_id: UUID) -> JobStatus:
    """Return a job of the bound workspace; raises Missing("job.not_found")."""
    row: Any = await fetch_one(_BY_ID, current_workspace(), job_id)
    if row is None:
        raise Missing("job.not_found", "There is no such job.", job=str(job_id))
    return JobStatus(**row)


async def expedite(job_id: UUID, *, within: timedelta) -> None:
    """Make a queued job of the bound workspace due `within` from now, unless it is due earlier."""
    await execute(_EXPEDITE, current_workspace(), job_id, within)
