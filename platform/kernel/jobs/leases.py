"""The life of one job in a worker: taken with a lease, kept, completed with its effect, or given up.

All times are the database's. Every statement names the lease, so that a worker that was thought dead and comes
back can change nothing: that is the fence. All run in a unit of work bound to the job's workspace.
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

LONGEST_BACKOFF: Final = timedelta(hours=1)
_LONGEST_ERROR: Final = 2000

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
_GIVE_BACK: Final = """
UPDATE job SET state = 'queued', attempts = attempts - 1, dispatched_at = NULL, lease = NULL, lease_until = NULL
WHERE workspace_id = $1 AND job_id = $2 AND lease = $3 AND state = 'running'
"""
_ONE: Final = "UPDATE 1"


class LeaseLost(Conflict):
    """The job is somebody else's by now, or has ended: nothing of this attempt may be stored."""


class Failed(StrEnum):
    """What became of a job whose attempt failed."""

    QUEUED = "queued"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that is ours until its lease runs out; `payload` is JSON."""

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


async def claim(job_id: UUID, *, lease: timedelta) -> Claimed | None:
    """Take a job of the bound workspace and count the attempt.

    None when it is not due, is held, has ended, has been tried often enough, or is no job of this workspace.
    """
    workspace_id, lease_id = current_workspace(), new_id()
    row = await fetch_one(_CLAIM, workspace_id, job_id, lease_id, lease)
    if row is None:
        return None
    return Claimed(
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


async def extend(held: Claimed, *, lease: timedelta) -> bool:
    """Hold the lease for `lease` from now; False when it is no longer ours."""
    return await execute(_EXTEND, held.workspace_id, held.job_id, held.lease, lease) == _ONE


async def complete(held: Claimed) -> None:
    """Mark the job done in the unit of work of its effect; raises LeaseLost("job.lease_lost").

    Called before the effect it also locks the row, so that nobody takes the job while the effect is written.
    """
    if await execute(_COMPLETE, held.workspace_id, held.job_id, held.lease) != _ONE:
        raise LeaseLost("job.lease_lost", "The lease on this job was lost.", job=str(held.job_id))


async def fail(
    held: Claimed, *, error: BaseException | str, backoff: timedelta, hopeless: bool = False
) -> Failed | None:
    """Let the job be tried again after a growing, jittered pause; dead when hopeless or tried often enough.

    None when the lease was lost: then it is not ours to judge.
    """
    state = await fetch_value(
        _FAIL,
        held.workspace_id,
        held.job_id,
        held.lease,
        backoff,
        hopeless,
        LONGEST_BACKOFF,
        _said(error),
    )
    return None if state is None else Failed(state)


async def give_back(held: Claimed) -> bool:
    """Let another worker begin at once, without counting this attempt; False when the lease was lost."""
    return await execute(_GIVE_BACK, held.workspace_id, held.job_id, held.lease) == _ONE


def _said(error: BaseException | str) -> str:
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    clean = redact(None, "", {"said": text.replace("\x00", "")})["said"]
    return str(clean)[:_LONGEST_ERROR]
