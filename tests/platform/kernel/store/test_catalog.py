"""The reader of the catalog finds every way in which a table could leave its workspace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest

from kernel.store.catalog import findings
from kernel.store.pool import Connection
from kernel.store.roles import PROVISION_LOCK, Urls, url_as

BREACHES = {
    "CREATE TABLE leaflet (leaflet_id uuid PRIMARY KEY)": [
        "table leaflet has no workspace_id and is not on the list"
    ],
    "ALTER TABLE book NO FORCE ROW LEVEL SECURITY": ["table book does not force row-level security"],
    "ALTER TABLE book DISABLE ROW LEVEL SECURITY": ["table book does not force row-level security"],
    "DROP POLICY of_workspace ON book": ["table book lacks the policy of_workspace"],
    "DROP POLICY of_service ON book": ["table book lacks the policy of_service"],
    "ALTER POLICY of_workspace ON book WITH CHECK (true)": ["table book lacks the policy of_workspace"],
    "ALTER POLICY of_workspace ON book USING (true)": ["table book lacks the policy of_workspace"],
    "ALTER POLICY of_workspace ON book USING (workspace_id = app_workspace())": [
        "table book lacks the policy of_workspace"
    ],
    "ALTER POLICY of_workspace ON book TO portal_app": ["table book lacks the policy of_workspace"],
    "ALTER POLICY of_service ON book TO portal_svc, portal_app": ["table book lacks the policy of_service"],
    "CREATE POLICY wide ON book USING (true)": ["table book has a policy of its own: wide"],
    "CREATE TABLE leaflet (workspace_id text, PRIMARY KEY (workspace_id))": [
        'column leaflet.workspace_id is not "uuid NOT NULL"',
        "table leaflet does not force row-level security",
        "table leaflet lacks the policy of_service",
        "table leaflet lacks the policy of_workspace",
    ],
    "ALTER TABLE page DROP CONSTRAINT page_pkey": ["table page has no primary key"],
    "CREATE UNIQUE INDEX book_anywhere ON book (book_id)": [
        "index book_anywhere does not begin with workspace_id"
    ],
    "CREATE INDEX book_upper ON book (upper(title), workspace_id)": [
        "index book_upper does not begin with workspace_id"
    ],
    """CREATE UNIQUE INDEX known ON book (book_id);
       ALTER TABLE page ADD CONSTRAINT page_loose FOREIGN KEY (book_id) REFERENCES book (book_id)""": [
        "foreign key page_loose of page does not compare workspace_id"
    ],
    """ALTER TABLE page ADD CONSTRAINT page_null FOREIGN KEY (workspace_id, book_id)
       REFERENCES book (workspace_id, book_id) ON DELETE SET NULL""": [
        "foreign key page_null of page would overwrite workspace_id"
    ],
    "GRANT TRUNCATE ON book TO portal_app": ["role portal_app may TRUNCATE table book"],
    "GRANT SELECT ON book TO PUBLIC": ["role public may SELECT table book"],
    "CREATE VIEW titles AS SELECT title FROM book": [
        "view titles does not run with the rights of who asks (security_invoker)"
    ],
    "CREATE MATERIALIZED VIEW titles AS SELECT title FROM book WITH NO DATA": [
        "materialized view titles knows no row-level security"
    ],
    """CREATE FUNCTION spy() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'""": [
        "function spy() is SECURITY DEFINER and anybody may call it",
        "function spy() is SECURITY DEFINER but owned by portal_owner",
        "function spy() is SECURITY DEFINER without a pinned search_path that ends in pg_temp",
    ],
    "ALTER FUNCTION book_count() SET search_path = pg_temp, public": [
        "function book_count() is SECURITY DEFINER without a pinned search_path that ends in pg_temp"
    ],
    "GRANT CREATE ON SCHEMA public TO portal_app": ["role portal_app may create in schema public"],
    "ALTER TABLE page OWNER TO portal_app": ["role portal_app owns table page"],
    "ALTER ROLE portal_svc BYPASSRLS": ["role portal_svc passes by row-level security"],
    "GRANT portal_svc TO portal_app": ["role portal_app has the rights of portal_svc"],
    "GRANT portal_svc TO portal_owner WITH INHERIT TRUE": ["role portal_owner has the rights of portal_svc"],
}
INNOCENT = (
    "CREATE VIEW titles WITH (security_invoker=true) AS SELECT title FROM book",
    "CREATE INDEX book_newest ON book (workspace_id, readers DESC)",
    "CREATE UNIQUE INDEX known ON book (book_id)",
    "CREATE TABLE listed (code text PRIMARY KEY)",
    """ALTER TABLE page ADD CONSTRAINT page_null FOREIGN KEY (workspace_id, book_id)
       REFERENCES book (workspace_id, book_id) ON DELETE SET NULL (book_id)""",
)


@pytest.fixture
async def undone(admin_url: str, shelf_urls: Urls) -> AsyncIterator[Connection]:
    """The library inside a transaction that is rolled back, as a superuser who may break every rule."""
    administrator: Connection = await asyncpg.connect(admin_url)
    # Roles belong to the whole cluster: nobody else may change them meanwhile.
    await administrator.execute("SELECT pg_advisory_lock($1)", PROVISION_LOCK)
    shelf = unquote(urlsplit(shelf_urls.owner).path.removeprefix("/"))
    connection: Connection = await asyncpg.connect(url_as(admin_url, shelf))
    await connection.execute("BEGIN; SET LOCAL search_path = public, pg_temp")
    yield connection
    await connection.close()
    await administrator.close()


async def found(connection: Connection) -> list[str]:
    return await findings(connection, unscoped=["listed"], global_indexes=["known"])


async def test_the_library_is_in_order(undone: Connection) -> None:
    assert await found(undone) == []


@pytest.mark.parametrize("statement", BREACHES)
async def test_each_breach_is_named(undone: Connection, statement: str) -> None:
    if statement.startswith(("CREATE FUNCTION", "CREATE TABLE")):
        await undone.execute("SET LOCAL ROLE portal_owner")
    await undone.execute(statement)
    assert await found(undone) == BREACHES[statement]


@pytest.mark.parametrize("statement", INNOCENT)
async def test_what_is_allowed_is_not_named(undone: Connection, statement: str) -> None:
    await undone.execute(statement)
    assert await found(undone) == []
