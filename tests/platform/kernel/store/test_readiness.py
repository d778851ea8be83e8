"""Ready with the structure that a release needs, or a newer one; not ready without Postgres."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import asyncpg

from kernel.store import Database
from kernel.store.readiness import schema_check
from kernel.store.roles import Urls
from kernel.telemetry.health import Failure, Health
from tenants import schema


async def failures(database: Database, needed: int) -> list[Failure]:
    return await Health([schema_check(database, needed)]).ready()


async def test_the_structure_of_this_release_or_a_newer_one_is_ready(database: Database) -> None:
    assert await failures(database, schema.version()) == []
    assert await failures(database, schema.version() - 1) == []


async def test_an_older_structure_names_both_migrations(database: Database) -> None:
    found, needed = schema.version(), schema.version() + 1
    assert await failures(database, needed) == [
        Failure("database", f"schema is {found}, this release needs {needed}")
    ]


async def test_a_database_without_any_migration_is_not_ready(
    scratch: Callable[..., Awaitable[Urls]],
) -> None:
    urls = await scratch(migrated=True)
    owner = await asyncpg.connect(urls.owner)
    await owner.execute("DELETE FROM schema_migration")
    await owner.close()
    database = await Database.open(urls.app, size=1, name="readiness")
    assert await failures(database, 1) == [Failure("database", "schema is None, this release needs 1")]
    await database.close()


async def test_without_postgres_a_process_is_not_ready(urls: Urls) -> None:
    database = await Database.open(urls.app, size=1, name="readiness")
    await database.close()
    (failure,) = await failures(database, schema.version())
    assert failure.name == "database"
    assert "connections to the database are closed" in failure.reason
