"""Negative controls: Piccolo's own engine and session settings in the scenarios for which the unit of work exists.

If one of these fails, Piccolo or Postgres has changed, and the workaround may be removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest
from piccolo.columns import Text
from piccolo.engine.postgres import PostgresEngine
from piccolo.table import Table

from kernel.store import Database, execute, fetch_value
from kernel.store.pool import Connection
from kernel.store.roles import Urls

ADD_BOOK = "INSERT INTO book (workspace_id, book_id, title) VALUES ($1, $2, $3)"
ADD_PAGE = "INSERT INTO page (workspace_id, page_id, book_id) VALUES ($1, $2, $3)"


@pytest.fixture
async def stock(shelf_urls: Urls) -> AsyncIterator[PostgresEngine]:
    """Piccolo's own engine on the same tables, with a pool of one."""
    engine = PostgresEngine(config={"dsn": shelf_urls.app})
    await engine.start_connection_pool(min_size=1, max_size=1)
    yield engine
    assert engine.pool is not None
    engine.pool.terminate()


async def bind(engine: PostgresEngine, workspace: UUID) -> Connection:
    """Bind the open transaction of Piccolo as our unit of work would; returns its connection."""
    transaction = engine.current_transaction.get()
    assert transaction is not None
    connection = cast("Connection", transaction.connection)
    await connection.execute("SELECT set_config('app.workspace', $1, true)", str(workspace))
    return connection


async def has_leaked(engine: PostgresEngine) -> bool:
    """Tell whether the only connection is still in use although nobody has used it for a while."""
    assert engine.pool is not None
    await asyncio.sleep(0.3)
    return bool(engine.pool.get_idle_size() == 0 and engine.pool.get_size() == 1)


async def test_piccolo_gives_the_connection_back_after_ordinary_work(stock: PostgresEngine) -> None:
    async with stock.transaction():
        await bind(stock, uuid4())
    assert not await has_leaked(stock)


async def test_piccolo_leaks_the_connection_after_a_failed_commit(stock: PostgresEngine) -> None:
    workspace = uuid4()
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with stock.transaction():
            connection = await bind(stock, workspace)
            await connection.execute(ADD_PAGE, workspace, uuid4(), uuid4())
    assert await has_leaked(stock)


async def test_piccolo_leaks_the_connection_after_gather(stock: PostgresEngine) -> None:
    async def second(connection: Connection) -> None:
        await asyncio.sleep(0.05)
        await connection.fetch("SELECT 2")

    with pytest.raises(asyncpg.InterfaceError):
        async with stock.transaction():
            connection = await bind(stock, uuid4())
            await asyncio.gather(connection.fetch("SELECT pg_sleep(0.2)"), second(connection))
    assert await has_leaked(stock)


async def test_piccolo_leaks_the_connection_after_double_cancellation(stock: PostgresEngine) -> None:
    working = asyncio.Event()

    async def work() -> None:
        async with stock.transaction():
            connection = await bind(stock, uuid4())
            working.set()
            await connection.fetch("SELECT pg_sleep(20)")

    task = asyncio.create_task(work())
    await working.wait()
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await has_leaked(stock)


async def test_a_nested_transaction_of_piccolo_joins_the_outer_one_and_is_not_undone(
    stock: PostgresEngine, svc_connection: Connection
) -> None:
    workspace = uuid4()
    async with stock.transaction():
        connection = await bind(stock, workspace)
        with pytest.raises(LookupError):
            async with stock.transaction():
                await connection.execute(ADD_BOOK, workspace, uuid4(), "Inner")
                raise LookupError
    assert await svc_connection.fetchval("SELECT count(*) FROM book WHERE workspace_id = $1", workspace) == 1


async def test_a_batch_of_piccolo_runs_on_another_connection_bound_to_nothing(stock: PostgresEngine) -> None:
    class StockBook(Table, db=stock, tablename="book"):
        title = Text()

    workspace = uuid4()
    async with stock.transaction():
        connection = await bind(stock, workspace)
        await connection.execute(ADD_BOOK, workspace, uuid4(), "Bound")
        assert await StockBook.select(StockBook.title) == [{"title": "Bound"}]
        batch: Any = await StockBook.select(StockBook.title).batch()
        with pytest.raises(asyncpg.PostgresError, match="no workspace is bound"):
            await (await batch.__aenter__()).next()
        batch.connection.terminate()


async def test_a_binding_of_the_session_stays_for_whoever_has_the_connection_next(
    shelf_urls: Urls, svc_connection: Connection
) -> None:
    ours = uuid4()
    await svc_connection.execute(ADD_BOOK, ours, uuid4(), "Ours")
    shared: Connection = await asyncpg.connect(shelf_urls.app)
    try:
        await shared.execute("SELECT set_config('app.workspace', $1, false)", str(ours))
        # The next client of the same server connection, as PgBouncer in transaction mode lends it on:
        await shared.execute("BEGIN")
        assert [row["title"] for row in await shared.fetch("SELECT title FROM book")] == ["Ours"]
        await shared.execute("COMMIT")
    finally:
        await shared.close()


async def test_a_binding_of_the_transaction_is_gone_for_the_next_one(shelf: Database) -> None:
    ours = uuid4()
    async with shelf.scope(ours):
        backend = await fetch_value("SELECT pg_backend_pid()")
        await execute(ADD_BOOK, ours, uuid4(), "Ours")
    # What the connection itself still knows, before another unit of work says anything about it:
    connection = await shelf._pool.acquire()
    assert await connection.fetchval("SELECT current_setting('app.workspace', true)") == ""
    shelf._pool.release(connection, reusable=True)
    async with shelf.unbound():
        assert await fetch_value("SELECT pg_backend_pid()") == backend
        assert await fetch_value("SELECT current_setting('app.workspace', true)") == ""
    with pytest.raises(asyncpg.PostgresError, match="no workspace is bound"):
        async with shelf.unbound():
            await execute("SELECT title FROM book")


async def test_a_binding_of_the_session_made_by_mistake_does_not_reach_the_next_unit(shelf: Database) -> None:
    ours, theirs = uuid4(), uuid4()
    async with shelf.scope(ours):
        await execute(ADD_BOOK, ours, uuid4(), "Ours")
        await execute("SELECT set_config('app.workspace', $1, false)", str(ours))
    async with shelf.scope(theirs):
        assert await fetch_value("SELECT count(*) FROM book") == 0
    with pytest.raises(asyncpg.PostgresError, match="no workspace is bound"):
        async with shelf.unbound():
            await execute("SELECT title FROM book")


async def test_transactions_of_many_clients_on_one_server_connection_stay_apart(
    open_shelf: Callable[..., Awaitable[Database]],
) -> None:
    shelf = await open_shelf(size=2)
    workspaces = [uuid4() for _ in range(20)]

    async def write_and_read(workspace: UUID) -> tuple[int, UUID]:
        async with shelf.scope(workspace):
            await execute(ADD_BOOK, workspace, uuid4(), "Mine")
        await asyncio.sleep(0)
        async with shelf.scope(workspace):
            count = await fetch_value("SELECT count(*) FROM book")
            return count, UUID(str(await fetch_value("SELECT workspace_id FROM book")))

    assert await asyncio.gather(*map(write_and_read, workspaces)) == [
        (1, workspace) for workspace in workspaces
    ]
