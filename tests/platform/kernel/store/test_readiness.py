"""Ready with the structure that a release needs, or a newer one; not ready without Postgres."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from kernel.store import Database
from kernel.store.migrations import Migration
from kernel.store.readiness import schema_check
from kernel.store.roles import Urls
from kernel.telemetry.health import Failure, Health
from tenants import schema


async def failures(database: Database, migrations: Sequence[Migration]) -> list[Failure]:
    return await Health([schema_check(database, migrations)]).find_failures()


async def test_the_structure_of_this_release_or_a_newer_one_is_ready(database: Database) -> None:
    assert await failures(database, schema.migrations()) == []
    assert await failures(database, schema.migrations()[:-1]) == []


async def test_an_older_structure_names_the_migration_that_is_missing(database: Database) -> None:
    newer = Migration(9999, "newer", "SELECT 1")
    assert await failures(database, (*schema.migrations(), newer)) == [
        Failure("database", "migration 9999_newer is not applied: run `portal migrate`")
    ]


async def test_a_migration_below_the_newest_applied_one_makes_a_process_not_ready(database: Database) -> None:
    early = Migration(0, "early", "SELECT 1")
    last = schema.migrations()[-1]
    message = (
        f"Conflict: Migration 0000_early is not applied, but the later {last} is."
        f" Rename the file to {last.number + 1:04}_early.sql and run `portal migrate` again. [migration.out_of_order]"
    )
    assert await failures(database, (early, *schema.migrations())) == [Failure("database", message)]


async def test_a_database_without_any_migration_is_not_ready(
    scratch: Callable[..., Awaitable[Urls]],
) -> None:
    urls = await scratch(migrated=True)
    owner = await asyncpg.connect(urls.owner)
    await owner.execute("DELETE FROM schema_migration")
    await owner.close()
    database = await Database.open(urls.app, size=1, name="readiness")
    assert await failures(database, schema.migrations()) == [
        Failure("database", f"migration {schema.migrations()[0]} is not applied: run `portal migrate`")
    ]
    await database.close()


async def test_without_postgres_a_process_is_not_ready(urls: Urls) -> None:
    database = await Database.open(urls.app, size=1, name="readiness")
    await database.close()
    (failure,) = await failures(database, schema.migrations())
    assert failure.name == "database"
    assert "connections to the database are closed" in failure.reason
