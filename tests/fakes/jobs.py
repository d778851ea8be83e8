"""Jobs whose behaviour a test chooses, and processes that run them: `python -m tests.fakes.jobs worker`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

from kernel.jobs import Job
from kernel.jobs.schedules import Schedule
from kernel.settings import Settings
from kernel.store import execute
from workers import relay, scheduler, worker
from workers.actors.attempt import Attempt, PermanentFailure
from workers.handlers import Handlers

# One row for each time an effect was stored: nothing in the table would refuse a second one.
EFFECTS = """
CREATE TABLE effect (workspace_id uuid NOT NULL, job_id uuid NOT NULL, attempt integer NOT NULL, pid integer NOT NULL);
GRANT SELECT, INSERT ON effect TO portal_app, portal_svc;
"""


class Behavior(StrEnum):
    """What a sample job does."""

    SUCCEEDS = "succeeds"
    FAILS_ONCE = "fails_once"
    FAILS = "fails"
    FAILS_PERMANENTLY = "fails_permanently"
    KILLS_WORKER = "kills_worker"


class SampleJob(Job, frozen=True, kw_only=True):
    """Takes some seconds and stores one row."""

    kind: ClassVar[str] = "test.sample"
    max_attempts: ClassVar[int] = 3
    time_limit_s: ClassVar[float] = 40.0
    backoff_s: ClassVar[float] = 0.2

    behavior: Behavior = Behavior.SUCCEEDS
    seconds: float = 0.0
    key: str | None = None

    def dedupe_key(self) -> str | None:
        """Return the key that the test gave."""
        return self.key


class EndlessJob(Job, frozen=True, kw_only=True):
    """Runs until it is cancelled."""

    kind: ClassVar[str] = "test.endless"
    queue: ClassVar[str] = "slow"
    max_attempts: ClassVar[int] = 1
    time_limit_s: ClassVar[float] = 0.2


class ScheduledJob(Job, frozen=True, kw_only=True):
    """The job of a schedule."""

    kind: ClassVar[str] = "test.scheduled"


EVERY_SECOND = Schedule("test-every-second", ScheduledJob(), every=timedelta(seconds=1))


async def run_sample_job(job: SampleJob, attempt: Attempt) -> None:
    """Behave as the test asks."""
    await asyncio.sleep(job.seconds)
    match job.behavior:
        case Behavior.KILLS_WORKER:
            os.kill(os.getpid(), signal.SIGKILL)
        case Behavior.FAILS_ONCE if attempt.number == 1:
            raise RuntimeError("upstream is unavailable")
        case Behavior.FAILS:
            raise RuntimeError("upstream is gone")
        case Behavior.FAILS_PERMANENTLY:
            raise PermanentFailure("the request is not allowed")
        case _:
            pass
    async with attempt.effect():
        await store_effect(attempt)


async def store_effect(attempt: Attempt) -> None:
    """Store one row."""
    await execute(
        "INSERT INTO effect VALUES ($1, $2, $3, $4)",
        attempt.workspace_id,
        attempt.job_id,
        attempt.number,
        os.getpid(),
    )


async def never_end(_job: EndlessJob, _attempt: Attempt) -> None:
    """Wait until cancelled."""
    await asyncio.Event().wait()


async def do_nothing(_job: ScheduledJob, _attempt: Attempt) -> None:
    """Do nothing: the tests count the jobs."""


def create_handlers() -> Handlers:
    """Return handlers for all of these jobs."""
    handlers = Handlers()
    handlers.register(SampleJob, run_sample_job)
    handlers.register(EndlessJob, never_end)
    handlers.register(ScheduledJob, do_nothing)
    return handlers


def main() -> None:
    """Run one process of `workers` with these jobs."""
    settings = Settings.from_environ(os.environ)
    match sys.argv[1]:
        case "worker":
            worker.serve(settings, create_handlers(), grace_s=5.0)
        case "relay":
            relay.serve(settings)
        case "scheduler":
            scheduler.serve(settings, [EVERY_SECOND])
        case other:
            sys.exit(f"no such process: {other}")


if __name__ == "__main__":
    main()
