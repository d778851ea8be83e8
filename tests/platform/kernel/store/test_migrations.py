"""Migrations: in order, once, by one migrator at a time, and never an edited one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from kernel.errors import Conflict, Invalid, Unavailable
from kernel.store.migrations import Migration, in_order, migrate, read_folder
from kernel.store.pool import Connection
from kernel.store.roles import Urls

TABLE = (
    "CREATE TABLE {0} (workspace_id uuid NOT NULL, {0}_id uuid NOT NULL, PRIMARY KEY (workspace_id, {0}_id))"
)
CUPS = Migration(1, "cups", TABLE.format("cup"))
SAUCERS = Migration(2, "saucers", TABLE.format("saucer"))
SPOONS = Migration(5, "spoons", TABLE.format("spoon"))
APPLIED = "SELECT number FROM schema_migration ORDER BY number"


@pytest.fixture
async def empty(scratch: Callable[..., Awaitable[Urls]]) -> AsyncIterator[tuple[str, Connection]]:
    """An empty database: the owner's url and a connection."""
    urls = await scratch()
    connection: Connection = await asyncpg.connect(urls.owner)
    yield urls.owner, connection
    await connection.close()


async def applied(connection: Connection) -> list[int]:
    return [row["number"] for row in await connection.fetch(APPLIED)]


async def tables(connection: Connection) -> set[str]:
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row["tablename"] for row in rows}


async def test_what_is_missing_is_applied_in_order_and_only_once(empty: tuple[str, Connection]) -> None:
    url, connection = empty
    assert await migrate(url, [SAUCERS, CUPS]) == [CUPS, SAUCERS]
    assert await migrate(url, [SAUCERS, CUPS]) == []
    assert await migrate(url, [SPOONS, SAUCERS, CUPS]) == [SPOONS]
    assert await applied(connection) == [1, 2, 5]
    assert await tables(connection) == {"cup", "saucer", "spoon", "schema_migration"}


async def test_every_new_table_is_under_the_policies(empty: tuple[str, Connection]) -> None:
    url, connection = empty
    await migrate(url, [CUPS, SAUCERS])
    rows = await connection.fetch("SELECT tablename, policyname FROM pg_policies ORDER BY 1, 2")
    assert [tuple(row) for row in rows] == [
        ("cup", "of_service"),
        ("cup", "of_workspace"),
        ("saucer", "of_service"),
        ("saucer", "of_workspace"),
    ]


async def test_migrators_that_run_at_once_apply_everything_once(empty: tuple[str, Connection]) -> None:
    url, connection = empty
    # Without the lock the second one would try to create the table while the first one sleeps.
    slow = Migration(1, "slow", f"{CUPS.sql}; SELECT pg_sleep(0.2)")
    done = await asyncio.gather(*(migrate(url, [slow, SAUCERS]) for _ in range(4)))
    assert sorted(done) == [[], [], [], [slow, SAUCERS]]
    assert await applied(connection) == [1, 2]


async def test_the_same_script_twice_at_once_without_the_lock_would_fail(
    empty: tuple[str, Connection],
) -> None:
    url, _ = empty

    async def unlocked() -> None:
        connection: Connection = await asyncpg.connect(url)
        try:
            await connection.execute(f"{CUPS.sql}; SELECT pg_sleep(0.1)")
        finally:
            await connection.close()

    results = await asyncio.gather(unlocked(), unlocked(), return_exceptions=True)
    failures = [type(result) for result in results if result is not None]
    assert failures in ([asyncpg.UniqueViolationError], [asyncpg.DuplicateTableError])


async def test_a_migrator_that_runs_too_long_is_not_waited_for(empty: tuple[str, Connection]) -> None:
    url, connection = empty
    slow = asyncio.create_task(migrate(url, [Migration(1, "slow", "SELECT pg_sleep(0.6)")]))
    async with asyncio.timeout(5):
        while not await connection.fetchval(  # noqa: ASYNC110  -- Postgres' state
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        ):
            await asyncio.sleep(0.01)
    with pytest.raises(Unavailable) as caught:
        await migrate(url, [CUPS], patience_s=0.1)
    assert caught.value.code == "migration.running"
    await slow


async def test_a_locked_table_fails_the_migration_rather_than_stop_all_readers(
    empty: tuple[str, Connection],
) -> None:
    url, connection = empty
    await migrate(url, [CUPS])
    await connection.execute("BEGIN; LOCK TABLE cup IN ACCESS SHARE MODE")
    colour = Migration(2, "colour", "ALTER TABLE cup ADD COLUMN colour text")
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable) as caught:
            await migrate(url, [CUPS, colour], lock_timeout_s=0.2)
    assert caught.value.code == "migration.locked_out"
    await connection.execute("ROLLBACK")
    assert await migrate(url, [CUPS, colour], lock_timeout_s=0.2) == [colour]


