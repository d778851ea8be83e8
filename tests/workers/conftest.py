"""A runner over the worker's database, with a table for the effects of sample jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.jobs import Job, enqueue
from kernel.store import Database, fetch, fetch_one
from kernel.store.roles import Urls
from kernel.telemetry.metrics import Metrics
from tests.conftest import OPERATOR
from tests.fakes.jobs import EFFECTS, create_handlers
from workers.handlers import Handlers
from workers.runner import Runner


@dataclass(slots=True)
class Harness:
    """One workspace and what runs its jobs in this process."""

    database: Database
    workspace_id: WorkspaceId = field(default_factory=lambda: WorkspaceId(new_id()))
    metrics: Metrics = field(default_factory=Metrics)
    handlers: Handlers = field(default_factory=create_handlers)
    lease: timedelta = timedelta(seconds=30)

    def create_runner(self) -> Runner:
        """Return a runner."""
        return Runner(
            self.database, self.handlers, lease=self.lease, metrics=self.metrics, clock=SystemClock()
        )

    async def enqueue_job(self, job: Job) -> UUID:
        """Enqueue a job."""
        async with self.database.scope(self.workspace_id):
            return (await enqueue(job)).job_id

    async def load_job(self, job_id: UUID) -> Any:
        """Return a job's row."""
        async with self.database.scope(self.workspace_id, read_only=True):
            return await fetch_one("SELECT * FROM job WHERE job_id = $1", job_id)

    async def load_effects(self) -> list[tuple[UUID, int]]:
        """Return the stored effects: (job, attempt)."""
        async with self.database.scope(self.workspace_id, read_only=True):
            return [(row["job_id"], row["attempt"]) for row in await fetch("SELECT * FROM effect")]

    def count(self, name: str, **labels: str) -> float:
        """Return the value of a series, 0 when nothing was counted."""
        return self.metrics.registry.get_sample_value(name, labels) or 0


@pytest.fixture
async def effect_urls(scratch: Callable[..., Awaitable[Urls]]) -> Urls:
    """A migrated database with a table of effects."""
    urls = await scratch(migrated=True)
    owner = await asyncpg.connect(urls.owner)
    await owner.execute(EFFECTS)
    await owner.close()
    return urls


@pytest.fixture
async def harness(effect_urls: Urls) -> AsyncIterator[Harness]:
    """A workspace with a runner, on a database of its own."""
    database = await Database.open(effect_urls.app, size=4, name="jobs", actor=OPERATOR)
    yield Harness(database)
    assert database.in_use == 0
    await database.close()
