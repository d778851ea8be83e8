"""Polls of one invoice, and what the workspace does meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from kernel import live
from kernel.clock import SystemClock
from kernel.ids import new_nonce
from kernel.live import Cursor
from kernel.settings import Settings
from kernel.store import Database
from kernel.wakeup import Publisher
from tenants.comments.actions import post_comment
from tenants.comments.values import Author, Side
from tests.conftest import OPERATOR

CLOCK = SystemClock()
TIMEOUT_S = 20


async def wait_until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not is_so():  # noqa: ASYNC110  -- nothing tells of it
            await asyncio.sleep(0.01)


@dataclass
class Scene:
    """A gateway whose rooms run, a reader of an invoice, and the staff that writes on it."""

    portal: Any
    tenant: Any
    database: Database
    """What the staff writes by: not the gateway's own."""
    visitor: Any
    waiting: list[asyncio.Task[httpx.Response]] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"{self.tenant.path}/events"

    async def load_cursor(self) -> Cursor:
        """The head of the customers' log."""
        async with self.database.scope(self.tenant.profile.workspace_id, read_only=True):
            heads = await live.load_heads(self.tenant.invoice_id)
        assert heads is not None
        return Cursor(heads.epoch, heads.public)

    async def poll(self, cursor: Cursor, wait_s: int = 0, **headers: str) -> httpx.Response:
        path = f"{headers.pop('path', self.path)}?since={cursor.seq}&epoch={cursor.epoch}&wait={wait_s}"
        answer: httpx.Response = await self.visitor.ask(path, self.tenant.host, **headers)
        return answer

    async def park(self, cursor: Cursor, wait_s: int = 25, **headers: str) -> asyncio.Task[httpx.Response]:
        """Begin a poll; returns when it waits."""
        before = self.count_parked()
        self.waiting.append(asyncio.create_task(self.poll(cursor, wait_s, **headers)))
        await wait_until(lambda: self.count_parked() == before + 1)
        return self.waiting[-1]

    def count_parked(self) -> int:
        return int(self.portal.count("portal_polls_parked_count"))

    def count_rooms(self) -> int:
        """Rooms that somebody is in."""
        return len(self.portal.gateway.services.rooms)

    def count(self, outcome: str) -> int:
        return int(self.portal.count("portal_polls_total", outcome=outcome))

    async def write(self, body: str = "Hello", *, is_internal: bool = False) -> None:
        """Write a comment or a note as staff."""
        async with self.database.scope(self.tenant.profile.workspace_id):
            await post_comment(
                self.tenant.invoice_id,
                Author(Side.STAFF, "Sam Staff"),
                body,
                client_id=new_nonce(),
                clock=CLOCK,
                is_internal=is_internal,
            )


MakeScene = Callable[..., Awaitable[Scene]]
OpenProcess = Callable[..., Awaitable[Database]]


@pytest.fixture
async def open_process(settings: Settings) -> AsyncIterator[OpenProcess]:
    """Open the database as a process of its own has it; `is_silent`: without Redis, so that it wakes nobody."""
    opened: list[tuple[Database, Publisher]] = []

    async def open_database(*, is_silent: bool = False) -> Database:
        publisher = Publisher("redis://127.0.0.1:1/0" if is_silent else settings.redis_url, deadline_s=10)
        database = await Database.open(
            settings.database_url, size=3, name="process", actor=OPERATOR, publish=publisher.publish
        )
        opened.append((database, publisher))
        return database

    yield open_database
    for database, publisher in opened:
        await database.close()
        await publisher.close()


@pytest.fixture
async def make_scene(make_portal: Any, acme: Any, open_process: OpenProcess) -> AsyncIterator[MakeScene]:
    """Start a gateway with its rooms. `writer` is what the staff writes by, the gateway's own database by default.

    The rooms are compared with the database every `reconcile_s` seconds: so that tests of wakes do not depend on it,
    never. Other words are those of `make_portal`.
    """
    running: list[asyncio.Task[None]] = []
    scenes: list[Scene] = []

    async def make(
        *, writer: Database | None = None, reconcile_s: tuple[float, float] = (600, 600), **words: Any
    ) -> Scene:
        database = await open_process()
        portal = make_portal(over=database, **words)
        rooms = portal.gateway.services.rooms
        rooms._reconcile_s = reconcile_s
        running.append(asyncio.create_task(rooms.run()))
        scenes.append(Scene(portal, acme, writer or database, portal.visitor()))
        await wait_until(lambda: portal.count("portal_live_listener_connected_count") == 1)
        return scenes[-1]

    yield make
    for task in [*(each for scene in scenes for each in scene.waiting), *running]:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def scene(make_scene: MakeScene) -> Scene:
    """A gateway as the test settings have it, with its rooms."""
    return await make_scene()