async def test_a_failing_script_leaves_nothing_of_itself_and_all_before_it(
    empty: tuple[str, Connection],
) -> None:
    url, connection = empty
    broken = Migration(2, "broken", f"{SAUCERS.sql}; SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(url, [CUPS, broken])
    assert await applied(connection) == [1]
    assert "saucer" not in await tables(connection)
    assert await migrate(url, [CUPS, SAUCERS]) == [SAUCERS]


async def test_a_script_and_its_entry_in_the_ledger_come_together_or_not_at_all(
    empty: tuple[str, Connection],
) -> None:
    url, connection = empty
    unpinned = "CREATE FUNCTION spy() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"
    with pytest.raises(Invalid, match="search_path"):
        await migrate(url, [CUPS, Migration(2, "spy", f"{SAUCERS.sql}; {unpinned}")])
    assert await applied(connection) == [1]
    assert await tables(connection) == {"cup", "schema_migration"}


async def test_an_applied_script_may_not_be_edited(empty: tuple[str, Connection]) -> None:
    url, _ = empty
    await migrate(url, [CUPS])
    with pytest.raises(Conflict) as caught:
        await migrate(url, [Migration(1, "cups", CUPS.sql + " -- better"), SAUCERS])
    assert (caught.value.code, caught.value.data) == ("migration.changed", {"number": 1})


async def test_a_script_may_not_come_before_an_applied_one(empty: tuple[str, Connection]) -> None:
    url, _ = empty
    await migrate(url, [CUPS, SPOONS])
    with pytest.raises(Conflict) as caught:
        await migrate(url, [CUPS, SAUCERS, SPOONS])
    assert (caught.value.code, caught.value.data) == ("migration.out_of_order", {"number": 2})


async def test_an_older_release_leaves_a_newer_database_alone(empty: tuple[str, Connection]) -> None:
    url, connection = empty
    await migrate(url, [CUPS, SAUCERS])
    assert await migrate(url, [CUPS]) == []
    assert await applied(connection) == [1, 2]


async def test_a_migration_may_replace_a_function_of_svc(empty: tuple[str, Connection]) -> None:
    url, connection = empty
    create = """CREATE OR REPLACE FUNCTION cups() RETURNS bigint LANGUAGE sql SECURITY DEFINER
                SET search_path = pg_catalog, public, pg_temp AS $$ SELECT {}::bigint $$"""
    first = Migration(2, "count", create.format(1))
    replaced = Migration(3, "recount", f"SET LOCAL ROLE portal_svc; {create.format(2)}; RESET ROLE")
    await migrate(url, [CUPS, first, replaced])
    owner = "SELECT proowner::regrole::text FROM pg_proc WHERE proname = 'cups'"
    assert await connection.fetchval(owner) == "portal_svc"
    assert (
        await connection.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'cups'") == " SELECT 2::bigint "
    )
    assert not await connection.fetchval("SELECT has_schema_privilege('portal_svc', 'public', 'CREATE')")


def test_a_number_is_given_once() -> None:
    with pytest.raises(Invalid) as caught:
        in_order([CUPS, SAUCERS, Migration(1, "mugs", "")])
    assert (caught.value.code, caught.value.data) == ("migration.number_twice", {"number": 1})


def test_scripts_are_read_from_a_folder_by_their_number(tmp_path: Path) -> None:
    (tmp_path / "0012_later.sql").write_text("SELECT 12", encoding="utf-8")
    (tmp_path / "0003_early.sql").write_text("SELECT 'ü'", encoding="utf-8")
    (tmp_path / "README.md").write_text("not a script", encoding="utf-8")
    assert read_folder(tmp_path) == (
        Migration(3, "early", "SELECT 'ü'"),
        Migration(12, "later", "SELECT 12"),
    )


@pytest.mark.parametrize("name", ["12_short.sql", "0012-dash.sql", "0012_Upper.sql", "last.sql"])
def test_a_script_with_another_name_is_refused_rather_than_forgotten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("SELECT 1", encoding="utf-8")
    with pytest.raises(Invalid) as caught:
        read_folder(tmp_path)
    assert (caught.value.code, caught.value.data) == ("migration.file_name", {"file": name})
