"""Schedules without a leader: whoever writes an occurrence first writes its jobs, in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from kernel.jobs.job import encoded
from kernel.store import execute, fetch_value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from kernel.jobs.job import Job

_EPOCH: Final = datetime(2001, 1, 1, tzinfo=UTC)
_KEPT: Final = timedelta(days=90)

_OCCUR: Final = """
INSERT INTO schedule_occurrence (name, occurs_at) VALUES ($1, date_bin($2::interval, now(), $3::timestamptz))
ON CONFLICT DO NOTHING RETURNING occurs_at
"""
_ADD: Final = """
INSERT INTO job (workspace_id, job_id, kind, queue, payload, dedupe_key, max_attempts)
SELECT workspace_id, gen_random_uuid(), $2, $3, $4::jsonb, $5, $6 FROM unnest($1::uuid[]) workspace_id
ON CONFLICT DO NOTHING
"""
_FORGET: Final = "DELETE FROM schedule_occurrence WHERE name = $1 AND occurs_at < now() - $2::interval"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job for each workspace, every `every`, at `at` past the beginning of each such period (UTC).

    What was missed while no scheduler ran is made up for once: the latest occurrence, not each of them.
    """

    name: str
    job: Job
    every: timedelta
    at: timedelta = timedelta(0)


async def occur(schedule: Schedule) -> datetime | None:
    """Write the latest occurrence, as role svc; None when somebody else has.

    The caller adds its jobs (`add_jobs`) in the same unit of work. Others who try meanwhile wait for its end.
    """
    occurs_at = await fetch_value(_OCCUR, schedule.name, schedule.every, _EPOCH + schedule.at)
    if occurs_at is None:
        return None
    await execute(_FORGET, schedule.name, max(_KEPT, 2 * schedule.every))
    return datetime.fromtimestamp(occurs_at.timestamp(), UTC)


async def add_jobs(schedule: Schedule, workspaces: Sequence[UUID]) -> int:
    """Add the schedule's job for each workspace; one that still waits from last time is left as it is."""
    job = schedule.job
    tag = await execute(
        _ADD, list(workspaces), job.kind, job.queue, encoded(job), job.dedupe_key(), job.max_attempts
    )
    return int(tag.rpartition(" ")[2])
