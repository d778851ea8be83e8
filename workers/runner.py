"""Runs one job: claims it, executes its function while the lease is extended, and stores how the attempt ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from time import perf_counter
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.errors import Invalid, Unavailable
from kernel.jobs.job import Job, decode_job
from kernel.jobs.leases import ClaimedJob, LeaseLost, StateAfterFailure, claim, extend, fail, release
from kernel.telemetry import logs
from workers.actors.attempt import Attempt, PermanentFailure

if TYPE_CHECKING:
    from kernel.clock import Clock
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from workers.handlers import Handler, Handlers

_EXTENSIONS_PER_LEASE: Final = 3
_UNKNOWN_KIND_BACKOFF: Final = timedelta(seconds=30)

_log: Final = logs.get_logger("workers.runner")


class Outcome(StrEnum):
    """How an attempt ended; a label of portal_job_attempts_total."""

    DONE = "done"
    RETRIED = "retried"
    DEAD = "dead"
    RELEASED = "released"
    """Stopped with the worker, and queued again without counting the attempt."""
    LEASE_LOST = "lease_lost"
    """Another worker has the job; nothing of this attempt was stored."""
    UNRECORDED = "unrecorded"
    """The end could not be stored; the job runs again after its lease."""


_LOG_EVENTS: Final = {
    Outcome.DONE: "job done",
    Outcome.RELEASED: "job released",
    Outcome.LEASE_LOST: "job lease lost",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed, and the base of the pause before the next one."""

    error: BaseException | str
    backoff: timedelta
    is_permanent: bool = False


