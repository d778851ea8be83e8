import dataclasses
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from kernel.errors import Invalid
from kernel.ids import new_id
from kernel.settings import Settings
from kernel.store import Database
from kernel.store.roles import drop_database
from ops.dev import servers
from ops.migrate import create_roles, prepare_database
from tenants import schema
from tenants.workspaces.queries import list_workspaces

PASSWORD = "p w@x/:"


@pytest.fixture
async def managed(tmp_path: Path) -> AsyncIterator[str]:
    """A Postgres as hosting companies give it: passwords for all, and an administrator who is no superuser."""
    root = servers.start_postgres(tmp_path, durable=False, environ={})
    connection = await asyncpg.connect(root)
    await connection.execute(f"CREATE ROLE chief LOGIN CREATEROLE CREATEDB PASSWORD '{PASSWORD}'")
    await connection.close()
    rules = "local all postgres trust\nlocal all all scram-sha-256\n"
    (tmp_path / "postgres" / "pg_hba.conf").write_text(rules, encoding="ascii")
    pid = servers.find_pid(tmp_path, "postgres")
    assert pid is not None
    os.kill(pid, signal.SIGHUP)
    yield root.replace("postgres@", f"chief:{quote(PASSWORD, safe='')}@")
    servers.stop_postgres(tmp_path)


async def test_an_administrator_who_is_no_superuser_prepares_a_database_twice(managed: str) -> None:
    first = await prepare_database(managed, "portal")
    assert len(first.applied) == len(schema.migrations())
    second = await prepare_database(managed, "portal")
    assert second.applied == ()
    assert second.urls == first.urls


async def test_the_roles_have_passwords_of_their_own_and_work(managed: str) -> None:
    urls = (await prepare_database(managed, "portal")).urls
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
    await prepare_database(managed, "portal")
    await drop_database(managed, "portal")
    connection = await asyncpg.connect(managed)
    assert await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = 'portal'") == 0
    await connection.close()


def urls_of(managed: str, **passwords: str) -> Settings:
    host = managed.rpartition("@")[2].replace("/postgres?", "/house?")
    named = {
        "PORTAL_DATABASE_URL": f"postgresql://portal_app:{passwords['app']}@{host}",
        "PORTAL_DATABASE_OWNER_URL": f"postgresql://portal_owner:{passwords['owner']}@{host}",
        "PORTAL_DATABASE_SVC_URL": f"postgresql://portal_svc:{passwords['svc']}@{host}",
    }
    return Settings.from_environ({"PORTAL_PROFILE": "test"} | named)


async def test_roles_are_made_with_the_passwords_of_the_urls_that_name_them(managed: str) -> None:
    settings = urls_of(managed, app="a%20b", owner="o", svc="s")
    await create_roles(managed, settings)
    await create_roles(managed, settings)
    assert settings.database_owner_url is not None
    assert len(await schema.migrate(settings.database_owner_url)) == len(schema.migrations())
    for url in (settings.database_url, settings.require_svc_url()):
        database = await Database.open(url, size=1)
        await database.close()


async def test_a_url_that_names_another_role_is_refused_before_anything_is_made(managed: str) -> None:
    settings = urls_of(managed, app="a", owner="o", svc="s")
    swapped = dataclasses.replace(settings, database_svc_url=settings.database_url)
    with pytest.raises(Invalid, match="portal_svc"):
        await create_roles(managed, swapped)
    connection = await asyncpg.connect(managed)
    assert await connection.fetchval("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'portal_%'") == 0
    await connection.close()
