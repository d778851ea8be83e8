import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from kernel.ids import new_id
from kernel.store import Database
from kernel.store.roles import drop_database
from ops import services
from ops.migrate import prepare
from tenants import schema
from tenants.workspaces.queries import list_workspaces

PASSWORD = "p w@x/:"


@pytest.fixture
async def managed(tmp_path: Path) -> AsyncIterator[str]:
    """A Postgres as hosting companies give it: passwords for all, and an administrator who is no superuser."""
    root = services.start_postgres(tmp_path, durable=False, environ={})
    connection = await asyncpg.connect(root)
    await connection.execute(f"CREATE ROLE chief LOGIN CREATEROLE CREATEDB PASSWORD '{PASSWORD}'")
    await connection.close()
    rules = "local all postgres trust\nlocal all all scram-sha-256\n"
    (tmp_path / "postgres" / "pg_hba.conf").write_text(rules, encoding="ascii")
    pid = services.pid_of(tmp_path, "postgres")
    assert pid is not None
    os.kill(pid, signal.SIGHUP)
    yield root.replace("postgres@", f"chief:{quote(PASSWORD, safe='')}@")
    services.stop_postgres(tmp_path)


async def test_an_administrator_who_is_no_superuser_prepares_a_database_twice(managed: str) -> None:
    first = await prepare(managed, "portal")
    assert len(first.applied) == len(schema.migrations())
    second = await prepare(managed, "portal")
    assert second.applied == ()
    assert second.urls == first.urls


async def test_the_roles_have_passwords_of_their_own_and_work(managed: str) -> None:
    urls = (await prepare(managed, "portal")).urls
    assert len({urls.owner, urls.app, urls.svc}) == 3
    assert PASSWORD not in urls.app
    assert quote(PASSWORD, safe="") not in urls.app
    database = await Database.open(urls.app, size=1)
    async with database.scope(new_id()):
        assert await list_workspaces() == ()
    await database.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(urls.app.replace("portal_app:", "portal_app:x"))


async def test_the_administrator_can_drop_what_was_prepared(managed: str) -> None:
    await prepare(managed, "portal")
    await drop_database(managed, "portal")
    connection = await asyncpg.connect(managed)
    assert await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = 'portal'") == 0
    await connection.close()
