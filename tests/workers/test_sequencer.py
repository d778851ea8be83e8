"""The sequencer's loop places committed events with and without Redis, and measures and logs what it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest
from structlog.testing import capture_logs

from kernel.actor import Actor, ActorKind
from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, execute, fetch_value
from kernel.store.pool import Connection
from kernel.store.roles import Urls, build_database_url
from kernel.telemetry.metrics import Metrics
from kernel.wakeup import EVENTS_CHANNEL, Publisher, Subscriber
from tenants.activity.actions import emit
from tenants.activity.queries import Anchor
from tests.fakes.event_log import Log, ShelfBuilt, place_all
from tests.fakes.sample_workspaces import SampleWorkspace, create_sample_workspace
from workers.sequencer import Sequencer

TIMEOUT_S = 20


@pytest.fixture
async def own_urls(scratch: Callable[..., Awaitable[Urls]]) -> Urls:
    """A migrated database of this test's own: a sequencer works in all of its workspaces."""
    return await scratch(migrated=True)


@pytest.fixture
def subscriber(redis_url: str) -> Subscriber:
    """Hears the wake-ups."""
    return Subscriber(redis_url, [EVENTS_CHANNEL])


@pytest.fixture
async def own(own_urls: Urls, redis_url: str) -> AsyncIterator[tuple[Database, Database]]:
    """The database as app, whose commits send the wake-up, and as svc."""
    actor = Actor(ActorKind.OPERATOR, "tests")
    publisher = Publisher(redis_url)
    app = await Database.open(own_urls.app, size=2, actor=actor, publish=publisher.publish)
    svc = await Database.open(own_urls.svc, size=3)
    yield app, svc
    await app.close()
    await svc.close()
    await publisher.close()


@pytest.fixture
async def own_log(own: tuple[Database, Database], settings: Settings) -> Log:
    """The log of the first workspace there."""
    return await open_log(*own, settings)


async def open_log(app: Database, svc: Database, settings: Settings) -> Log:
    sample_workspace: SampleWorkspace = await create_sample_workspace(
        app, Sealer(settings.secret_keys), SystemClock()
    )
    await place_all(svc)
    async with app.scope(sample_workspace.workspace_id):
        base = await fetch_value("SELECT place FROM event_head")
    return Log(sample_workspace.workspace_id, app, svc, base)


async def emit_one(log: Log, number: int) -> None:
    async with log.database.scope(log.workspace_id):
        await emit(ShelfBuilt(number=number))


async def wait_for_rows(log: Log, count: int) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while len(await log.load_rows()) < count:  # noqa: ASYNC110  -- Postgres' state
            await asyncio.sleep(0.02)


def database_name(urls: Urls) -> str:
    return unquote(urlsplit(urls.svc).path.removeprefix("/"))


