"""The generated policies: what each role can reach, and what happens without them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from kernel.errors import Invalid
from kernel.store import Database, execute, fetch, fetch_value
from kernel.store.errors import UNBOUND_SQLSTATE
from kernel.store.migrations import Migration, migrate
from kernel.store.policies import apply_policies
from kernel.store.pool import Connection
from kernel.store.roles import APP, SVC, Urls

ADD_BOOK = "INSERT INTO book (workspace_id, book_id, title) VALUES ($1, $2, $3)"
ADD_PAGE = "INSERT INTO page (workspace_id, page_id, book_id) VALUES ($1, $2, $3)"
SHEETS = Migration(
    1,
    "sheets",
    """
    CREATE TABLE sheet (
        workspace_id uuid NOT NULL, sheet_id uuid NOT NULL UNIQUE, back_of uuid REFERENCES sheet (sheet_id),
        PRIMARY KEY (workspace_id, sheet_id)
    )
    """,
)
ADD_SHEET = "INSERT INTO sheet (workspace_id, sheet_id, back_of) VALUES ($1, $2, $3)"
Scratch = Callable[..., Awaitable[Urls]]


def get_sqlstate(error: Any) -> object:
    return error.sqlstate


@pytest.fixture
async def sheets(scratch: Scratch) -> AsyncIterator[tuple[Urls, Connection]]:
    """A database of this test's own, whose policies it may spoil, and its owner's connection."""
    urls = await scratch()
    await migrate(urls.owner, [SHEETS])
    connection: Connection = await asyncpg.connect(urls.owner)
    yield urls, connection
    await connection.close()


@pytest.mark.parametrize("setting", [None, ""], ids=("never set", "empty"))
async def test_without_a_workspace_every_statement_raises(shelf_urls: Urls, setting: str | None) -> None:
    connection: Connection = await asyncpg.connect(shelf_urls.app)
    try:
        if setting is not None:
            await connection.execute("SELECT set_config('app.workspace', $1, false)", setting)
        for statement, args in (
            ("SELECT app_workspace()", ()),
            ("SELECT * FROM book WHERE book_id = $1", (uuid4(),)),
            ("SELECT * FROM book WHERE workspace_id = $1", (uuid4(),)),
            ("UPDATE book SET title = ''", ()),
            ("DELETE FROM book WHERE workspace_id = $1 AND book_id = $2", (uuid4(), uuid4())),
            (ADD_BOOK, (uuid4(), uuid4(), "Stray")),
        ):
            with pytest.raises(asyncpg.PostgresError) as caught:
                await connection.fetch(statement, *args)
            assert get_sqlstate(caught.value) == UNBOUND_SQLSTATE, statement
    finally:
        await connection.close()


async def test_the_unbound_unit_reaches_definer_functions_and_no_table(
    shelf: Database, svc_connection: Connection
) -> None:
    await svc_connection.execute(ADD_BOOK, uuid4(), uuid4(), "Somebody's")
    async with shelf.unbound():
        assert await fetch_value("SELECT book_count()") == await svc_connection.fetchval(
            "SELECT count(*) FROM book"
        )
        with pytest.raises(asyncpg.PostgresError) as caught:
            await fetch_value("SELECT app_workspace()")
        assert get_sqlstate(caught.value) == UNBOUND_SQLSTATE
        await execute("ROLLBACK; BEGIN")


async def test_a_row_for_another_workspace_is_refused(shelf: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with shelf.scope(uuid4()):
            await execute(ADD_BOOK, uuid4(), uuid4(), "Smuggled in")


async def test_a_row_cannot_be_given_to_another_workspace(shelf: Database) -> None:
    ours = uuid4()
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with shelf.scope(ours):
            await execute(ADD_BOOK, ours, uuid4(), "Smuggled out")
            await execute("UPDATE book SET workspace_id = $1", uuid4())


async def test_a_foreign_row_cannot_be_pointed_at(shelf: Database, svc_connection: Connection) -> None:
    ours, theirs, their_book = uuid4(), uuid4(), uuid4()
    await svc_connection.execute(ADD_BOOK, theirs, their_book, "Theirs")
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="page_of_book"):
        async with shelf.scope(ours):
            await execute(ADD_PAGE, ours, uuid4(), their_book)


async def test_a_foreign_key_of_one_column_would_accept_the_foreign_row(
    sheets: tuple[Urls, Connection],
) -> None:
    urls, _ = sheets
    database = await Database.open(urls.app, size=1)
    theirs = uuid4()
    async with database.scope(uuid4()) as unit:
        await execute(ADD_SHEET, unit.workspace_id, theirs, None)
    async with database.scope(uuid4()) as unit:
        assert await execute(ADD_SHEET, unit.workspace_id, uuid4(), theirs) == "INSERT 0 1"
    await database.close()


@pytest.mark.parametrize(
    "spoil",
    [
        "ALTER TABLE sheet DISABLE ROW LEVEL SECURITY",
        "CREATE POLICY permissive ON sheet TO portal_app USING (true)",
        "ALTER POLICY of_workspace ON sheet USING (true) WITH CHECK (true)",
    ],
)
async def test_without_the_policies_rows_cross_and_applying_them_again_is_the_cure(
    sheets: tuple[Urls, Connection], spoil: str
) -> None:
    urls, owner = sheets
    database = await Database.open(urls.app, size=1)
    async with database.scope(uuid4()) as unit:
        await execute(ADD_SHEET, unit.workspace_id, uuid4(), None)

    await owner.execute(spoil)
    async with database.scope(uuid4()):
        assert await fetch_value("SELECT count(*) FROM sheet") == 1
        await execute(ADD_SHEET, uuid4(), uuid4(), None)

    await apply_policies(owner)
    async with database.scope(uuid4()):
        assert await fetch_value("SELECT count(*) FROM sheet") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await execute(ADD_SHEET, uuid4(), uuid4(), None)
        await execute("ROLLBACK; BEGIN")
    await database.close()


async def test_applying_what_is_right_already_locks_no_table(sheets: tuple[Urls, Connection]) -> None:
    urls, owner = sheets
    reader: Connection = await asyncpg.connect(urls.svc)
    await reader.execute("BEGIN")
    await reader.fetch("SELECT * FROM sheet")
    await owner.execute("SET lock_timeout = '200ms'")
    await apply_policies(owner)
    with pytest.raises(asyncpg.LockNotAvailableError):
        await owner.execute("ALTER TABLE sheet DISABLE ROW LEVEL SECURITY")
    await reader.close()


async def test_the_owner_is_held_by_the_policies_too(sheets: tuple[Urls, Connection]) -> None:
    _, owner = sheets
    with pytest.raises(asyncpg.PostgresError) as caught:
        await owner.fetch("SELECT * FROM sheet WHERE workspace_id = $1 AND sheet_id = $2", uuid4(), uuid4())
    assert get_sqlstate(caught.value) == UNBOUND_SQLSTATE
    await owner.execute("SELECT set_config('app.workspace', $1, false)", str(uuid4()))
    assert await owner.fetchval("SELECT count(*) FROM sheet") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.execute(ADD_SHEET, uuid4(), uuid4(), None)


async def test_svc_sees_every_workspace(shelf_urls: Urls, svc_connection: Connection) -> None:
    one, other = uuid4(), uuid4()
    for workspace in (one, other):
        await svc_connection.execute(ADD_BOOK, workspace, uuid4(), "Seen")
    query = "SELECT count(*) FROM book WHERE workspace_id = ANY ($1)"
    assert await svc_connection.fetchval(query, [one, other]) == 2


async def test_app_may_not_truncate_nor_change_the_structure(shelf: Database) -> None:
    for statement in (
        "TRUNCATE page",
        "DROP TABLE page",
        "CREATE TABLE mine ()",
        "CREATE TEMP TABLE mine ()",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with shelf.scope(uuid4()):
                await execute(statement)


async def test_a_query_reads_the_workspace_once_and_goes_by_the_index(shelf: Database) -> None:
    async with shelf.scope(uuid4()):
        await execute("SET LOCAL enable_seqscan = off")
        await execute("SET LOCAL enable_bitmapscan = off")
        plan = await fetch("EXPLAIN (COSTS OFF) SELECT title FROM book WHERE book_id = $1", uuid4())
    text = "\n".join(row["QUERY PLAN"] for row in plan)
    assert "InitPlan 1" in text
    assert "Index Cond: ((workspace_id = (InitPlan 1).col1) AND (book_id = " in text


async def test_a_table_without_workspace_must_be_listed(sheets: tuple[Urls, Connection]) -> None:
    urls, owner = sheets
    await owner.execute("CREATE TABLE rate (currency text PRIMARY KEY)")
    with pytest.raises(Invalid) as caught:
        await apply_policies(owner)
    assert (caught.value.code, caught.value.data) == ("store.unlisted_table", {"table": "rate"})

    await apply_policies(owner, unscoped={"rate": "SELECT"})
    app: Connection = await asyncpg.connect(urls.app)
    assert await app.fetch("SELECT * FROM rate") == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("INSERT INTO rate VALUES ('EUR')")
    await app.close()


async def test_a_role_may_have_less_than_all_rights_on_a_table(sheets: tuple[Urls, Connection]) -> None:
    urls, owner = sheets
    await apply_policies(owner, grants={"sheet": {APP: "SELECT, INSERT (workspace_id, sheet_id)"}})
    workspace = uuid4()
    app: Connection = await asyncpg.connect(urls.app)
    await app.execute("SELECT set_config('app.workspace', $1, false)", str(workspace))
    await app.execute("INSERT INTO sheet (workspace_id, sheet_id) VALUES ($1, $2)", workspace, uuid4())
    assert len(await app.fetch("SELECT * FROM sheet")) == 1
    for statement in ("UPDATE sheet SET back_of = NULL", "DELETE FROM sheet"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(ADD_SHEET, workspace, uuid4(), None)
    # With the limit gone it has all rights again, and none on a column alone.
    await apply_policies(owner)
    await app.execute(ADD_SHEET, workspace, uuid4(), None)
    await app.execute("DELETE FROM sheet")
    await app.close()
    columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'sheet'::regclass AND attacl IS NOT NULL"
    assert await owner.fetchval(columns) == 0


async def test_limited_rights_that_are_right_already_are_left_alone(sheets: tuple[Urls, Connection]) -> None:
    _, owner = sheets
    grants = {"sheet": {APP: "SELECT, INSERT (workspace_id, sheet_id)", SVC: "SELECT, DELETE"}}
    version = """SELECT c.xmin::text, array_agg(a.xmin::text ORDER BY attnum) FROM pg_class c, pg_attribute a
                 WHERE c.oid = 'sheet'::regclass AND attrelid = c.oid GROUP BY 1"""
    await apply_policies(owner, grants=grants)
    before = await owner.fetch(version)
    await apply_policies(owner, grants=grants)
    assert await owner.fetch(version) == before


async def test_a_definer_function_must_pin_its_search_path(sheets: tuple[Urls, Connection]) -> None:
    _, owner = sheets
    await owner.execute("CREATE FUNCTION spy() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'")
    with pytest.raises(Invalid) as caught:
        await apply_policies(owner)
    assert (caught.value.code, caught.value.data) == ("store.unpinned_function", {"function": "spy()"})


async def test_a_definer_function_left_with_the_owner_would_be_unbound(
    sheets: tuple[Urls, Connection],
) -> None:
    urls, owner = sheets
    await owner.execute(
        """CREATE FUNCTION sheet_count() RETURNS bigint LANGUAGE sql SECURITY DEFINER
           SET search_path = pg_catalog, public, pg_temp AS 'SELECT count(*) FROM sheet WHERE sheet_id IS NOT NULL'"""
    )
    svc: Connection = await asyncpg.connect(urls.svc)
    await svc.execute(ADD_SHEET, uuid4(), uuid4(), None)
    await svc.close()
    app: Connection = await asyncpg.connect(urls.app)
    with pytest.raises(asyncpg.PostgresError) as caught:
        await app.fetchval("SELECT sheet_count()")
    assert get_sqlstate(caught.value) == UNBOUND_SQLSTATE
    await apply_policies(owner)
    assert await app.fetchval("SELECT sheet_count()") == 1
    await app.close()