class Runner:
    """Runs jobs on one event loop; `run` never raises, because no caller could handle it."""

    def __init__(
        self, database: Database, handlers: Handlers, *, lease: timedelta, metrics: Metrics, clock: Clock
    ) -> None:
        """Claim with `lease`, which is extended three times before it expires."""
        self._database = database
        self._handlers = handlers
        self._lease = lease
        self._metrics = metrics
        self._clock = clock
        self._runs: set[asyncio.Task[None]] = set()
        self._executions: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    async def run(self, workspace_id: UUID, job_id: UUID) -> None:
        """Handle one notification. A second one of the same job, or one of a job that is not due, does nothing."""
        if self._is_stopping:
            return
        # A task of its own: its log context must not reach the caller.
        task = asyncio.create_task(self._run(workspace_id, job_id))
        self._runs.add(task)
        try:
            await asyncio.wait([task])
        finally:
            self._runs.discard(task)

    async def release_all(self) -> None:
        """Cancel all running jobs and release them, so that other workers can claim them at once."""
        self._is_stopping = True
        for task in self._executions:
            task.cancel()
        if self._runs:
            await asyncio.wait(self._runs)

    async def _run(self, workspace_id: UUID, job_id: UUID) -> None:
        logs.unbind_all()
        logs.bind(job=str(job_id), workspace=str(workspace_id))
        job = await self._claim(workspace_id, job_id)
        if job is None:
            return
        started = perf_counter()
        with self._metrics.jobs_running.track_inprogress():
            try:
                outcome = await self._finish(job, await self._execute(job))
            except Exception as error:  # noqa: BLE001  -- a defect of one job must not end the worker
                outcome = Outcome.UNRECORDED
                _log.error(
                    "job outcome not stored", reason=str(error), exc_info=_find_unexpected_error(error)
                )
        self._metrics.job_seconds.labels(job.kind).observe(perf_counter() - started)
        self._metrics.job_attempts.labels(job.kind, outcome).inc()

    async def _claim(self, workspace_id: UUID, job_id: UUID) -> ClaimedJob | None:
        try:
            async with self._database.scope(workspace_id):
                job = await claim(job_id, lease=self._lease)
        except Exception as error:  # noqa: BLE001  -- after any error the relay notifies again
            _log.warning("job not claimed", reason=str(error), exc_info=_find_unexpected_error(error))
            return None
        if job is None:
            self._metrics.job_notifications.labels("ignored").inc()
            return None
        logs.bind(kind=job.kind, attempt=job.attempt, request=job.request_id)
        self._metrics.job_wait_seconds.labels(job.queue).observe(max(0.0, job.waited.total_seconds()))
        return job

    async def _execute(self, job: ClaimedJob) -> Outcome | Failure:
        handler = self._handlers.find(job.kind)
        if handler is None:
            # Written by a newer release, while this one is being replaced.
            return Failure("This worker does not know the kind of job.", _UNKNOWN_KIND_BACKOFF)
        try:
            payload = decode_job(handler.job_type, job.payload)
        except Invalid as error:
            return Failure(error, timedelta(0), is_permanent=True)
        if self._is_stopping:
            return Outcome.RELEASED
        attempt = Attempt(job, self._database, self._clock)
        execution = asyncio.create_task(_call_function(handler, payload, attempt))
        heartbeat = asyncio.create_task(self._extend_lease(job, attempt, execution))
        self._executions.add(execution)
        try:
            await asyncio.wait([execution])
        finally:
            self._executions.discard(execution)
            heartbeat.cancel()
        await asyncio.wait([heartbeat])
        if attempt.is_completed:
            # The effect is stored, even if the function failed afterwards.
            return Outcome.DONE
        if execution.cancelled():
            return Outcome.RELEASED
        cause = execution.exception()
        if cause is None:
            raise AssertionError
        if isinstance(cause, LeaseLost):
            return Outcome.LEASE_LOST
        backoff = timedelta(seconds=handler.job_type.backoff_s)
        return Failure(cause, backoff, is_permanent=isinstance(cause, PermanentFailure))

    async def _finish(self, job: ClaimedJob, result: Outcome | Failure) -> Outcome:
        """Store and log how the attempt ended."""
        if isinstance(result, Failure):
            return await self._fail(job, result)
        if result is Outcome.RELEASED:
            async with self._database.scope(job.workspace_id):
                if not await release(job):
                    result = Outcome.LEASE_LOST
        log = _log.info if result is Outcome.DONE else _log.warning
        log(_LOG_EVENTS[result])
        return result

    async def _fail(self, job: ClaimedJob, failure: Failure) -> Outcome:
        error = failure.error
        async with self._database.scope(job.workspace_id):
            state = await fail(job, error=error, backoff=failure.backoff, is_permanent=failure.is_permanent)
        exc_info = error if isinstance(error, BaseException) else None
        match state:
            case None:
                _log.warning("job lease lost", exc_info=exc_info)
                return Outcome.LEASE_LOST
            case StateAfterFailure.DEAD:
                _log.error("job dead", reason=str(error), exc_info=exc_info)
                return Outcome.DEAD
            case StateAfterFailure.QUEUED:
                _log.warning("job failed", reason=str(error), exc_info=exc_info)
                return Outcome.RETRIED

    async def _extend_lease(self, job: ClaimedJob, attempt: Attempt, execution: asyncio.Task[None]) -> None:
        """Extend the lease until cancelled; cancel the execution when the lease is lost."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / _EXTENSIONS_PER_LEASE)
            if not attempt.is_open:
                continue
            try:
                async with self._database.scope(job.workspace_id):
                    is_extended = await extend(job, lease=self._lease)
            except Unavailable as error:
                _log.warning("job lease not extended", code=error.code)
                continue
            # The statement may have waited for the row while the effect was written, and then found the job done.
            if not is_extended and attempt.is_open:
                execution.cancel()
                return


async def _call_function(handler: Handler, payload: Job, attempt: Attempt) -> None:
    limit_s = handler.job_type.time_limit_s
    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            await handler.function(payload, attempt)
            if not attempt.is_completed:
                async with attempt.effect():
                    pass
    except TimeoutError as error:
        if limit.expired():
            message = f"It ran longer than {limit_s:g} s."
            raise TimeoutError(message) from error
        raise


def _find_unexpected_error(error: Exception) -> Exception | None:
    """Return the error if its traceback belongs in the log; Unavailable is expected."""
    return None if isinstance(error, Unavailable) else error
