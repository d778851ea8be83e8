"""Runs one job: claims it, keeps its lease, lets its function work, and writes down how that ended."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.errors import Invalid, Unavailable
from kernel.jobs.job import Job, decoded
from kernel.jobs.leases import Claimed, Failed, LeaseLost, claim, extend, fail, give_back
from kernel.telemetry import logs
from workers.actors.attempt import Attempt
from workers.handlers import Handler, Hopeless

if TYPE_CHECKING:
    from kernel.clock import Clock
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from workers.handlers import Handlers

_BEATS_PER_LEASE: Final = 3
_BACKOFF_OF_UNKNOWN: Final = timedelta(seconds=30)

_log: Final = logs.logger("workers.runner")


class Runner:
    """Runs jobs on one event loop; `run` never raises, because nobody could do anything about it."""

    def __init__(
        self, database: Database, handlers: Handlers, *, lease: timedelta, metrics: Metrics, clock: Clock
    ) -> None:
        """Claim with `lease`, which a heartbeat prolongs three times before it runs out."""
        self._database = database
        self._handlers = handlers
        self._lease = lease
        self._metrics = metrics
        self._clock = clock
        self._working: set[asyncio.Task[None]] = set()
        self._answering: set[asyncio.Task[None]] = set()
        self._ending = False

    async def run(self, workspace_id: UUID, job_id: UUID) -> None:
        """Answer one bell. A bell that rings twice, or for a job that is not due, finds nothing to do."""
        if self._ending:
            return
        task = asyncio.create_task(self._answered(workspace_id, job_id))
        self._answering.add(task)
        try:
            await asyncio.wait([task])
        finally:
            self._answering.discard(task)

    async def give_back_all(self) -> None:
        """Cut off what is running and let other workers begin it at once."""
        self._ending = True
        for task in self._working:
            task.cancel()
        if self._answering:
            await asyncio.wait(self._answering)

    async def _answered(self, workspace_id: UUID, job_id: UUID) -> None:
        logs.unbind_all()
        logs.bind(job=str(job_id), workspace=str(workspace_id))
        try:
            async with self._database.scope(workspace_id):
                claimed = await claim(job_id, lease=self._lease)
        except Exception as error:  # noqa: BLE001  -- whatever it was, the relay rings again
            _log.warning("not claimed", reason=str(error), exc_info=_defect(error))
            return
        if claimed is None:
            self._metrics.job_bells.labels("dropped").inc()
            return
        logs.bind(kind=claimed.kind, attempt=claimed.attempt, request=claimed.request_id)
        self._metrics.job_wait_seconds.labels(claimed.queue).observe(max(0.0, claimed.waited.total_seconds()))
        started = perf_counter()
        with self._metrics.jobs_running.track_inprogress():
            outcome = await self._outcome(claimed)
        self._metrics.job_seconds.labels(claimed.kind).observe(perf_counter() - started)
        self._metrics.job_attempts.labels(claimed.kind, outcome).inc()

    async def _outcome(self, claimed: Claimed) -> str:
        try:
            handler = self._handlers.find(claimed.kind)
            if handler is None:
                # Written by a newer release, while this one is being replaced.
                message = "This worker does not know the kind of job."
                return await self._failed(claimed, message, backoff=_BACKOFF_OF_UNKNOWN)
            try:
                job = decoded(handler.job_type, claimed.payload)
            except Invalid as error:
                return await self._failed(claimed, error, backoff=timedelta(0), hopeless=True)
            return await self._attempted(handler, job, claimed)
        except Unavailable as error:
            # How it ended cannot be written down: the lease will run out, and the job run again.
            _log.warning("stranded", code=error.code)
            return "stranded"
        except Exception as error:  # noqa: BLE001  -- a defect of ours is told, and must not end the worker
            _log.error("stranded", exc_info=error)
            return "stranded"

    async def _attempted(self, handler: Handler, job: Job, claimed: Claimed) -> str:
        if self._ending:
            return await self._cut_off(claimed)
        attempt = Attempt(claimed, self._database, self._clock)
        work = asyncio.create_task(_worked(handler, job, attempt))
        beat = asyncio.create_task(self._kept(claimed, attempt, work))
        self._working.add(work)
        try:
            await asyncio.wait([work])
        finally:
            self._working.discard(work)
            beat.cancel()
        await asyncio.wait([beat])
        if attempt.completed:
            # Stored is stored, however the rest of the function went.
            _log.info("done")
            return "done"
        if work.cancelled():
            return await self._cut_off(claimed)
        error = work.exception()
        if isinstance(error, LeaseLost):
            _log.warning("lease lost")
            return "lost"
        if error is None:
            raise AssertionError
        backoff = timedelta(seconds=handler.job_type.backoff_s)
        return await self._failed(claimed, error, backoff=backoff, hopeless=isinstance(error, Hopeless))

    async def _cut_off(self, claimed: Claimed) -> str:
        async with self._database.scope(claimed.workspace_id):
            returned = await give_back(claimed)
        _log.warning("given back" if returned else "lease lost")
        return "given_back" if returned else "lost"

    async def _failed(
        self, claimed: Claimed, error: BaseException | str, *, backoff: timedelta, hopeless: bool = False
    ) -> str:
        async with self._database.scope(claimed.workspace_id):
            state = await fail(claimed, error=error, backoff=backoff, hopeless=hopeless)
        trace = error if isinstance(error, BaseException) else None
        if state is None:
            _log.warning("lease lost", exc_info=trace)
            return "lost"
        if state is Failed.DEAD:
            _log.error("dead", reason=str(error), exc_info=trace)
            return "dead"
        _log.warning("retried", reason=str(error), exc_info=trace)
        return "retried"

    async def _kept(self, claimed: Claimed, attempt: Attempt, work: asyncio.Task[None]) -> None:
        """Prolong the lease until cancelled; cut the work off when the lease is lost."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / _BEATS_PER_LEASE)
            if not attempt.is_open:
                continue
            try:
                async with self._database.scope(claimed.workspace_id):
                    held = await extend(claimed, lease=self._lease)
            except Unavailable as error:
                _log.warning("no heartbeat", code=error.code)
                continue
            # It may have waited for the row while the effect was being written, and then found the job done.
            if not held and attempt.is_open:
                work.cancel()
                return


async def _worked(handler: Handler, job: Job, attempt: Attempt) -> None:
    limit_s = handler.job_type.time_limit_s
    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            await handler.function(job, attempt)
            if not attempt.completed:
                async with attempt.effect():
                    pass
    except TimeoutError as error:
        if limit.expired():
            message = f"It ran longer than {limit_s:g} s."
            raise TimeoutError(message) from error
        raise


def _defect(error: Exception) -> Exception | None:
    return None if isinstance(error, Unavailable) else error
