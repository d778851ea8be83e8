"""What is announced after a commit, and who acts: both belong to the open unit of work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from kernel.actor import Actor, ActorKind
from kernel.errors import Unavailable
from kernel.store import (
    Database,
    FailedTransaction,
    NoActor,
    NoUnitOfWork,
    after_commit,
    current_actor,
    execute,
    fetch,
    fetch_value,
    publish_after_commit,
    savepoint,
)
from kernel.store.roles import Urls

ADD_BOOK = "INSERT INTO book (workspace_id, book_id, title) VALUES ($1, $2, $3)"
MEMBER = Actor(ActorKind.MEMBER, "m-1", name="Ada")
OPERATOR = Actor(ActorKind.OPERATOR, "root")


def record(calls: list[str], text: str) -> Callable[[], Awaitable[None]]:
    async def callback() -> None:
        calls.append(text)

    return callback


async def test_callbacks_run_in_order_after_the_commit(shelf: Database) -> None:
    calls: list[str] = []
    workspace = uuid4()

    async def count_books() -> None:
        # A unit of its own, on the only connection there is: the first one has ended.
        async with shelf.scope(workspace):
            books = await fetch_value("SELECT count(*) FROM book")
            calls.append(f"{books} stored")

    async with shelf.scope(workspace):
        after_commit(count_books)
        await execute(ADD_BOOK, workspace, uuid4(), "Committed")
        after_commit(record(calls, "last"))
        assert calls == []
    assert calls == ["1 stored", "last"]


async def test_nothing_is_called_after_a_rollback(shelf: Database) -> None:
    calls: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with shelf.scope(uuid4()):
            after_commit(record(calls, "called"))
            raise ZeroDivisionError
    assert calls == []


async def test_nothing_is_called_when_the_commit_fails(shelf: Database) -> None:
    calls: list[str] = []
    workspace = uuid4()
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with shelf.scope(workspace):
            # The foreign key is checked by COMMIT.
            await execute(
                "INSERT INTO page (workspace_id, page_id, book_id) VALUES ($1, $2, $3)",
                workspace,
                uuid4(),
                uuid4(),
            )
            after_commit(record(calls, "called"))
    with pytest.raises(FailedTransaction):
        async with shelf.scope(workspace):
            after_commit(record(calls, "called"))
            with pytest.raises(asyncpg.DivisionByZeroError):
                await fetch("SELECT 1 / 0")
    assert calls == []


async def test_a_cancelled_unit_calls_nothing(shelf: Database) -> None:
    calls: list[str] = []
    opened = asyncio.Event()

    async def work() -> None:
        async with shelf.scope(uuid4()):
            after_commit(record(calls, "called"))
            opened.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await opened.wait()
    task.cancel()
    await asyncio.wait([task])
    assert calls == []


async def test_a_savepoint_that_is_rolled_back_takes_its_callbacks_with_it(shelf: Database) -> None:
    calls: list[str] = []
    async with shelf.scope(uuid4()):
        after_commit(record(calls, "before"))
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with savepoint():
                after_commit(record(calls, "rolled back"))
                await fetch("SELECT 1 / 0")
        async with savepoint():
            after_commit(record(calls, "released"))
    assert calls == ["before", "released"]


async def test_an_error_in_a_callback_is_logged_and_stops_nothing(shelf: Database) -> None:
    calls: list[str] = []
    workspace = uuid4()

    async def fail() -> None:
        raise ZeroDivisionError

    with capture_logs() as lines:
        async with shelf.scope(workspace):
            await execute(ADD_BOOK, workspace, uuid4(), "Committed")
            after_commit(fail)
            after_commit(record(calls, "second"))
    assert calls == ["second"]
    async with shelf.scope(workspace):
        assert await fetch_value("SELECT count(*) FROM book") == 1
    (line,) = lines
    assert line["event"] == "after_commit callback failed"
    assert isinstance(line["exc_info"], ZeroDivisionError)


async def test_only_the_attempt_that_commits_calls_back(shelf: Database) -> None:
    calls: list[str] = []
    attempts = iter((1, 2))

    async def work() -> None:
        attempt = next(attempts)
        after_commit(record(calls, f"attempt {attempt}"))
        if attempt == 1:
            raise Unavailable("store.contended", "as from Postgres")

    await shelf.run(uuid4(), work)
    assert calls == ["attempt 2"]


async def test_a_callback_needs_an_open_unit(shelf: Database) -> None:
    with pytest.raises(NoUnitOfWork):
        after_commit(record([], "never"))
    async with shelf.unbound():
        after_commit(record([], "at once"))


async def test_the_unit_names_who_acts(shelf: Database) -> None:
    async with shelf.scope(uuid4(), actor=MEMBER):
        assert current_actor() == MEMBER

    async def read_actor() -> Actor:
        return current_actor()

    assert await shelf.run(uuid4(), read_actor, actor=MEMBER) == MEMBER


async def test_a_unit_without_an_actor_says_so(shelf: Database) -> None:
    with pytest.raises(NoUnitOfWork):
        current_actor()
    async with shelf.scope(uuid4()):
        with pytest.raises(NoActor, match="actor="):
            current_actor()


async def test_the_actor_of_a_database_acts_where_a_scope_names_none(shelf_urls: Urls) -> None:
    database = await Database.open(shelf_urls.app, size=1, actor=OPERATOR)
    try:
        async with database.scope(uuid4()):
            assert current_actor() == OPERATOR
        async with database.scope(uuid4(), actor=MEMBER):
            assert current_actor() == MEMBER
        async with database.unbound():
            with pytest.raises(NoActor):
                current_actor()
    finally:
        await database.close()


async def test_a_message_is_published_once_after_a_commit_that_asked_for_it(shelf_urls: Urls) -> None:
    sent: list[tuple[str, bytes]] = []

    async def publish(channel: str, message: bytes) -> None:
        sent.append((channel, message))

    database = await Database.open(shelf_urls.app, size=1, publish=publish)
    try:
        async with database.scope(uuid4()):
            publish_after_commit("one", b"a")
            publish_after_commit("two", b"a")
            publish_after_commit("one", b"a")
            publish_after_commit("one", b"b")
            assert sent == []
        assert sent == [("one", b"a"), ("two", b"a"), ("one", b"b")]
        async with database.scope(uuid4()):
            with pytest.raises(ZeroDivisionError):
                async with savepoint():
                    publish_after_commit("one", b"rolled back")
                    raise ZeroDivisionError
        with pytest.raises(ZeroDivisionError):
            async with database.scope(uuid4()):
                publish_after_commit("one", b"rolled back")
                raise ZeroDivisionError
        assert len(sent) == 3
    finally:
        await database.close()


async def test_a_database_without_a_publisher_publishes_nothing(shelf: Database) -> None:
    async with shelf.scope(uuid4()) as unit:
        publish_after_commit("one", b"a")
        assert unit.callbacks == []
