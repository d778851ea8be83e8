"""Administration of jobs across workspaces, as role svc: list, replay, discard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg

from kernel.errors import Conflict, Missing
from kernel.store import fetch_one, fetch_with_custom_plan, savepoint

if TYPE_CHECKING:
    from kernel.ids import WorkspaceId

STATES: Final = ("queued", "running", "done", "dead")

_LIST: Final = """
SELECT workspace_id, job_id, kind, queue, state, attempts, max_attempts, created_at, run_at, ended_at, error, request_id
FROM job
WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR kind = $2)
  AND ($3::uuid IS NULL OR workspace_id = $3)
ORDER BY created_at DESC, job_id LIMIT $4
"""
_REPLAY: Final = """
UPDATE job SET state = 'queued', attempts = 0, run_at = now(), dispatched_at = NULL, ended_at = NULL
WHERE job_id = $1 AND state = 'dead' RETURNING true
"""
_DISCARD: Final = "DELETE FROM job WHERE job_id = $1 AND state IN ('queued', 'dead') RETURNING true"
_STATE: Final = "SELECT state FROM job WHERE job_id = $1"


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job in a list."""

    workspace_id: UUID
    job_id: UUID
    kind: str
    queue: str
    state: str
    attempts: int
    max_attempts: int
    created_at: datetime
    run_at: datetime
    ended_at: datetime | None
    error: str
    request_id: str


async def list_jobs(
    *,
    state: str | None = None,
    kind: str | None = None,
    workspace_id: WorkspaceId | None = None,
    limit: int = 100,
) -> list[JobSummary]:
    """Return jobs, the newest first."""
    return [
        JobSummary(**row) for row in await fetch_with_custom_plan(_LIST, state, kind, workspace_id, limit)
    ]


async def replay(job_id: UUID) -> None:
    """Queue a dead job again, with all its attempts.

    Raises Missing("job.not_found"), Conflict("job.not_dead") and Conflict("job.duplicate_live") when another job
    with the same key is live.
    """
    try:
        async with savepoint():
            row = await fetch_one(_REPLAY, job_id)
    except asyncpg.UniqueViolationError as error:
        message = "Another job with the same key is queued or running."
        raise Conflict("job.duplicate_live", message, job=str(job_id)) from error
    if row is None:
        raise await _explain_refusal(
            job_id, "job.not_dead", "Only a dead job can be replayed; this one is {state}."
        )


async def discard(job_id: UUID) -> None:
    """Delete a queued or dead job; raises Missing("job.not_found") and Conflict("job.not_discardable")."""
    if await fetch_one(_DISCARD, job_id) is None:
        message = "Only a queued or dead job can be discarded; this one is {state}."
        raise await _explain_refusal(job_id, "job.not_discardable", message)


async def _explain_refusal(job_id: UUID, code: str, message: str) -> Missing | Conflict:
    row: Any = await fetch_one(_STATE, job_id)
    if row is None:
        return Missing("job.not_found", "There is no such job.", job=str(job_id))
    return Conflict(code, message.format(state=row["state"]), job=str(job_id))
