"""Real processes with a database and a Redis of the test's own, which the test may kill and restart."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from kernel.errors import Unavailable
from kernel.ids import new_id
from kernel.jobs import enqueue
from kernel.store import Database, fetch
from kernel.store.roles import Urls, provision
from ops.dev import programs, servers
from ops.dev.child_processes import read_log_end
from ops.ports import find_free_port
from tenants import schema
from tests.conftest import OPERATOR
from tests.fakes.jobs import EFFECTS, SampleJob

TIMEOUT_S = 45.0


@dataclass(slots=True)
class Deployment:
    """A database with its jobs, a Redis, and the processes that work on them."""

    urls: Urls
    redis_state: Path
    redis_url: str
    database: Database
    svc: Database
    workspace_id: UUID
    running: list[programs.RunningProgram] = field(default_factory=list)

    @property
    def blobs(self) -> Path:
        """Where the PDFs are."""
        return self.redis_state / "blobs"

    async def start(
        self, kind: str, *, ready: bool = True, module: str = "tests.fakes.jobs", **environ: str
    ) -> programs.RunningProgram:
        """Start a process and, with `ready`, wait until it is ready.

        `module`: "ops.cli" runs the product's jobs, the default those of tests.fakes.jobs.
        """
        name = f"{kind}-{len(self.running)}"
        program = programs.Program(name, (kind,), find_free_port(), module=module)
        variables = {
            "PORTAL_PROFILE": "test",
            "PORTAL_DATABASE_URL": self.urls.app,
            "PORTAL_DATABASE_SVC_URL": self.urls.svc,
            "PORTAL_REDIS_URL": self.redis_url,
            "PORTAL_METRICS_PORT": str(program.metrics_port),
            "PORTAL_JOB_LEASE_S": "1",
            "PORTAL_JOB_REDISPATCH_S": "1",
            "PORTAL_BLOBS_URL": str(self.blobs),
        }
        started = programs.start(
            program, programs.build_environ(variables | environ), self.redis_state / "logs"
        )
        self.running.append(started)
        if ready:
            await asyncio.to_thread(programs.wait_until_ready, started)
        return started

    async def enqueue_jobs(self, count: int = 1, job: SampleJob | None = None) -> list[UUID]:
        """Enqueue jobs in one transaction; returns the ids of the jobs."""
        async with self.database.scope(self.workspace_id):
            return [(await enqueue(job or SampleJob())).job_id for _ in range(count)]

    async def load_jobs(self) -> dict[UUID, asyncpg.Record]:
        """Return all jobs by id."""
        async with self.svc.unbound(read_only=True):
            return {row["job_id"]: row for row in await fetch("SELECT * FROM job")}

    async def load_effects(self) -> list[asyncpg.Record]:
        """Return all effects."""
        async with self.svc.unbound(read_only=True):
            return await fetch("SELECT * FROM effect")

    async def wait_for_state(self, state: str, jobs: list[UUID]) -> dict[UUID, asyncpg.Record]:
        """Wait until all of the jobs are in a state, and return them."""
        found: dict[UUID, asyncpg.Record] = {}

        async def have_state() -> bool:
            found.clear()
            found.update({key: row for key, row in (await self.load_jobs()).items() if key in jobs})
            return len(found) == len(jobs) and {row["state"] for row in found.values()} == {state}

        await self.wait_until(have_state)
        return found

    async def wait_for_effects(self, count: int) -> None:
        """Wait until at least `count` effects are stored."""

        async def are_stored() -> bool:
            return len(await self.load_effects()) >= count

        await self.wait_until(are_stored)

    async def wait_for_running_job(self) -> None:
        """Wait until a worker runs a job."""

        async def is_running() -> bool:
            return "running" in {row["state"] for row in (await self.load_jobs()).values()}

        await self.wait_until(is_running)

    async def wait_until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait until the condition holds; fails with unfinished jobs and the ends of all logs."""
        deadline = asyncio.get_running_loop().time() + TIMEOUT_S
        while asyncio.get_running_loop().time() < deadline:
            with contextlib.suppress(Unavailable):
                if await condition():
                    return
            await asyncio.sleep(0.05)
        logs = [read_log_end(each.log, 8) for each in self.running]
        unfinished = [dict(row) for row in (await self.load_jobs()).values() if row["state"] != "done"][:3]
        pytest.fail(f"not in time: {unfinished}\n" + "\n\n".join(logs))

    async def close(self) -> None:
        """End everything."""
        for running in self.running:
            running.process.kill()
            running.process.wait()
        await self.database.close()
        await self.svc.close()
        servers.stop_redis(self.redis_state)

    def kill_redis(self) -> None:
        """Kill Redis, which loses all its data."""
        pid = servers.find_pid(self.redis_state, "redis")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        servers.stop_redis(self.redis_state)

    def start_redis(self) -> None:
        """Start an empty Redis at the same URL."""
        assert servers.start_redis(self.redis_state, environ={}) == self.redis_url


OpenDeployment = Callable[[Urls], Awaitable[Deployment]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path for sockets, which are at the same place after a restart."""
    with tempfile.TemporaryDirectory(prefix="portal-") as name:
        yield Path(name)


@pytest.fixture
async def open_deployment(folder: Path) -> AsyncIterator[OpenDeployment]:
    """Open a deployment on a migrated database; its processes are killed after the test."""
    deployments: list[Deployment] = []

    async def open_on(urls: Urls) -> Deployment:
        owner = await asyncpg.connect(urls.owner)
        await owner.execute(EFFECTS)
        await owner.close()
        deployments.append(
            Deployment(
                urls,
                folder,
                servers.start_redis(folder, environ={}),
                await Database.open(urls.app, size=2, name="deployment", actor=OPERATOR),
                await Database.open(urls.svc, size=2, name="deployment svc"),
                new_id(),
            )
        )
        return deployments[-1]

    yield open_on
    for deployment in deployments:
        await deployment.close()


@pytest.fixture
async def deployment(open_deployment: OpenDeployment, scratch: Callable[..., Awaitable[Urls]]) -> Deployment:
    """A deployment on a database of its own in the run's Postgres."""
    return await open_deployment(await scratch(migrated=True))


@dataclass(frozen=True, slots=True)
class Restartable:
    """A deployment on a Postgres of its own, which the test may restart at the same URL."""

    deployment: Deployment
    state: Path
    admin_url: str

    async def stop(self) -> None:
        """Stop Postgres while it is in use."""
        await asyncio.to_thread(servers.stop_postgres, self.state)

    async def start(self) -> None:
        """Start it again with its data."""
        started = await asyncio.to_thread(servers.start_postgres, self.state, durable=False, environ={})
        assert started == self.admin_url


@pytest.fixture
def own_postgres(folder: Path) -> Iterator[tuple[Path, str]]:
    """A Postgres of the test's own: its folder, and the url of its administrator."""
    state = folder / "db"
    yield state, servers.start_postgres(state, durable=False, environ={})
    servers.stop_postgres(state)


@pytest.fixture
async def restartable(own_postgres: tuple[Path, str], open_deployment: OpenDeployment) -> Restartable:
    """A deployment whose Postgres the test may restart."""
    state, admin_url = own_postgres
    urls = await provision(admin_url, "portal")
    await schema.migrate(urls.owner)
    return Restartable(await open_deployment(urls), state, admin_url)
