"""Migrations: in order, once, by one migrator at a time, and never an edited one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from kernel.errors import Conflict, Invalid, Unavailable
from kernel.store.migrations import Migration, migrate, read_folder, sort_migrations
from kernel.store.pool import Connection
from kernel.store.roles import Urls

TABLE = (
    "CREATE TABLE {0} (workspace_id uuid NOT NULL, {0}_id uuid NOT NULL, PRIMARY KEY (workspace_id, {0}_id))"
)
CUPS = Migration(1, "cups", TABLE.format("cup"))
SAUCERS = Migration(2, "saucers", TABLE.format("saucer"))
SPOONS = Migration(5, "spoons", TABLE.format("spoon"))
SELECT_NUMBERS = "SELECT number FROM schema_migration ORDER BY number"


@pytest.fixture
async def empty(scratch: Callable[..., Awaitable[Urls]]) -> AsyncIterator[tuple[str, Connection]]:
    """An empty database: the owner's url and a connection."""
    urls = await scratch()
    connection: Connection = await asyncpg.connect(urls.owner)
    yield urls.owner, connection
    await connection.close()


async def fetch_numbers(connection: Connection) -> list[int]:
    return [row["number"] for row in await connection.fetch(SELECT_NUMBERS)]


async def fetch_tables(connection: Connection) -> set[str]:
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row["tablename"] for row in rows}


async def test_what_is_missing_is_applied_in_order_and_only_once(empty: tuple[str, Connection]) -> None:
    url, connection = empty
    assert await migrate(url, [SAUCERS, CUPS]) == [CUPS, SAUCERS]
    assert await migrate(url, [SAUCERS, CUPS]) == []
    assert await migrate(url, [SPOONS, SAUCERS, CUPS]) == [SPOONS]
    assert await fetch_numbers(connection) == [1, 2, 5]
    assert await fetch_tables(connection) == {"cup", "saucer", "spoon", "schema_migration"}


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
    assert await fetch_numbers(connection) == [1, 2]


async def test_the_same_script_twice_at_once_without_the_lock_would_fail(
    empty: tuple[str, Connection],
) -> None:
    url, _ = empty

    async def apply_without_lock() -> None:
        connection: Connection = await asyncpg.connect(url)
        try:
            await connection.execute(f"{CUPS.sql}; SELECT pg_sleep(0.1)")
        finally:
            await connection.close()

    results = await asyncio.gather(apply_without_lock(), apply_without_lock(), return_exceptions=True)
    failures = [type(result) for result in results if result is not None]
    assert failures in ([asyncpg.UniqueViolationError], [asyncpg.DuplicateTableError])


async def test_a_migrator_that_runs_too_long_is_not_waited_for(empty: tuple[str, Connection]) -> None:
    url, connection = empty
    slow = asyncio.create_task(migrate(url, [Migration(1, "slow", "SELECT pg_sleep(60)")]))
    async with asyncio.timeout(5):
        while not await connection.fetchval(  # noqa: ASYNC110  -- Postgres' state
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        ):
            await asyncio.sleep(0.01)
    with pytest.raises(Unavailable) as caught:
        await migrate(url, [CUPS], wait_timeout_s=0.1)
    assert caught.value.code == "migration.running"
    slow.cancel()
    await asyncio.wait([slow])


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
    assert caught.value.code == "migration.lock_timeout"
    await connection.execute("ROLLBACK")
    assert await migrate(url, [CUPS, colour], lock_timeout_s=0.2) == [colour]


