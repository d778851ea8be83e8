"""One attempt at a job, as its function sees it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from kernel.actor import Actor, ActorKind
from kernel.jobs.leases import Claimed, complete

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kernel.clock import Clock
    from kernel.ids import WorkspaceId
    from kernel.store import Database
    from kernel.store.unit import UnitOfWork


class Hopeless(Exception):
    """Raised by a job's function when no further attempt could go better: the job is dead at once."""


class Attempt:
    """Whose job it is, which attempt, and the only way to write its effect.

    `job_id` is the same in every attempt: the idempotency key for whatever is asked of others.
    """

    __slots__ = ("_claimed", "_database", "_writing", "clock", "completed")

    def __init__(self, claimed: Claimed, database: Database, clock: Clock) -> None:
        self._claimed = claimed
        self._database = database
        self.clock = clock
        self.completed = False
        """Whether the effect has been stored."""
        self._writing = False

    @property
    def job_id(self) -> UUID:
        """The job."""
        return self._claimed.job_id

    @property
    def workspace_id(self) -> WorkspaceId:
        """The workspace it belongs to."""
        return self._claimed.workspace_id

    @property
    def number(self) -> int:
        """Which attempt this is, from 1."""
        return self._claimed.attempt

    @property
    def is_last(self) -> bool:
        """Whether the job is dead if this attempt fails."""
        return self._claimed.attempt >= self._claimed.max_attempts

    @property
    def is_open(self) -> bool:
        """Whether the effect has yet to be written; while it is, the row is locked, and nobody can take the job."""
        return not (self._writing or self.completed)

    @property
    def actor(self) -> Actor:
        """Who acts in the job's effect: the job."""
        return Actor(ActorKind.SYSTEM_JOB, str(self.job_id), name=self._claimed.kind)

    def scope(self) -> UnitOfWork:
        """Return a unit of work that reads in the job's workspace."""
        return self._database.scope(self.workspace_id, read_only=True)

    @asynccontextmanager
    async def effect(self) -> AsyncIterator[None]:
        """Write what the job is for: it is stored together with the job's completion, or neither is.

        Once at most, and nothing that takes long belongs inside. Raises LeaseLost when the job is another
        worker's by now. A function that never opens it has its job completed when it returns.
        """
        self._writing = True
        try:
            async with self._database.scope(self.workspace_id, actor=self.actor):
                await complete(self._claimed)
                yield
            self.completed = True
        finally:
            self._writing = False
