"""Leases: a worker claims a job, extends its lease, and completes, fails or releases the job.

All times are the database's. Every statement names the lease (a fencing token), so that a worker whose lease
expired can change nothing. All run in a unit of work bound to the job's workspace.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.errors import Conflict
from kernel.ids import new_id
from kernel.store import current_workspace, execute, fetch_one, fetch_value
from kernel.telemetry.logs import redact

if TYPE_CHECKING:
    from kernel.ids import WorkspaceId

MAX_BACKOFF: Final = timedelta(hours=1)
_MAX_ERROR_LENGTH: Final = 2000

_CLAIM: Final = """
UPDATE job SET state = 'running', attempts = attempts + 1, lease = $3, lease_until = clock_timestamp() + $4,
               begun_at = clock_timestamp()
WHERE workspace_id = $1 AND job_id = $2 AND run_at <= now() AND attempts < max_attempts
  AND (state = 'queued' OR state = 'running' AND lease_until < now())
RETURNING kind, queue, payload::text AS payload, attempts, max_attempts, request_id, now() - run_at AS waited
"""
_EXTEND: Final = """
UPDATE job SET lease_until = clock_timestamp() + $4
WHERE workspace_id = $1 AND job_id = $2 AND lease = $3 AND state = 'running'
"""
_COMPLETE: Final = """
UPDATE job SET state = 'done', ended_at = clock_timestamp(), lease = NULL, lease_until = NULL, error = ''
WHERE workspace_id = $1 AND job_id = $2 AND lease = $3 AND state = 'running'
"""
_FAIL: Final = """
UPDATE job SET
    state = CASE WHEN $5 OR attempts >= max_attempts THEN 'dead' ELSE 'queued' END,
    ended_at = CASE WHEN $5 OR attempts >= max_attempts THEN clock_timestamp() END,
    run_at = clock_timestamp() + least($6::interval, $4::interval * power(2, attempts - 1)) * (0.5 + random()),
    dispatched_at = NULL, lease = NULL, lease_until = NULL, error = $7
WHERE workspace_id = $1 AND job_id = $2 AND lease = $3 AND state = 'running'
RETURNING state
"""
_RELEASE: Final = """
UPDATE job SET state = 'queued', attempts = attempts - 1, dispatched_at = NULL, lease = NULL, lease_until = NULL
WHERE workspace_id = $1 AND job_id = $2 AND lease = $3 AND state = 'running'
"""
_ONE_UPDATED: Final = "UPDATE 1"


class LeaseLost(Conflict):
    """Another worker claimed the job, or it has ended: this attempt may store nothing."""


class StateAfterFailure(StrEnum):
    """The state of a job whose attempt failed."""

    QUEUED = "queued"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this worker may run until the lease expires; `payload` is JSON."""

    workspace_id: WorkspaceId
    job_id: UUID
    lease: UUID
    kind: str
    queue: str
    payload: str
    attempt: int
    max_attempts: int
    request_id: str
    waited: timedelta


async def claim(job_id: UUID, *, lease: timedelta) -> ClaimedJob | None:
    """Claim a job of the bound workspace and count the attempt.

    None when it is not due, is claimed, has ended, has no attempt left, or is not a job of this workspace.
    """
    workspace_id, lease_id = current_workspace(), new_id()
    row = await fetch_one(_CLAIM, workspace_id, job_id, lease_id, lease)
    if row is None:
        return None
    return ClaimedJob(
        workspace_id=workspace_id,
        job_id=job_id,
        lease=lease_id,
        kind=row["kind"],
        queue=row["queue"],
        payload=row["payload"],
        attempt=row["attempts"],
        max_attempts=row["max_attempts"],
        request_id=row["request_id"],
        waited=row["waited"],
    )


async def extend(job: ClaimedJob, *, lease: timedelta) -> bool:
    """Extend the lease to `lease` from now; False when it was lost."""
    return await execute(_EXTEND, job.workspace_id, job.job_id, job.lease, lease) == _ONE_UPDATED


async def complete(job: ClaimedJob) -> None:
    """Mark the job done in the unit of work of its effect; raises LeaseLost("job.lease_lost").

    Called before the effect it also locks the row, so that no worker claims the job while the effect is written.
    """
    if await execute(_COMPLETE, job.workspace_id, job.job_id, job.lease) != _ONE_UPDATED:
        raise LeaseLost("job.lease_lost", "The lease on this job was lost.", job=str(job.job_id))


async def fail(
    job: ClaimedJob, *, error: BaseException | str, backoff: timedelta, is_permanent: bool = False
) -> StateAfterFailure | None:
    """Queue the job again after a growing, jittered pause; dead if `is_permanent` or no attempt is left.

    None when the lease was lost.
    """
    state = await fetch_value(
        _FAIL,
        job.workspace_id,
        job.job_id,
        job.lease,
        backoff,
        is_permanent,
        MAX_BACKOFF,
        _format_error(error),
    )
    return None if state is None else StateAfterFailure(state)


async def release(job: ClaimedJob) -> bool:
    """Queue the job again at once, without counting this attempt; False when the lease was lost."""
    return await execute(_RELEASE, job.workspace_id, job.job_id, job.lease) == _ONE_UPDATED


def _format_error(error: BaseException | str) -> str:
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    redacted = redact(None, "", {"text": text.replace("\x00", "")})["text"]
    return str(redacted)[:_MAX_ERROR_LENGTH]
