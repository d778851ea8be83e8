"""Schedules without leader election: the first scheduler that stores an occurrence adds its jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from kernel.jobs.job import encode_job
from kernel.store import execute, fetch_value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from kernel.jobs.job import Job


class ListWorkspaces(Protocol):
    """Lists workspaces in the open unit of work, as role svc."""

    async def __call__(self, *, after: UUID, limit: int) -> Sequence[UUID]:
        """Return at most `limit` workspaces, by id, after `after`."""
        ...


_EPOCH: Final = datetime(2001, 1, 1, tzinfo=UTC)
_RETENTION: Final = timedelta(days=90)

_CLAIM_OCCURRENCE: Final = """
INSERT INTO schedule_occurrence (name, occurs_at) VALUES ($1, date_bin($2::interval, now(), $3::timestamptz))
ON CONFLICT DO NOTHING RETURNING occurs_at
"""
_ADD: Final = """
INSERT INTO job (workspace_id, job_id, kind, queue, payload, dedupe_key, max_attempts)
SELECT workspace_id, gen_random_uuid(), $2, $3, $4::jsonb, $5, $6 FROM unnest($1::uuid[]) workspace_id
ON CONFLICT DO NOTHING
"""
_PRUNE: Final = "DELETE FROM schedule_occurrence WHERE name = $1 AND occurs_at < now() - $2::interval"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job for each workspace, every `every`, at `at` past the beginning of each such period (UTC).

    Of the occurrences that were missed while no scheduler ran, only the latest is run. `list_workspaces` returns the
    workspaces that need the job, by id from the one after `after` on, in pages; None: all do.
    """

    name: str
    job: Job
    every: timedelta
    at: timedelta = timedelta(0)
    list_workspaces: ListWorkspaces | None = None


async def claim_occurrence(schedule: Schedule) -> datetime | None:
    """Store the latest occurrence, as role svc; None if it was stored before.

    The caller adds its jobs (`add_jobs`) in the same unit of work, for whose end other schedulers wait.
    """
    occurs_at = await fetch_value(_CLAIM_OCCURRENCE, schedule.name, schedule.every, _EPOCH + schedule.at)
    if occurs_at is None:
        return None
    await execute(_PRUNE, schedule.name, max(_RETENTION, 2 * schedule.every))
    return datetime.fromtimestamp(occurs_at.timestamp(), UTC)


async def add_jobs(schedule: Schedule, workspaces: Sequence[UUID]) -> int:
    """Add the schedule's job for each workspace, unless one with its dedupe key is live; returns how many."""
    job = schedule.job
    tag = await execute(
        _ADD, list(workspaces), job.kind, job.queue, encode_job(job), job.dedupe_key(), job.max_attempts
    )
    return int(tag.rpartition(" ")[2])
