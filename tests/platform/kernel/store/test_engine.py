"""Piccolo's queries run in the open unit of work, or not at all."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from piccolo.columns import UUID, BigInt, Text
from piccolo.table import Table

from kernel.store import ENGINE, Database, NoUnitOfWork, Unsupported, WrongTask


class Book(Table, db=ENGINE, tablename="book"):
    """The book of the test tables."""

    workspace_id = UUID()
    book_id = UUID(primary_key=True)
    title = Text()
    readers = BigInt(default=0)


async def test_a_query_runs_on_the_connection_of_the_open_unit(shelf: Database) -> None:
    ours, theirs, book = uuid4(), uuid4(), uuid4()
    async with shelf.scope(ours):
        await Book.insert(Book(workspace_id=ours, book_id=book, title="Piccolo"))
        await Book.update({Book.readers: Book.readers + 2}).where(Book.book_id == book)
    async with shelf.scope(ours):
        assert await Book.select(Book.title, Book.readers) == [{"title": "Piccolo", "readers": 2}]
        found = await Book.objects().get(Book.book_id == book)
        assert found is not None
        assert found.title == "Piccolo"
    async with shelf.scope(theirs):
        assert await Book.select() == []
        assert await Book.count() == 0
        assert not await Book.exists().where(Book.book_id == book)


async def test_a_query_outside_any_unit_is_refused(shelf: Database) -> None:
    with pytest.raises(NoUnitOfWork):
        await Book.select()
    async with shelf.scope(uuid4()):
        assert await Book.count() == 0
    with pytest.raises(NoUnitOfWork):
        await Book.raw("SELECT 1")
    with pytest.raises(NoUnitOfWork):
        await Book.alter().drop_table()


async def test_a_query_from_another_task_is_refused(shelf: Database) -> None:
    async with shelf.scope(uuid4()):
        with pytest.raises(WrongTask):
            await asyncio.create_task(Book.select().run())
        with pytest.raises(WrongTask):
            await asyncio.gather(Book.select().run(), Book.count().run())
        assert await Book.count() == 0


async def test_batches_and_transactions_of_piccolo_are_refused(shelf: Database) -> None:
    async with shelf.scope(uuid4()):
        with pytest.raises(Unsupported):
            await Book.select().batch()
        with pytest.raises(Unsupported):
            ENGINE.transaction()
        with pytest.raises(Unsupported):
            ENGINE.atomic()
        with pytest.raises(Unsupported):
            await ENGINE.start_connection_pool()
        with pytest.raises(Unsupported):
            await ENGINE.close_connection_pool()
        assert await Book.count() == 0


async def test_the_engine_asks_no_server_anything_by_itself() -> None:
    await ENGINE.prep_database()
    assert await ENGINE.get_version() == ENGINE.get_version_sync() == 16
    assert ENGINE.engine_type == "postgres"
