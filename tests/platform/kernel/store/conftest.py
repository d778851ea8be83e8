"""A small library as test tables: books with pages, in a database of their own, under the generated policies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from kernel.store import Database
from kernel.store.migrations import Migration, migrate
from kernel.store.pool import Connection
from kernel.store.roles import APP, Urls, drop_database, provision

SHELF = Migration(
    1,
    "shelf",
    """
    CREATE TABLE book (
        workspace_id uuid NOT NULL,
        book_id uuid NOT NULL,
        title text NOT NULL,
        readers bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (workspace_id, book_id),
        CONSTRAINT book_title UNIQUE (workspace_id, title)
    );
    CREATE TABLE page (
        workspace_id uuid NOT NULL,
        page_id uuid NOT NULL,
        book_id uuid NOT NULL,
        PRIMARY KEY (workspace_id, page_id),
        CONSTRAINT page_of_book FOREIGN KEY (workspace_id, book_id) REFERENCES book (workspace_id, book_id)
            DEFERRABLE INITIALLY DEFERRED
    );
    CREATE TABLE leaf (workspace_id uuid NOT NULL PRIMARY KEY, note text);
    CREATE FUNCTION book_count() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
        SET search_path = pg_catalog, public, pg_temp AS $$ SELECT count(*) FROM book $$;
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
    CREATE TRIGGER book_stays BEFORE DELETE ON book FOR EACH ROW WHEN (OLD.title = 'stays')
        EXECUTE FUNCTION refuse();
    """,
)

#: A leaf is added with its key alone, and never changed.
LIMITED = {"leaf": {APP: "SELECT, INSERT (workspace_id)"}}


@pytest.fixture(scope="session")
async def shelf_urls(admin_url: str, worker_name: str) -> AsyncIterator[Urls]:
    """Urls of a database with books and pages, shared by this worker's tests of the store."""
    name = f"portal_shelf_{worker_name}"
    await drop_database(admin_url, name)
    urls = await provision(admin_url, name)
    await migrate(urls.owner, [SHELF], grants=LIMITED)
    yield urls
    await drop_database(admin_url, name)


@pytest.fixture
async def open_shelf(shelf_urls: Urls) -> AsyncIterator[Callable[..., Awaitable[Database]]]:
    """Open the library as role app with so many connections; none may be in use when the test is over."""
    opened: list[Database] = []

    async def open_database(*, size: int = 1, acquire_timeout_s: float = 5) -> Database:
        opened.append(
            await Database.open(shelf_urls.app, size=size, name="shelf", acquire_timeout_s=acquire_timeout_s)
        )
        return opened[-1]

    yield open_database
    for database in opened:
        in_use = database.in_use
        await database.close()
        assert in_use == 0


@pytest.fixture
async def shelf(open_shelf: Callable[..., Awaitable[Database]]) -> Database:
    """The library with one connection: whatever one unit of work leaves behind, the next one meets."""
    return await open_shelf()


@pytest.fixture
async def svc_connection(shelf_urls: Urls) -> AsyncIterator[Connection]:
    """A connection of role svc, outside any pool: sees what is really stored, in every workspace."""
    connection = await asyncpg.connect(shelf_urls.svc)
    yield connection
    await connection.close()


@pytest.fixture
async def administrator(admin_url: str) -> AsyncIterator[Connection]:
    """A superuser's connection: ends other people's connections."""
    connection = await asyncpg.connect(admin_url)
    yield connection
    await connection.close()
