"""A database opened as one role: binding, isolation, and repeating what collided."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest

from kernel.errors import Invalid, Unavailable
from kernel.store import Database, Isolation, NestedUnitOfWork, current_workspace, execute, fetch, fetch_value
from kernel.store.pool import Connection
from kernel.store.roles import Urls, build_database_url

COLLIDE = "DO $$ BEGIN RAISE EXCEPTION 'collision' USING ERRCODE = '{}'; END $$"


async def test_the_unit_is_bound_to_the_workspace_that_was_named(shelf: Database) -> None:
    workspace = uuid4()
    async with shelf.scope(workspace):
        assert await fetch_value("SELECT app_workspace()") == workspace
        assert current_workspace() == workspace


@pytest.mark.parametrize("given", ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", None, "'; DROP TABLE book; --", 7])
async def test_only_a_uuid_is_a_workspace_id(shelf: Database, given: object) -> None:
    with pytest.raises(TypeError):
        shelf.scope(cast("Any", given))


async def test_the_isolation_asked_for_is_the_isolation_given(shelf: Database) -> None:
    for isolation in Isolation:
        async with shelf.scope(uuid4(), isolation=isolation, read_only=True):
            assert await fetch_value("SHOW transaction_isolation") == isolation.value.lower()
            assert await fetch_value("SHOW transaction_read_only") == "on"
    async with shelf.scope(uuid4()):
        assert await fetch_value("SHOW transaction_isolation") == "read committed"
        assert await fetch_value("SHOW transaction_read_only") == "off"


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_work_that_never_serializes_is_tried_three_times(shelf: Database, sqlstate: str) -> None:
    attempts = 0

    async def collide() -> None:
        nonlocal attempts
        attempts += 1
        await execute(COLLIDE.format(sqlstate))

    with pytest.raises(Unavailable) as caught:
        await shelf.run(uuid4(), collide)
    assert (attempts, caught.value.code) == (3, "store.contended")


async def test_work_that_serializes_at_the_third_attempt_leaves_nothing_of_the_others(
    shelf: Database,
) -> None:
    workspace, attempts = uuid4(), 0

    async def collide_twice() -> int:
        nonlocal attempts
        attempts += 1
        await execute(
            "INSERT INTO book (workspace_id, book_id, title) VALUES ($1, $2, $3)",
            workspace,
            uuid4(),
            f"{attempts}",
        )
        if attempts < 3:
            await execute(COLLIDE.format("40001"))
        return attempts

    assert await shelf.run(workspace, collide_twice) == 3
    async with shelf.scope(workspace):
        assert [row["title"] for row in await fetch("SELECT title FROM book")] == ["3"]


async def test_other_errors_are_not_tried_again(shelf: Database) -> None:
    attempts = 0

    async def divide() -> None:
        nonlocal attempts
        attempts += 1
        await fetch("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await shelf.run(uuid4(), divide)
    assert attempts == 1


async def _count_readers(shelf: Database, workspace: UUID, how: Callable[..., Awaitable[object]]) -> int:
    """Let two readers read the count, wait for each other, and add one."""
    book, both_have_read = uuid4(), asyncio.Barrier(2)
    async with shelf.scope(workspace):
        await execute(
            "INSERT INTO book (workspace_id, book_id, title) VALUES ($1, $2, 'Popular')", workspace, book
        )
    met: set[str] = set()

    def reader(name: str) -> Callable[[], Awaitable[None]]:
        async def read() -> None:
            readers = await fetch_value("SELECT readers FROM book WHERE book_id = $1", book)
            if name not in met:
                met.add(name)
                await both_have_read.wait()
            await execute("UPDATE book SET readers = $1 WHERE book_id = $2", readers + 1, book)

        return read

    # Both have ended before one's error is raised: the other one still commits.
    tasks = [asyncio.ensure_future(how(reader(name))) for name in ("one", "two")]
    await asyncio.wait(tasks)
    await asyncio.gather(*tasks)
    async with shelf.scope(workspace):
        return int(await fetch_value("SELECT readers FROM book WHERE book_id = $1", book))


async def test_two_units_that_conflict_both_take_effect(
    open_shelf: Callable[..., Awaitable[Database]],
) -> None:
    shelf, workspace = await open_shelf(size=2), uuid4()

    async def repeated(work: Callable[[], Awaitable[None]]) -> None:
        await shelf.run(workspace, work, isolation=Isolation.REPEATABLE_READ)

    assert await _count_readers(shelf, workspace, repeated) == 2


async def test_without_repeating_one_of_them_would_fail(
    open_shelf: Callable[..., Awaitable[Database]],
) -> None:
    shelf, workspace = await open_shelf(size=2), uuid4()

    async def once(work: Callable[[], Awaitable[None]]) -> None:
        async with shelf.scope(workspace, isolation=Isolation.REPEATABLE_READ):
            await work()

    with pytest.raises(Unavailable) as caught:
        await _count_readers(shelf, workspace, once)
    assert caught.value.code == "store.contended"


async def test_opening_without_postgres_is_unavailable(tmp_path_factory: pytest.TempPathFactory) -> None:
    nowhere = f"postgresql://portal_app@/portal?host={tmp_path_factory.mktemp('empty')}"
    with pytest.raises(Unavailable) as caught:
        await Database.open(nowhere)
    assert caught.value.code == "store.unavailable"


async def test_a_database_that_does_not_exist_is_a_mistake_not_an_outage(shelf_urls: Urls) -> None:
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await Database.open(build_database_url(shelf_urls.app, "portal_nowhere"))


async def test_connections_in_use_and_waiting_units_are_counted(
    open_shelf: Callable[..., Awaitable[Database]],
) -> None:
    shelf = await open_shelf(size=1)
    async with shelf.unbound():
        waiting = asyncio.create_task(shelf.unbound().__aenter__())
        await asyncio.sleep(0.01)
        assert (shelf.size, shelf.in_use, shelf.waiting) == (1, 1, 1)
        waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (shelf.size, shelf.in_use, shelf.waiting) == (1, 0, 0)


async def test_a_connection_that_is_not_released_in_time_is_store_busy(
    open_shelf: Callable[..., Awaitable[Database]],
) -> None:
    shelf = await open_shelf(size=1, acquire_timeout_s=0.05)

    async def late() -> None:
        async with shelf.unbound():
            pass

    async with shelf.unbound():
        task = asyncio.create_task(late())
        with pytest.raises(Unavailable) as caught:
            await task
    assert caught.value.code == "store.busy"


async def test_without_prepared_statements_the_same_queries_work(shelf_urls: Urls) -> None:
    shelf = await Database.open(shelf_urls.app, size=1, prepared=False)
    async with shelf.scope(uuid4()):
        assert await fetch_value("SELECT count(*) FROM book WHERE title = $1", "None") == 0
        assert await fetch_value("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''") == 0
    await shelf.close()


BIND = "SELECT set_config('app.workspace', $1::uuid::text, true)"
BIND_AND_DIVIDE = """
SELECT 1 / (length(bound) - 36) FROM (SELECT set_config('app.workspace', $1::uuid::text, true)) b (bound)
"""
READ_BINDING = "SELECT coalesce(current_setting('app.workspace', true), '')"


async def test_an_autocommit_read_returns_its_first_row_or_none(shelf: Database) -> None:
    assert tuple(await shelf.fetch_autocommit("SELECT n FROM generate_series($1::int, 9) n", 7)) == (7,)
    assert await shelf.fetch_autocommit("SELECT 1 WHERE false") is None
    assert shelf.in_use == 0


async def test_an_autocommit_read_sends_one_statement(shelf: Database) -> None:
    sent: list[str] = []
    connection: Any = await shelf._pool.acquire()
    shelf._pool.release(connection, reusable=True)
    with connection.query_logger(lambda record: sent.append(record.query)):
        await shelf.fetch_autocommit("SELECT 1")
        await asyncio.sleep(0)
    assert sent == ["SELECT 1"]


@pytest.mark.parametrize("prepared", [True, False])
async def test_the_binding_of_an_autocommit_read_ends_with_it(shelf_urls: Urls, *, prepared: bool) -> None:
    shelf = await Database.open(shelf_urls.app, size=1, prepared=prepared)
    pid = (await shelf.fetch_autocommit("SELECT pg_backend_pid()"))[0]
    workspace = uuid4()
    assert tuple(await shelf.fetch_autocommit(BIND, workspace)) == (str(workspace),)
    assert tuple(await shelf.fetch_autocommit(READ_BINDING)) == ("",)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await shelf.fetch_autocommit(BIND_AND_DIVIDE, workspace)
    assert tuple(await shelf.fetch_autocommit(READ_BINDING)) == ("",)
    # It was the same connection all along: an error of the statement's own costs none.
    assert tuple(await shelf.fetch_autocommit("SELECT pg_backend_pid()")) == (pid,)
    await shelf.close()


async def test_without_prepared_statements_an_autocommit_read_has_a_transaction(
    shelf_urls: Urls,
) -> None:
    shelf = await Database.open(shelf_urls.app, size=1, prepared=False)
    sent: list[str] = []
    connection: Any = await shelf._pool.acquire()
    shelf._pool.release(connection, reusable=True)
    with connection.query_logger(lambda record: sent.append(record.query)):
        await shelf.fetch_autocommit("SELECT 1")
        await asyncio.sleep(0)
    assert [statement.partition(";")[0] for statement in sent] == ["BEGIN READ ONLY", "SELECT 1", "COMMIT"]
    await shelf.close()


@pytest.mark.parametrize("prepared", [True, False])
async def test_an_autocommit_read_is_refused_inside_a_unit_of_work(
    shelf_urls: Urls, *, prepared: bool
) -> None:
    shelf = await Database.open(shelf_urls.app, size=2, prepared=prepared)
    async with shelf.scope(uuid4()):
        with pytest.raises(NestedUnitOfWork):
            await shelf.fetch_autocommit("SELECT 1")
        assert await fetch_value("SELECT 2") == 2
    await shelf.close()


async def test_an_autocommit_read_replaces_connections_that_were_closed_while_idle(
    open_shelf: Callable[..., Awaitable[Database]], administrator: Connection
) -> None:
    shelf = await open_shelf(size=2)

    async def name_backend() -> int:
        (pid, _) = await shelf.fetch_autocommit("SELECT pg_backend_pid(), pg_sleep(0.05)")
        return int(pid)

    pids = await asyncio.gather(name_backend(), name_backend())
    assert len(set(pids)) == 2
    for pid in pids:
        await administrator.execute("SELECT pg_terminate_backend($1, 10000)", pid)
    assert await name_backend() not in pids
    assert shelf.in_use == 0


async def test_an_autocommit_read_whose_connections_all_end_is_unavailable(shelf: Database) -> None:
    with pytest.raises(Unavailable) as caught:
        await shelf.fetch_autocommit("SELECT pg_terminate_backend(pg_backend_pid())")
    assert (caught.value.code, shelf.in_use) == ("store.unavailable", 0)


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_an_autocommit_read_that_fails_to_serialize_costs_no_connection(
    shelf: Database, sqlstate: str
) -> None:
    (pid,) = await shelf.fetch_autocommit("SELECT pg_backend_pid()")
    with pytest.raises(Unavailable) as caught:
        await shelf.fetch_autocommit(COLLIDE.format(sqlstate))
    assert caught.value.code == "store.contended"
    assert tuple(await shelf.fetch_autocommit("SELECT pg_backend_pid()")) == (pid,)


async def test_an_autocommit_read_without_an_answer_terminates_its_connection(shelf_urls: Urls) -> None:
    shelf = await Database.open(shelf_urls.app, size=1, command_timeout_s=0.1)
    (pid,) = await shelf.fetch_autocommit("SELECT pg_backend_pid()")
    with pytest.raises(Unavailable) as caught:
        await shelf.fetch_autocommit("SELECT pg_sleep(20)")
    assert (caught.value.code, shelf.in_use) == ("store.slow", 0)
    assert tuple(await shelf.fetch_autocommit("SELECT pg_backend_pid()")) != (pid,)
    await shelf.close()


async def test_a_cancelled_autocommit_read_releases_its_connection(shelf: Database) -> None:
    task = asyncio.create_task(shelf.fetch_autocommit("SELECT pg_sleep(20)"))
    await asyncio.sleep(0.05)
    assert shelf.in_use == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert shelf.in_use == 0
    assert await shelf.fetch_autocommit("SELECT 1") is not None


async def test_a_role_is_required_by_name(shelf: Database) -> None:
    await shelf.require_role("portal_app")
    with pytest.raises(Invalid) as caught:
        await shelf.require_role("portal_svc")
    assert (caught.value.code, caught.value.data) == ("store.wrong_role", {"role": "portal_app"})
