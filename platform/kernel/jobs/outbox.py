"""Adds jobs in the open unit of work (transactional outbox)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.ids import new_id
from kernel.jobs.job import encode_job
from kernel.store import bulk_insert, current_workspace, fetch_one
from kernel.telemetry.logs import current_request_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernel.jobs.job import Job

# A request in the kind's own, most urgent queue moves a queued job there. A request in another queue moves nothing:
# it would delay the job.
_ADD: Final = """
INSERT INTO job AS j (workspace_id, job_id, kind, queue, payload, dedupe_key, max_attempts, run_at, request_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8, $9)
ON CONFLICT (workspace_id, kind, dedupe_key) WHERE dedupe_key IS NOT NULL AND state IN ('queued', 'running')
DO UPDATE SET queue = CASE WHEN j.state = 'queued' AND excluded.queue = $10 THEN excluded.queue ELSE j.queue END,
              dispatched_at = CASE WHEN j.state = 'queued' AND excluded.queue = $10 AND j.queue <> excluded.queue
                                   THEN NULL ELSE j.dispatched_at END
RETURNING job_id, xmax = 0 AS is_new, state = 'running' AS is_running
"""
_COLUMNS: Final = {
    "workspace_id": "uuid",
    "job_id": "uuid",
    "kind": "text",
    "queue": "text",
    "payload": "jsonb",
    "max_attempts": "integer",
    "request_id": "text",
}
_NOW: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class EnqueuedJob:
    """A queued or running job; `is_new` is False if it existed before the call (`Job.dedupe_key`).

    Its row is locked: a job that is not running does not begin before the open unit of work ends.
    """

    job_id: UUID
    is_new: bool
    is_running: bool


async def enqueue(job: Job, *, delay: timedelta | None = None, queue: str | None = None) -> EnqueuedJob:
    """Add a job to the open unit of work, due after `delay` on the database's clock.

    A job with a `dedupe_key` coalesces with a live one (queued or running) of its kind. `queue` replaces the kind's own
    queue, which is the most urgent one: a call without `queue` moves a queued job there, and no call moves it away.
    Raises NoWorkspace without a bound workspace.
    """
    row = await fetch_one(
        _ADD,
        current_workspace(),
        new_id(),
        job.kind,
        queue or job.queue,
        encode_job(job),
        job.dedupe_key(),
        job.max_attempts,
        delay or _NOW,
        current_request_id(),
        job.queue,
    )
    return EnqueuedJob(row["job_id"], row["is_new"], row["is_running"])


async def enqueue_many(jobs: Sequence[tuple[Job, str]]) -> int:
    """Add many jobs, each with the id of its request, in one statement; returns how many.

    For kinds without a `dedupe_key`: nothing coalesces.
    """
    workspace_id = current_workspace()
    rows = [
        (workspace_id, new_id(), job.kind, job.queue, encode_job(job), job.max_attempts, request_id)
        for job, request_id in jobs
    ]
    return await bulk_insert("job", _COLUMNS, rows)
