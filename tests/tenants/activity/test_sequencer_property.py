"""Eight writers that commit and roll back, sequencers that are killed: nothing is skipped, doubled or out of order."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import msgspec
import pytest

from kernel.actor import Actor, ActorKind
from kernel.clock import SystemClock
from kernel.errors import Unavailable
from kernel.ids import WorkspaceId
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, fetch
from kernel.store.pool import Connection
from kernel.store.roles import Urls, build_database_url
from tenants.activity.actions import emit
from tenants.activity.queries import FaultKind
from tenants.activity.sequencer import find_workspaces_with_drafts, place_events
from tests.fakes.event_log import Log, ShelfBuilt, place_all
from tests.fakes.sample_workspaces import create_sample_workspace

WRITERS, UNITS, SEQUENCERS, WORKSPACES = 8, 25, 4, 3
ROLLBACKS = 0.15
END_BACKEND = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = 'portal_svc' ORDER BY random() LIMIT 1
"""


async def stop(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks; raises what one of them failed with."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


class RolledBackError(Exception):
    """Raised by a writer to roll back."""


@dataclass(slots=True)
class Run:
    """One run: who takes part, what was committed, what a reader saw."""

    chance: random.Random
    app: Database
    svc: Database
    administrator: Connection
    logs: list[Log]
    committed: dict[WorkspaceId, list[int]] = field(default_factory=lambda: defaultdict(list))
    seen: dict[WorkspaceId, list[int]] = field(default_factory=lambda: defaultdict(list))
    kills: int = 0

    async def write(self, writer: int) -> None:
        """Run units of one to three events; each event has a number that grows with this writer's time."""
        number = writer * 100_000
        for _ in range(UNITS):
            log = self.chance.choice(self.logs)
            numbers = range(number, number + self.chance.randint(1, 3))
            number = numbers.stop
            try:
                async with self.app.scope(log.workspace_id):
                    for each in numbers:
                        await emit(ShelfBuilt(number=each))
                        await asyncio.sleep(self.chance.choice((0, 0, 0, 0.05)))
                    if self.chance.random() < ROLLBACKS:
                        raise RolledBackError  # noqa: TRY301  -- leaves the unit of work by an error
            except RolledBackError:
                continue
            self.committed[log.workspace_id].extend(numbers)

    async def sequence(self) -> None:
        """Place until cancelled."""
        while True:
            try:
                found = await find_workspaces_with_drafts(self.svc)
                if found:
                    await place_events(self.svc, found, limit=self.chance.choice((1, 10, 5000)))
            except Unavailable:
                self.kills += 1
            await asyncio.sleep(0)

    async def kill(self) -> None:
        """End sequencers at any statement: their task, or their backend."""
        running = [asyncio.create_task(self.sequence()) for _ in range(SEQUENCERS)]
        try:
            while True:
                await asyncio.sleep(self.chance.uniform(0.005, 0.03))
                if self.chance.random() < 0.5:
                    await self.administrator.fetch(END_BACKEND)
                    continue
                victim = running.pop(self.chance.randrange(SEQUENCERS))
                await stop([victim])
                self.kills += 1
                running.append(asyncio.create_task(self.sequence()))
        finally:
            await stop(running)

    async def read(self, log: Log) -> None:
        """Follow a log with a cursor until cancelled."""
        while True:
            await self.read_on(log)
            await asyncio.sleep(0.01)

    async def read_on(self, log: Log) -> None:
        """Read what is behind the cursor."""
        async with self.app.scope(log.workspace_id, read_only=True):
            rows = await fetch(
                "SELECT place FROM event WHERE place > $1 ORDER BY place",
                log.base + len(self.seen[log.workspace_id]),
            )
        self.seen[log.workspace_id].extend(row["place"] for row in rows)


@pytest.fixture
async def own_urls(scratch: Callable[..., Awaitable[Urls]]) -> Urls:
    """A migrated database of this test's own: sequencers work in all of its workspaces."""
    return await scratch(migrated=True)


@pytest.fixture
async def open_run(
    own_urls: Urls, settings: Settings, admin_url: str
) -> AsyncIterator[Callable[[int], Awaitable[Run]]]:
    """Open three sample_workspaces and those who write, place, kill and read in them."""
    name = unquote(urlsplit(own_urls.owner).path.removeprefix("/"))
    administrator: Connection = await asyncpg.connect(build_database_url(admin_url, name))
    operator = Actor(ActorKind.OPERATOR, "tests")
    app = await Database.open(own_urls.app, size=WRITERS + WORKSPACES, actor=operator)
    svc = await Database.open(own_urls.svc, size=SEQUENCERS)

    async def make(seed: int) -> Run:
        logs = []
        for _ in range(WORKSPACES):
            sample_workspace = await create_sample_workspace(app, Sealer(settings.secret_keys), SystemClock())
            await place_all(svc)
            async with app.scope(sample_workspace.workspace_id):
                base = (await fetch("SELECT place FROM event_head"))[0]["place"]
            logs.append(Log(sample_workspace.workspace_id, app, svc, base))
        return Run(random.Random(seed), app, svc, administrator, logs)

    yield make
    await administrator.close()
    await svc.close()
    await app.close()


def list_numbers(rows: list[Any]) -> list[int]:
    return [msgspec.json.decode(row["payload"])["number"] for row in rows]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_committed_event_has_one_place_whatever_is_killed(
    open_run: Callable[[int], Awaitable[Run]], seed: int
) -> None:
    run = await open_run(seed)
    others = [asyncio.create_task(run.kill()), *(asyncio.create_task(run.read(log)) for log in run.logs)]
    await asyncio.gather(*(run.write(writer) for writer in range(WRITERS)))
    await stop(others)
    await place_all(run.svc)
    assert run.kills > 0
    for log in run.logs:
        await run.read_on(log)
        rows = await log.load_rows()
        placed = list_numbers(rows)
        # Nothing skipped, nothing doubled, nothing of a rollback.
        assert sorted(placed) == sorted(run.committed[log.workspace_id])
        contiguous = list(range(log.base + 1, log.base + 1 + len(rows)))
        assert [row["place"] for row in rows] == contiguous
        assert run.seen[log.workspace_id] == contiguous
        # What one writer committed later comes later.
        for writer in range(WRITERS):
            own = [number for number in placed if number // 100_000 == writer]
            assert own == sorted(own)
        assert await log.verify() == ()
    await verify_tampering(run)


async def verify_tampering(run: Run) -> None:
    """Change or remove a row of each log; each is found."""
    for log in run.logs:
        rows = await log.load_rows()
        # Not the last one: its removal shows at the head.
        place = run.chance.choice(rows[:-1])["place"]
        if run.chance.random() < 0.5:
            await run.administrator.execute(
                "UPDATE event SET payload = payload || '{\"more\": 1}' WHERE workspace_id = $1 AND place = $2",
                log.workspace_id,
                place,
            )
            expected = (place, FaultKind.ROW_CHANGED)
        else:
            await run.administrator.execute(
                "DELETE FROM event WHERE workspace_id = $1 AND place = $2", log.workspace_id, place
            )
            expected = (place + 1, FaultKind.ROW_MISSING)
        assert [(fault.place, fault.kind) for fault in await log.verify()] == [expected]
