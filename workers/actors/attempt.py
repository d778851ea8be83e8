"""One attempt at a job, as its function sees it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from kernel.actor import Actor, ActorKind
from kernel.jobs.leases import ClaimedJob, complete
from kernel.store import after_commit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kernel.clock import Clock
    from kernel.ids import WorkspaceId
    from kernel.store import Database
    from kernel.store.unit import UnitOfWork


class PermanentFailure(Exception):
    """Raised by a job's function when no further attempt can succeed: the job is dead at once."""


class Attempt:
    """The job, the number of the attempt, and the only way to write the job's effect.

    `job_id` is the same in every attempt: the idempotency key of requests to other services.
    """

    __slots__ = ("_database", "_is_writing", "_job", "clock", "is_completed")

    def __init__(self, job: ClaimedJob, database: Database, clock: Clock) -> None:
        self._job = job
        self._database = database
        self.clock = clock
        self.is_completed = False
        """Whether the effect has been stored."""
        self._is_writing = False

    @property
    def job_id(self) -> UUID:
        """The job."""
        return self._job.job_id

    @property
    def workspace_id(self) -> WorkspaceId:
        """The workspace it belongs to."""
        return self._job.workspace_id

    @property
    def database(self) -> Database:
        """For actions that open units of work of their own: their changes stay even if the attempt fails."""
        return self._database

    @property
    def number(self) -> int:
        """The number of the attempt, from 1."""
        return self._job.attempt

    @property
    def is_last(self) -> bool:
        """Whether the job is dead if this attempt fails."""
        return self._job.attempt >= self._job.max_attempts

    @property
    def is_open(self) -> bool:
        """Whether the effect has yet to be written. While it is written, the row is locked: no worker can claim it."""
        return not (self._is_writing or self.is_completed)

    @property
    def actor(self) -> Actor:
        """The actor of the job's effect: the job itself."""
        return Actor(ActorKind.SYSTEM_JOB, str(self.job_id), name=self._job.kind)

    def scope(self) -> UnitOfWork:
        """Return a unit of work that reads in the job's workspace."""
        return self._database.scope(self.workspace_id, read_only=True)

    def write(self) -> UnitOfWork:
        """Return a unit of work whose changes stay even if the attempt fails: the next one must cope with them."""
        return self._database.scope(self.workspace_id, actor=self.actor)

    @asynccontextmanager
    async def effect(self) -> AsyncIterator[None]:
        """Open a unit of work that stores the effect together with the job's completion, or neither.

        Once at most, and nothing slow belongs inside. Raises LeaseLost when another worker has the job. The job
        of a function that never opens it is completed when the function returns.
        """
        self._is_writing = True
        try:
            async with self._database.scope(self.workspace_id, actor=self.actor):
                await complete(self._job)
                # First of all callbacks: the effect is stored even if a later one is cancelled.
                after_commit(self._mark_completed)
                yield
        finally:
            self._is_writing = False

    async def _mark_completed(self) -> None:
        self.is_completed = True