class RunningSequencer:
    """A sequencer that runs for the length of an `async with`."""

    def __init__(self, svc: Database, subscriber: Subscriber) -> None:
        self.metrics = Metrics()
        self.sequencer = Sequencer(svc, self.metrics, subscriber)

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.sequencer.run())
        return self

    async def __aexit__(self, *error: object) -> None:
        assert not self.task.done()
        self.task.cancel()
        await asyncio.wait([self.task])

    def read(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(name)


async def test_what_is_committed_is_placed_and_counted(own_log: Log, subscriber: Subscriber) -> None:
    async with RunningSequencer(own_log.svc, subscriber) as running:
        for number in range(3):
            await emit_one(own_log, number)
        await wait_for_rows(own_log, 3)
        await emit_one(own_log, 3)
        await wait_for_rows(own_log, 4)
    assert await own_log.verify() == ()
    assert running.read("portal_events_placed_total") == 4
    assert running.read("portal_event_oldest_draft_seconds") is not None


async def test_a_commit_with_events_sends_one_wake_up(own_urls: Urls, own_log: Log) -> None:
    sent: list[tuple[str, bytes]] = []

    async def record(channel: str, message: bytes) -> None:
        sent.append((channel, message))

    app = await Database.open(own_urls.app, size=1, actor=Actor(ActorKind.OPERATOR, "tests"), publish=record)
    try:
        async with app.scope(own_log.workspace_id):
            await emit(ShelfBuilt(number=1))
            await emit(ShelfBuilt(number=2))
            assert sent == []
        assert sent == [(EVENTS_CHANNEL, b"")]
        async with app.scope(own_log.workspace_id):
            await fetch_value("SELECT place FROM event_head")
        with pytest.raises(ZeroDivisionError):
            async with app.scope(own_log.workspace_id):
                await emit(ShelfBuilt(number=3))
                raise ZeroDivisionError
        assert sent == [(EVENTS_CHANNEL, b"")]
    finally:
        await app.close()


async def test_without_redis_the_poll_finds_them(own_urls: Urls, own_log: Log) -> None:
    redis_url = "redis://127.0.0.1:1"
    away = Publisher(redis_url)
    app = await Database.open(
        own_urls.app, size=1, actor=Actor(ActorKind.OPERATOR, "tests"), publish=away.publish
    )
    try:
        async with RunningSequencer(own_log.svc, Subscriber(redis_url, [EVENTS_CHANNEL])):
            async with app.scope(own_log.workspace_id):
                await emit(ShelfBuilt(number=1))
            await wait_for_rows(own_log, 1)
    finally:
        await app.close()
        await away.close()


async def test_the_loop_outlives_the_end_of_its_connections(
    own_log: Log, subscriber: Subscriber, admin_url: str, own_urls: Urls
) -> None:
    admin: Connection = await asyncpg.connect(admin_url)
    end = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE usename = 'portal_svc' AND datname = $1"""
    async with RunningSequencer(own_log.svc, subscriber):
        for number in range(4):
            await admin.fetch(end, database_name(own_urls))
            await emit_one(own_log, number)
            await wait_for_rows(own_log, number + 1)
    await admin.close()
    assert await own_log.verify() == ()


async def test_a_broken_log_does_not_stop_the_others(
    own_log: Log, own_urls: Urls, settings: Settings, subscriber: Subscriber, admin_url: str
) -> None:
    await own_log.write(1)
    other = await open_log(own_log.database, own_log.svc, settings)
    admin: Connection = await asyncpg.connect(build_database_url(admin_url, database_name(own_urls)))
    await admin.execute(
        """INSERT INTO event SELECT workspace_id, place + 1, gen_random_uuid(), kind, payload, audit_only, actor_kind,
               actor_id, context, at, hash, sha256('invented') FROM event WHERE workspace_id = $1 AND place = $2""",
        own_log.workspace_id,
        own_log.base + 1,
    )
    await admin.close()
    with capture_logs() as lines:
        async with RunningSequencer(own_log.svc, subscriber):
            await emit_one(own_log, 2)
            await emit_one(other, 1)
            await wait_for_rows(other, 1)
    failed = {line["workspace"] for line in lines if line["event"] == "events not placed"}
    assert failed == {str(own_log.workspace_id)}
    async with own_log.svc.unbound():
        assert await fetch_value("SELECT count(*) FROM event_draft") == 1


async def test_anchors_are_logged_from_the_start_on(own_log: Log, subscriber: Subscriber) -> None:
    await own_log.write(1, 2)
    with capture_logs() as lines:
        async with RunningSequencer(own_log.svc, subscriber), asyncio.timeout(TIMEOUT_S):
            while not any(  # noqa: ASYNC110  -- the log has no event for it
                line["event"] == "event log anchor" for line in lines
            ):
                await asyncio.sleep(0.02)
    (line,) = (line for line in lines if line["event"] == "event log anchor")
    anchor = Anchor(WorkspaceId(own_log.workspace_id), line["place"], line["hash"])
    assert line["workspace"] == str(own_log.workspace_id)
    assert anchor == await own_log.load_anchor()
    assert await own_log.verify(anchor) == ()


async def test_a_draft_without_a_head_shows_in_the_age(own_log: Log, subscriber: Subscriber) -> None:
    stranger = new_id()
    async with own_log.database.scope(stranger):
        await emit(ShelfBuilt(number=1))
    async with RunningSequencer(own_log.svc, subscriber) as running, asyncio.timeout(TIMEOUT_S):
        while not running.read("portal_event_oldest_draft_seconds"):  # noqa: ASYNC110  -- nor has a gauge
            await asyncio.sleep(0.02)
    async with own_log.svc.unbound():
        await execute("DELETE FROM event_draft")
