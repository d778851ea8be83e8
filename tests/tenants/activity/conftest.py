"""A workspace's log, and somebody who may write what nobody should."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest

from kernel.store import Database, fetch_value
from kernel.store.pool import Connection
from kernel.store.roles import Urls, build_database_url
from tests.fakes.event_log import Log, place_all
from tests.fakes.sample_workspaces import SampleWorkspace


@pytest.fixture
async def log(acme: SampleWorkspace, database: Database, svc: Database) -> Log:
    """The log of a workspace, with everything placed that happened before the test."""
    await place_all(svc)
    async with database.scope(acme.workspace_id, read_only=True):
        base = await fetch_value("SELECT place FROM event_head")
    return Log(acme.workspace_id, database, svc, base)


@pytest.fixture
async def tamperer(admin_url: str, urls: Urls) -> AsyncIterator[Connection]:
    """A superuser in this worker's database."""
    name = unquote(urlsplit(urls.owner).path.removeprefix("/"))
    connection: Connection = await asyncpg.connect(build_database_url(admin_url, name))
    yield connection
    await connection.close()
