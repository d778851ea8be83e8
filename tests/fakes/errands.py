"""Jobs that do what the tests of faults need, and processes that run them: `python -m tests.fakes.errands worker`."""

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
from workers.actors.attempt import Attempt
from workers.handlers import Handlers, Hopeless

# One row for each time an effect was stored: nothing in the table would refuse a second one.
EFFECTS = """
CREATE TABLE effect (workspace_id uuid NOT NULL, job_id uuid NOT NULL, attempt integer NOT NULL, pid integer NOT NULL);
GRANT SELECT, INSERT ON effect TO portal_app, portal_svc;
"""


class Manner(StrEnum):
    """How an errand goes."""

    WELL = "well"
    FAILS_AT_FIRST = "fails_at_first"
    FAILS = "fails"
    HOPELESS = "hopeless"
    KILLS_ITS_WORKER = "kills_its_worker"


class Errand(Job, frozen=True, kw_only=True):
    """Takes some seconds and leaves one row."""

    kind: ClassVar[str] = "test.errand"
    max_attempts: ClassVar[int] = 3
    time_limit_s: ClassVar[float] = 40.0
    backoff_s: ClassVar[float] = 0.2

    manner: Manner = Manner.WELL
    seconds: float = 0.0
    key: str | None = None

    def dedupe_key(self) -> str | None:
        """What the test says."""
        return self.key


class Stubborn(Job, frozen=True, kw_only=True):
    """Never ends by itself."""

    kind: ClassVar[str] = "test.stubborn"
    queue: ClassVar[str] = "slow"
    max_attempts: ClassVar[int] = 1
    time_limit_s: ClassVar[float] = 0.2


class Tick(Job, frozen=True, kw_only=True):
    """What a schedule asks for."""

    kind: ClassVar[str] = "test.tick"


EVERY_SECOND = Schedule("test-every-second", Tick(), every=timedelta(seconds=1))


async def run_errand(errand: Errand, attempt: Attempt) -> None:
    """Do it in its manner."""
    await asyncio.sleep(errand.seconds)
    match errand.manner:
        case Manner.KILLS_ITS_WORKER:
            os.kill(os.getpid(), signal.SIGKILL)
        case Manner.FAILS_AT_FIRST if attempt.number == 1:
            raise RuntimeError("upstream is moody")
        case Manner.FAILS:
            raise RuntimeError("upstream is gone")
        case Manner.HOPELESS:
            raise Hopeless("nobody can do this")
        case _:
            pass
    async with attempt.effect():
        await leave_a_mark(attempt)


async def leave_a_mark(attempt: Attempt) -> None:
    """Store the effect: one row."""
    await execute(
        "INSERT INTO effect VALUES ($1, $2, $3, $4)",
        attempt.workspace_id,
        attempt.job_id,
        attempt.number,
        os.getpid(),
    )


async def never_end(_job: Stubborn, _attempt: Attempt) -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


async def tick(_job: Tick, _attempt: Attempt) -> None:
    """Do nothing: that the job exists is the story."""


def handlers() -> Handlers:
    """All of the above."""
    made = Handlers()
    made.register(Errand, run_errand)
    made.register(Stubborn, never_end)
    made.register(Tick, tick)
    return made


def main() -> None:
    """Run one process of the workers' floor with these errands."""
    settings = Settings.from_environ(os.environ)
    match sys.argv[1]:
        case "worker":
            worker.serve(settings, handlers(), grace_s=5.0)
        case "relay":
            relay.serve(settings)
        case "scheduler":
            scheduler.serve(settings, [EVERY_SECOND])
        case other:
            sys.exit(f"no such process: {other}")


if __name__ == "__main__":
    main()
