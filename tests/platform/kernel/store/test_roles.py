"""Roles and databases: made once, whoever asks and however often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from kernel.store.pool import Connection
from kernel.store.roles import PROVISION_LOCK, Passwords, Urls, build_database_url, drop_database, provision


@pytest.fixture
async def name(admin_url: str, worker_name: str) -> AsyncIterator[str]:
    """A name for a database with characters that need quoting; dropped afterwards."""
    name = f'portal "roles" {worker_name}'
    await drop_database(admin_url, name)
    yield name
    await drop_database(admin_url, name)


async def fetch_value(url: str, sql: str) -> object:
    connection: Connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_each_url_is_the_database_as_its_role(admin_url: str, name: str) -> None:
    urls = await provision(admin_url, name)
    for url, role in ((urls.owner, "portal_owner"), (urls.app, "portal_app"), (urls.svc, "portal_svc")):
        assert await fetch_value(url, "SELECT current_user::text") == role
        assert await fetch_value(url, "SELECT current_database()::text") == name
        assert await fetch_value(url, "SHOW search_path") == "public, pg_temp"


async def test_it_may_be_repeated_and_run_at_once(admin_url: str, name: str) -> None:
    results = await asyncio.gather(*(provision(admin_url, name) for _ in range(3)))
    assert results[0] == results[1] == results[2] == await provision(admin_url, name)


async def test_no_role_has_more_than_it_needs(admin_url: str) -> None:
    connection: Connection = await asyncpg.connect(admin_url)
    rows = await connection.fetch(
        """SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles
           WHERE rolname LIKE 'portal_%' ORDER BY rolname"""
    )
    await connection.close()
    assert [tuple(row) for row in rows] == [
        ("portal_app", True, False, False, False, False),
        ("portal_owner", True, False, False, False, False),
        ("portal_svc", True, False, False, False, False),
    ]


async def test_what_differs_in_a_role_is_set_right(admin_url: str, name: str) -> None:
    await provision(admin_url, name)
    # Another provisioner would set it right under our hands, or meet our uncommitted change.
    administrator: Connection = await asyncpg.connect(admin_url)
    await administrator.execute("SELECT pg_advisory_lock($1)", PROVISION_LOCK)
    await administrator.execute("ALTER ROLE portal_app CREATEDB; ALTER ROLE portal_app RESET search_path")
    await administrator.close()
    urls = await provision(admin_url, name)
    assert await fetch_value(urls.app, "SHOW search_path") == "public, pg_temp"
    assert (
        await fetch_value(admin_url, "SELECT rolcreatedb FROM pg_roles WHERE rolname = 'portal_app'") is False
    )


async def test_only_the_owner_may_create(admin_url: str, name: str) -> None:
    urls = await provision(admin_url, name)
    assert await fetch_value(urls.owner, "CREATE TABLE made ()") is None
    for url in (urls.app, urls.svc):
        for statement in ("CREATE TABLE unmade ()", "CREATE TEMP TABLE unmade ()", "CREATE SCHEMA unmade"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await fetch_value(url, statement)


async def test_a_new_database_can_be_a_copy(
    admin_url: str, name: str, shelf_urls: Urls, worker_name: str
) -> None:
    # The source must have nobody connected: a copy of the copy, made for this test.
    source = f"portal_source_{worker_name}"
    await drop_database(admin_url, source)
    urls = await provision(admin_url, source)
    await fetch_value(urls.owner, "CREATE TABLE original ()")
    copied = await provision(admin_url, name, template=source)
    assert await fetch_value(copied.owner, "SELECT to_regclass('original')::text") == "original"
    assert (
        await fetch_value(
            copied.owner, "SELECT has_database_privilege('portal_app', current_database(), 'TEMP')"
        )
        is False
    )
    await drop_database(admin_url, source)


async def test_a_password_goes_into_the_url_quoted_and_into_no_text(admin_url: str, name: str) -> None:
    urls = await provision(admin_url, name, passwords=Passwords(app="it's/a:pass@word"))
    assert "portal_app:it%27s%2Fa%3Apass%40word@" in urls.app
    assert "word" not in repr(urls)
    assert repr(Passwords(app="it's/a:pass@word")) == "Passwords()"
    assert await fetch_value(urls.app, "SELECT current_user::text") == "portal_app"
    stored = "SELECT rolpassword LIKE 'SCRAM-SHA-256%' FROM pg_authid WHERE rolname = 'portal_app'"
    assert await fetch_value(admin_url, stored) is True
    await fetch_value(admin_url, "ALTER ROLE portal_app PASSWORD NULL")


def test_a_url_keeps_its_host_and_options() -> None:
    url = "postgresql://admin:secret@db.example:6432/postgres?sslmode=verify-full"
    assert build_database_url(url, "portal", "portal_app", "p@ss") == (
        "postgresql://portal_app:p%40ss@db.example:6432/portal?sslmode=verify-full"
    )
    assert (
        build_database_url(url, "other")
        == "postgresql://admin:secret@db.example:6432/other?sslmode=verify-full"
    )
    assert build_database_url("postgresql://postgres@/postgres?host=/run/pg", "portal", "portal_svc") == (
        "postgresql://portal_svc@/portal?host=/run/pg"
    )
