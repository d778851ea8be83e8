"""Writes jobs in the open unit of work: they exist exactly if what they belong to was stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.ids import new_id
from kernel.jobs.job import encoded
from kernel.store import bulk_insert, current_workspace, fetch_one
from kernel.telemetry.logs import current_request_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernel.jobs.job import Job

# Who asks in the kind's own queue moves a job that nobody has begun there: a page's visitor goes before the batch.
# Who asks in another one moves nothing, or the batch would make the visitor wait.
_ADD: Final = """
INSERT INTO job AS j (workspace_id, job_id, kind, queue, payload, dedupe_key, max_attempts, run_at, request_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8, $9)
ON CONFLICT (workspace_id, kind, dedupe_key) WHERE dedupe_key IS NOT NULL AND state IN ('queued', 'running')
DO UPDATE SET queue = CASE WHEN j.state = 'queued' AND excluded.queue = $10 THEN excluded.queue ELSE j.queue END,
              dispatched_at = CASE WHEN j.state = 'queued' AND excluded.queue = $10 AND j.queue <> excluded.queue
                                   THEN NULL ELSE j.dispatched_at END
RETURNING job_id, xmax = 0 AS fresh
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
class Enqueued:
    """A job that will run; `fresh` is False when it is one that was already there (`Job.dedupe_key`)."""

    job_id: UUID
    fresh: bool


async def enqueue(job: Job, *, delay: timedelta | None = None, queue: str | None = None) -> Enqueued:
    """Add a job to the open unit of work, due after `delay` on the database's clock.

    A job with a `dedupe_key` coalesces with a live one of its kind. `queue` replaces the kind's own, which is the
    most urgent one: a job that waits is moved there by whoever asks without `queue`, and never away from there.
    Raises Unbound where no workspace is bound.
    """
    row = await fetch_one(
        _ADD,
        current_workspace(),
        new_id(),
        job.kind,
        queue or job.queue,
        encoded(job),
        job.dedupe_key(),
        job.max_attempts,
        delay or _NOW,
        current_request_id(),
        job.queue,
    )
    return Enqueued(row["job_id"], row["fresh"])


async def enqueue_many(jobs: Sequence[tuple[Job, str]]) -> int:
    """Add many jobs, each with the id of the request that asked for it, in one statement; returns how many.

    For kinds without a `dedupe_key`: nothing coalesces here.
    """
    workspace_id = current_workspace()
    rows = [
        (workspace_id, new_id(), job.kind, job.queue, encoded(job), job.max_attempts, request_id)
        for job, request_id in jobs
    ]
    return await bulk_insert("job", _COLUMNS, rows)