async def test_a_failing_script_leaves_nothing_of_itself_and_all_before_it(
    empty: tuple[str, Connection],
) -> None:
    url, connection = empty
    broken = Migration(2, "broken", f"{SAUCERS.sql}; SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(url, [CUPS, broken])
    assert await fetch_numbers(connection) == [1]
    assert "saucer" not in await fetch_tables(connection)
    assert await migrate(url, [CUPS, SAUCERS]) == [SAUCERS]


async def test_a_script_and_its_record_come_together_or_not_at_all(
    empty: tuple[str, Connection],
) -> None:
    url, connection = empty
    unpinned = "CREATE FUNCTION spy() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"
    with pytest.raises(Invalid, match="search_path"):
        await migrate(url, [CUPS, Migration(2, "spy", f"{SAUCERS.sql}; {unpinned}")])
    assert await fetch_numbers(connection) == [1]
    assert await fetch_tables(connection) == {"cup", "schema_migration"}


async def test_an_applied_script_may_not_be_edited(empty: tuple[str, Connection]) -> None:
    url, _ = empty
    await migrate(url, [CUPS])
    with pytest.raises(Conflict) as caught:
        await migrate(url, [Migration(1, "cups", CUPS.sql + " -- better"), SAUCERS])
    assert (caught.value.code, caught.value.data) == ("migration.changed", {"number": 1})
    assert "Restore the file" in caught.value.message


async def test_a_script_may_not_come_before_an_applied_one(empty: tuple[str, Connection]) -> None:
    url, _ = empty
    await migrate(url, [CUPS, SPOONS])
    with pytest.raises(Conflict) as caught:
        await migrate(url, [CUPS, SAUCERS, SPOONS])
    assert (caught.value.code, caught.value.data) == ("migration.out_of_order", {"number": 2})
    assert caught.value.message == (
        "Migration 0002_saucers is not applied, but the later 0005_spoons is."
        " Rename the file to 0006_saucers.sql and run `portal migrate` again."
    )
    renamed = Migration(6, SAUCERS.name, SAUCERS.sql)
    assert await migrate(url, [CUPS, SPOONS, renamed]) == [renamed]


async def test_a_script_may_not_come_before_one_that_only_a_newer_release_knows(
    empty: tuple[str, Connection],
) -> None:
    url, _ = empty
    await migrate(url, [CUPS, SPOONS])
    with pytest.raises(Conflict) as caught:
        await migrate(url, [CUPS, SAUCERS])
    assert caught.value.code == "migration.out_of_order"
    assert "0006_saucers.sql" in caught.value.message


async def test_an_older_release_leaves_a_newer_database_alone(empty: tuple[str, Connection]) -> None:
    url, connection = empty
    await migrate(url, [CUPS, SAUCERS])
    assert await migrate(url, [CUPS]) == []
    assert await fetch_numbers(connection) == [1, 2]


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


INDEX = Migration(
    2,
    "cup_index",
    "-- no transaction\n-- Why it is needed; a comment may hold anything but that.\n"
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS cup_once ON cup (workspace_id) WHERE cup_id IS NOT NULL;\n",
)
DROP = Migration(3, "no_cup_index", "-- no transaction\nDROP INDEX CONCURRENTLY IF EXISTS cup_once;\n")
IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('cup_once')"
ADD_CUP = "INSERT INTO cup VALUES ('00000000-0000-4000-8000-000000000001', gen_random_uuid())"


async def test_an_index_is_built_and_dropped_without_a_transaction(empty: tuple[str, Connection]) -> None:
    url, connection = empty
    assert await migrate(url, [CUPS, INDEX]) == [CUPS, INDEX]
    assert await connection.fetchval(IS_VALID)
    assert await migrate(url, [CUPS, INDEX, DROP, SPOONS]) == [DROP, SPOONS]
    assert await connection.fetchval(IS_VALID) is None
    assert await fetch_numbers(connection) == [1, 2, 3, 5]


async def test_an_index_is_not_built_concurrently_in_a_transaction(empty: tuple[str, Connection]) -> None:
    url, connection = empty
    with pytest.raises(asyncpg.ActiveSQLTransactionError):
        await migrate(url, [CUPS, Migration(2, "cup_index", INDEX.sql.removeprefix("-- no transaction\n"))])
    assert await fetch_numbers(connection) == [1]


async def test_a_build_that_waits_too_long_for_open_transactions_is_repeated(
    empty: tuple[str, Connection],
) -> None:
    url, connection = empty
    await migrate(url, [CUPS])
    await connection.execute("BEGIN; LOCK TABLE cup IN ROW EXCLUSIVE MODE")
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable) as caught:
            await migrate(url, [CUPS, INDEX], wait_timeout_s=0.2)
    assert caught.value.code == "migration.lock_timeout"
    await connection.execute("ROLLBACK")
    assert await connection.fetchval(IS_VALID) is False
    assert await fetch_numbers(connection) == [1]
    assert await migrate(url, [CUPS, INDEX]) == [INDEX]
    assert await connection.fetchval(IS_VALID)


