"""Postgres that is there and says nothing: the page says so soon, and is back as soon as Postgres is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kernel.store import Database
from kernel.store.roles import provision
from ops.dev.servers import start_postgres, stop_postgres
from tenants import schema
from tests.conftest import OPERATOR

TIMEOUT_S = 0.5
# What asyncpg waits for by default.
DRIVER_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class OwnPostgres:
    """A Postgres of the test's own, and the folder of its data."""

    app_url: str
    data: Path

    @contextlib.contextmanager
    def freeze(self) -> Iterator[None]:
        """Stop every process of it, as a full disk or a hung host does."""
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        pids = [postmaster]
        for parent in pids:
            pids += children(parent)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)


def children(parent: int) -> list[int]:
    """The processes whose parent this is, from /proc."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if status.read_text().rpartition(")")[2].split()[1] == str(parent):
                found.append(int(status.parent.name))
    return found


def data_of(state: Path) -> Path:
    """The folder of the server's data."""
    return next(state.rglob("postmaster.pid")).parent


@pytest.fixture
async def own_postgres() -> AsyncIterator[OwnPostgres]:
    state = Path(tempfile.mkdtemp(prefix="portal-frozen-"))
    admin_url = await asyncio.to_thread(start_postgres, state, durable=False, environ={})
    urls = await provision(admin_url, "portal_frozen")
    await schema.migrate(urls.owner)
    yield OwnPostgres(urls.app, data_of(state))
    await asyncio.to_thread(stop_postgres, state)
    shutil.rmtree(state, ignore_errors=True)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the server's processes in /proc")
async def test_while_postgres_is_frozen_pages_are_back_in_a_moment(
    own_postgres: OwnPostgres, make_portal: Any, tenants: Any
) -> None:
    database = await Database.open(
        own_postgres.app_url,
        size=2,
        name="frozen",
        acquire_timeout_s=TIMEOUT_S,
        command_timeout_s=TIMEOUT_S,
        actor=OPERATOR,
    )
    try:
        acme = await type(tenants)(database, tenants.sealer).make()
        visitor = make_portal(over=database).visitor()
        assert (await visitor.ask(acme.path, acme.host)).status_code == 200
        # One wait for each, or a connection's own five seconds: never the minute a driver would wait.
        with own_postgres.freeze():
            async with asyncio.timeout(DRIVER_TIMEOUT_S):
                # The page of a host that is cached, and a host that has to be looked up.
                answers = [await visitor.ask(acme.path, host) for host in (acme.host, "other.localhost")]
        assert [answer.status_code for answer in answers] == [503, 503]
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
        assert (await visitor.ask(acme.path, acme.host)).status_code == 200
        assert database.in_use == 0
    finally:
        await database.close()
