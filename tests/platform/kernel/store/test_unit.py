"""The unit of work: what it stores and refuses, and that it always releases its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import asyncpg
import pytest

from kernel.errors import Missing, Unavailable
from kernel.store import (
    Database,
    FailedTransaction,
    NestedUnitOfWork,
    NoUnitOfWork,
    NoWorkspace,
    UnitOfWork,
    WrongTask,
    bulk_insert,
    current,
    current_workspace,
    execute,
    fetch,
    fetch_one,
    fetch_value,
    fetch_with_custom_plan,
    savepoint,
)
from kernel.store.pool import Connection
from kernel.store.roles import Urls

ADD_BOOK = "INSERT INTO book (workspace_id, book_id, title) VALUES ($1, $2, $3)"
ADD_PAGE = "INSERT INTO page (workspace_id, page_id, book_id) VALUES ($1, $2, $3)"
BACKEND = "SELECT pg_backend_pid()"


async def add_book(title: str, workspace: UUID | None = None) -> UUID:
    book = uuid4()
    await execute(ADD_BOOK, workspace or current_workspace(), book, title)
    return book


async def fetch_titles(database: Database, workspace: UUID) -> list[str]:
    async with database.scope(workspace):
        return [row["title"] for row in await fetch("SELECT title FROM book ORDER BY title")]


async def fetch_backend_pid(database: Database) -> int:
    async with database.unbound():
        return int(await fetch_value(BACKEND))


async def test_leaving_commits_and_an_error_rolls_back(shelf: Database) -> None:
    workspace = uuid4()
    async with shelf.scope(workspace) as unit:
        await add_book("Kept")
        assert shelf.in_use == 1
        assert unit is current()
    with pytest.raises(Missing, match="no such shelf"):
        async with shelf.scope(workspace):
            await add_book("Lost")
            raise Missing("shelf.missing", "no such shelf")
    assert await fetch_titles(shelf, workspace) == ["Kept"]


async def test_an_error_in_the_work_costs_no_connection(shelf: Database) -> None:
    before = await fetch_backend_pid(shelf)
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with shelf.scope(uuid4()):
            await fetch("SELECT 1 / 0")
    assert await fetch_backend_pid(shelf) == before


async def test_a_workspace_sees_and_counts_its_own_rows_only(shelf: Database) -> None:
    ours, theirs = uuid4(), uuid4()
    async with shelf.scope(ours):
        await add_book("Ours")
    async with shelf.scope(theirs):
        await add_book("Theirs")
        assert await execute("UPDATE book SET readers = readers + 1") == "UPDATE 1"
    assert await fetch_titles(shelf, ours) == ["Ours"]
    assert await fetch_titles(shelf, theirs) == ["Theirs"]


async def test_a_statement_outside_any_unit_is_refused(shelf: Database) -> None:
    for statement in (fetch, fetch_one, fetch_value, execute):
        with pytest.raises(NoUnitOfWork):
            await statement("SELECT 1")
    with pytest.raises(NoUnitOfWork):
        current()
    async with shelf.scope(uuid4()):
        pass
    with pytest.raises(NoUnitOfWork):
        await fetch("SELECT 1")


async def test_the_unbound_unit_has_no_workspace_to_name(shelf: Database) -> None:
    async with shelf.unbound():
        with pytest.raises(NoWorkspace):
            current_workspace()


async def test_a_failed_commit_terminates_the_connection_and_frees_its_slot(shelf: Database) -> None:
    before = await fetch_backend_pid(shelf)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with shelf.scope(uuid4()):
            await execute(ADD_PAGE, current_workspace(), uuid4(), uuid4())
    assert shelf.in_use == 0
    assert await fetch_backend_pid(shelf) != before


async def test_gather_inside_a_unit_is_refused_and_gives_the_connection_back(shelf: Database) -> None:
    with pytest.raises(WrongTask):
        async with shelf.scope(uuid4()):
            await asyncio.gather(fetch("SELECT 1"), fetch("SELECT 2"))
    assert shelf.in_use == 0
    assert await fetch_titles(shelf, uuid4()) == []


async def test_a_task_may_not_use_the_unit_of_the_task_that_started_it(shelf: Database) -> None:
    async with shelf.scope(uuid4()):
        task = asyncio.create_task(fetch("SELECT 1"))
        with pytest.raises(WrongTask):
            await task
        assert await fetch_value("SELECT 2") == 2


async def test_a_task_started_inside_a_unit_may_open_one_of_its_own(
    open_shelf: Callable[..., Awaitable[Database]],
) -> None:
    shelf = await open_shelf(size=2)
    ours, theirs = uuid4(), uuid4()

    async def read_workspace() -> UUID:
        async with shelf.scope(theirs):
            return UUID(str(await fetch_value("SELECT app_workspace()")))

    async with shelf.scope(ours):
        assert await asyncio.create_task(read_workspace()) == theirs
        assert await fetch_value("SELECT app_workspace()") == ours


async def test_a_unit_left_by_another_task_loses_its_connection(shelf: Database) -> None:
    workspace = uuid4()
    unit = shelf.scope(workspace)

    async def enter() -> UnitOfWork:
        await unit.__aenter__()
        await add_book("Nobody's")
        return unit

    await asyncio.create_task(enter())
    with pytest.raises(WrongTask):
        await unit.__aexit__(None, None, None)
    assert shelf.in_use == 0
    assert await fetch_titles(shelf, workspace) == []


async def test_double_cancellation_gives_the_connection_back(
    shelf: Database, svc_connection: Connection
) -> None:
    workspace, working = uuid4(), asyncio.Event()

    async def work() -> None:
        async with shelf.scope(workspace):
            await add_book("Cancelled")
            working.set()
            await fetch("SELECT pg_sleep(20)")

    task = asyncio.create_task(work())
    await working.wait()
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert shelf.in_use == 0
    assert await fetch_titles(shelf, workspace) == []
    async with asyncio.timeout(5):
        while await svc_connection.fetchval(  # noqa: ASYNC110  -- Postgres' state
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(20%'"
        ):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("turns", range(6))
async def test_whenever_it_is_cancelled_the_next_unit_finds_a_connection(shelf: Database, turns: int) -> None:
    workspace = uuid4()

    async def work() -> None:
        async with shelf.scope(workspace):
            await fetch("SELECT 1")

    task = asyncio.create_task(work())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert shelf.in_use == 0
    assert await fetch_titles(shelf, workspace) == []


async def test_a_timeout_inside_the_work_rolls_back(shelf: Database) -> None:
    workspace = uuid4()
    with pytest.raises(TimeoutError):
        async with shelf.scope(workspace):
            await add_book("Late")
            async with asyncio.timeout(0.05):
                await fetch("SELECT pg_sleep(20)")
    assert await fetch_titles(shelf, workspace) == []


async def test_a_statement_without_an_answer_is_an_outage_and_costs_the_connection(shelf_urls: Urls) -> None:
    database = await Database.open(shelf_urls.app, size=1, name="impatient", command_timeout_s=0.1)
    workspace, before = uuid4(), 0
    with pytest.raises(Unavailable) as caught:
        async with database.scope(workspace):
            before = await fetch_value("SELECT pg_backend_pid()")
            await fetch("SELECT pg_sleep(20)")
    assert caught.value.code == "store.slow"
    async with database.scope(workspace):
        assert await fetch_value("SELECT pg_backend_pid()") != before
    await database.close()


async def test_a_nested_unit_is_refused_and_the_outer_one_goes_on(shelf: Database) -> None:
    workspace = uuid4()
    async with shelf.scope(workspace):
        await add_book("Outer")
        for inner in (shelf.scope(workspace), shelf.scope(uuid4()), shelf.unbound()):
            with pytest.raises(NestedUnitOfWork):
                await inner.__aenter__()
        await add_book("Still outer")
    assert await fetch_titles(shelf, workspace) == ["Outer", "Still outer"]


async def test_an_error_of_postgres_that_was_caught_inside_fails_the_commit(shelf: Database) -> None:
    workspace = uuid4()
    with pytest.raises(FailedTransaction):
        async with shelf.scope(workspace):
            await add_book("Once")
            with pytest.raises(asyncpg.UniqueViolationError):
                await add_book("Once")
    assert await fetch_titles(shelf, workspace) == []


async def test_a_savepoint_keeps_what_came_before(shelf: Database) -> None:
    workspace = uuid4()
    async with shelf.scope(workspace):
        await add_book("Once")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with savepoint():
                await add_book("Once")
        async with savepoint():
            await add_book("Twice")
            with pytest.raises(asyncpg.UniqueViolationError):
                async with savepoint():
                    await add_book("Twice")
    assert await fetch_titles(shelf, workspace) == ["Once", "Twice"]


async def test_a_connection_ended_by_postgres_is_unavailable_and_replaced(
    shelf: Database, administrator: Connection
) -> None:
    pid = await fetch_backend_pid(shelf)
    with pytest.raises(Unavailable) as caught:
        async with shelf.scope(uuid4()):
            await administrator.execute("SELECT pg_terminate_backend($1)", pid)
            await fetch("SELECT 1")
    assert caught.value.code == "store.unavailable"
    assert shelf.in_use == 0
    assert await fetch_backend_pid(shelf) != pid


async def test_a_connection_ended_before_the_commit_is_unavailable(
    shelf: Database, administrator: Connection
) -> None:
    workspace = uuid4()
    with pytest.raises(Unavailable):
        async with shelf.scope(workspace):
            await add_book("Uncommitted")
            await administrator.execute("SELECT pg_terminate_backend($1)", await fetch_value(BACKEND))
    assert await fetch_titles(shelf, workspace) == []


async def test_connections_that_ended_while_idle_go_unnoticed(
    open_shelf: Callable[..., Awaitable[Database]], administrator: Connection
) -> None:
    shelf = await open_shelf(size=3)

    async def name_backend() -> int:
        async with shelf.unbound():
            await fetch("SELECT pg_sleep(0.05)")
            return int(await fetch_value(BACKEND))

    pids = await asyncio.gather(*(name_backend() for _ in range(3)))
    assert len(set(pids)) == 3
    for pid in pids:
        await administrator.execute("SELECT pg_terminate_backend($1, 10000)", pid)
    assert not set(await asyncio.gather(*(name_backend() for _ in range(3)))) & set(pids)


async def test_a_read_only_unit_writes_nothing(shelf: Database) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with shelf.scope(uuid4(), read_only=True):
            await add_book("Scribbled")


async def test_many_rows_go_in_by_one_statement(shelf: Database) -> None:
    workspace = uuid4()
    rows = [(workspace, uuid4(), f"Volume {number:05}") for number in range(20_000)]
    types = {"workspace_id": "uuid", "book_id": "uuid", "title": "text"}
    async with shelf.scope(workspace):
        assert await bulk_insert("book", types, rows) == 20_000
        assert await bulk_insert("book", types, []) == 0
        assert await fetch_value("SELECT count(*) FROM book") == 20_000
        row = await fetch_one("SELECT max(title) AS last FROM book")
    assert row["last"] == "Volume 19999"


async def test_a_statement_is_planned_for_its_values_until_the_unit_ends(shelf: Database) -> None:
    by_title = "SELECT book_id FROM book WHERE $1::text IS NULL OR title = $1"
    plans = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement = $1"
    async with shelf.scope(uuid4()):
        book = await add_book("Plans")
        found = [await fetch_with_custom_plan(by_title, title) for title in ("Plans", "Others", None)]
        assert [[row["book_id"] for row in rows] for rows in found] == [[book], [], [book]]
        assert tuple(await fetch_one(plans, by_title)) == (0, 3)
    async with shelf.unbound():
        assert await fetch_value("SHOW plan_cache_mode") == "force_generic_plan"