async def test_a_build_waits_for_open_transactions_longer_than_for_a_lock(
    empty: tuple[str, Connection],
) -> None:
    url, connection = empty
    await migrate(url, [CUPS])
    await connection.execute("BEGIN; LOCK TABLE cup IN ROW EXCLUSIVE MODE")
    build = asyncio.create_task(migrate(url, [CUPS, INDEX], lock_timeout_s=0.05))
    await asyncio.sleep(0.5)
    await connection.execute("ROLLBACK")
    assert await build == [INDEX]


async def test_a_unique_index_that_met_duplicates_is_built_once_they_are_gone(
    empty: tuple[str, Connection],
) -> None:
    url, connection = empty
    await migrate(url, [CUPS])
    add = f"SET app.workspace = '00000000-0000-4000-8000-000000000001'; {ADD_CUP}"
    await connection.execute(f"{add}; {ADD_CUP}")
    with pytest.raises(asyncpg.UniqueViolationError):
        await migrate(url, [CUPS, INDEX])
    assert await connection.fetchval(IS_VALID) is False
    await connection.execute("DELETE FROM cup")
    assert await migrate(url, [CUPS, INDEX]) == [INDEX]
    assert await connection.fetchval(IS_VALID)


async def test_a_built_index_that_was_not_recorded_is_not_built_again(
    empty: tuple[str, Connection],
) -> None:
    url, connection = empty
    await migrate(url, [CUPS, INDEX])
    oid = await connection.fetchval("SELECT to_regclass('cup_once')::oid")
    await connection.execute("DELETE FROM schema_migration WHERE number = 2")
    assert await migrate(url, [CUPS, INDEX]) == [INDEX]
    assert await connection.fetchval("SELECT to_regclass('cup_once')::oid") == oid


async def test_a_migrator_that_waits_does_not_stop_the_build_of_another(
    empty: tuple[str, Connection],
) -> None:
    url, connection = empty
    # Waiting inside a statement the others would hold snapshots, and the build would wait for them: a deadlock.
    done = await asyncio.gather(*(migrate(url, [CUPS, INDEX, SPOONS]) for _ in range(4)))
    assert sorted(done) == [[], [], [], [CUPS, INDEX, SPOONS]]
    assert await connection.fetchval(IS_VALID)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY cup_once ON cup (workspace_id)",
        "CREATE INDEX IF NOT EXISTS cup_once ON cup (workspace_id)",
        "DROP INDEX CONCURRENTLY cup_once",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS ON cup (workspace_id); DROP TABLE cup",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS cup_once ON cup (workspace_id); SELECT 1",
        "VACUUM cup",
        "",
    ],
)
def test_a_script_without_a_transaction_is_one_statement_that_can_be_repeated(statement: str) -> None:
    with pytest.raises(Invalid) as caught:
        Migration(7, "cups", f"-- no transaction\n{statement}")
    assert (caught.value.code, caught.value.data) == ("migration.not_repeatable", {"number": 7})


def test_a_number_is_given_once() -> None:
    with pytest.raises(Invalid) as caught:
        sort_migrations([CUPS, SAUCERS, Migration(1, "mugs", "")])
    assert (caught.value.code, caught.value.data) == ("migration.duplicate_number", {"number": 1})


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
