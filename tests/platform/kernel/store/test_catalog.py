"""The reader of the catalog finds every way in which a table could leave its workspace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest

from kernel.store.catalog import find_violations
from kernel.store.pool import Connection
from kernel.store.roles import APP, PROVISION_LOCK, Urls, build_database_url

LEAF_PRIVILEGES = "SELECT, INSERT (workspace_id)"
VIOLATIONS = {
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
        "view titles does not run with the privileges of the caller (security_invoker)"
    ],
    "CREATE MATERIALIZED VIEW titles AS SELECT title FROM book WITH NO DATA": [
        "materialized view titles has no row-level security"
    ],
    """CREATE FUNCTION spy() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'""": [
        "function spy() is SECURITY DEFINER and executable by public",
        "function spy() is SECURITY DEFINER and not on the list",
        "function spy() is SECURITY DEFINER but owned by portal_owner",
        "function spy() is SECURITY DEFINER without a pinned search_path that ends in pg_temp",
    ],
    "ALTER FUNCTION book_count() SET search_path = pg_temp, public": [
        "function book_count() is SECURITY DEFINER without a pinned search_path that ends in pg_temp"
    ],
    "GRANT CREATE ON SCHEMA public TO portal_app": ["role portal_app may create in schema public"],
    "ALTER TABLE page OWNER TO portal_app": ["role portal_app owns table page"],
    "ALTER ROLE portal_svc BYPASSRLS": ["role portal_svc bypasses row-level security"],
    "GRANT portal_svc TO portal_app": ["role portal_app has the privileges of portal_svc"],
    "GRANT portal_svc TO portal_owner WITH INHERIT TRUE": [
        "role portal_owner has the privileges of portal_svc"
    ],
    "GRANT pg_read_all_data TO portal_svc": ["role portal_svc has the privileges of pg_read_all_data"],
    """CREATE OR REPLACE FUNCTION app_workspace() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
       AS 'SELECT workspace_id FROM book LIMIT 1'""": ["function app_workspace() is not the generated one"],
    """CREATE OR REPLACE FUNCTION app_unbound() RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL SAFE
       AS 'BEGIN RETURN NULL; END'""": ["function app_unbound() is not the generated one"],
    "ALTER FUNCTION app_workspace() SECURITY DEFINER": [
        "function app_workspace() is SECURITY DEFINER and executable by public",
        "function app_workspace() is SECURITY DEFINER and not on the list",
        "function app_workspace() is SECURITY DEFINER but owned by portal_owner",
        "function app_workspace() is SECURITY DEFINER without a pinned search_path that ends in pg_temp",
        "function app_workspace() is not the generated one",
    ],
    "GRANT SELECT (title) ON book TO PUBLIC": ["column book.title has grants of its own"],
    "CREATE RULE quietly AS ON DELETE TO book DO INSTEAD NOTHING": [
        "table book has a rule that rewrites statements: quietly"
    ],
    """CREATE SCHEMA side; CREATE TABLE side.book (workspace_id uuid);
       GRANT USAGE ON SCHEMA side TO portal_app; GRANT ALL ON side.book TO portal_app""": [
        "role portal_app may use schema side",
        "table side.book holds a workspace_id outside schema public",
    ],
    "CREATE SCHEMA side AUTHORIZATION portal_app": [
        "role portal_app may use schema side",
        "role portal_app owns schema side",
    ],
    """CREATE FUNCTION leak() RETURNS bigint LANGUAGE sql SECURITY DEFINER
           SET search_path = pg_catalog, public, pg_temp AS 'SELECT count(*) FROM book';
       RESET ROLE; ALTER FUNCTION leak() OWNER TO portal_svc; REVOKE ALL ON FUNCTION leak() FROM PUBLIC""": [
        "function leak() is SECURITY DEFINER and not on the list"
    ],
    "DROP TRIGGER book_stays ON book": ["trigger book.book_stays is missing or disabled"],
    "ALTER TABLE book DISABLE TRIGGER book_stays": ["trigger book.book_stays is missing or disabled"],
    "ALTER TABLE page DISABLE TRIGGER ALL": ["table page does not check its foreign keys"],
    "ALTER TABLE page DROP CONSTRAINT page_of_book": [
        "foreign key page.page_of_book is missing or not validated"
    ],
    """DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO portal_app', current_database()); END $$""": [
        "role portal_app may TEMPORARY in the database"
    ],
    "ALTER ROLE portal_app SET search_path = pg_temp, public": [
        "role portal_app does not start with its own search_path",
        "role portal_app starts with search_path=pg_temp, public",
    ],
    """DO $$ BEGIN EXECUTE format('ALTER ROLE portal_svc IN DATABASE %I SET search_path = side',
                                  current_database()); END $$""": [
        "role portal_svc starts with search_path=side"
    ],
    "ALTER ROLE portal_app SET app.workspace = '6ba7b810-9dad-11d1-80b4-00c04fd430c8'": [
        "role portal_app starts with app.workspace=6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    ],
    "ALTER ROLE portal_app RESET search_path": ["role portal_app does not start with its own search_path"],
    "ALTER ROLE portal_app CREATEROLE": ["role portal_app may create roles or databases, or replicate"],
    "GRANT UPDATE ON leaf TO portal_app": [
        f'role portal_app may "SELECT, INSERT (workspace_id), UPDATE" table leaf, which must be "{LEAF_PRIVILEGES}"'
    ],
    "GRANT INSERT (note) ON leaf TO portal_app": [
        f'role portal_app may "SELECT, INSERT (workspace_id, note)" table leaf, which must be "{LEAF_PRIVILEGES}"'
    ],
    "GRANT SELECT (note) ON leaf TO portal_owner": ["column leaf.note has grants of its own"],
    "CREATE PUBLICATION away FOR TABLE book": ["publication away sends the rows of table book elsewhere"],
}
ALLOWED = (
    "ALTER ROLE portal_app SET statement_timeout = '5s'",
    "CREATE SCHEMA side",
    "CREATE VIEW titles WITH (security_invoker=true) AS SELECT title FROM book",
    "CREATE INDEX book_newest ON book (workspace_id, readers DESC)",
    "CREATE UNIQUE INDEX known ON book (book_id)",
    "CREATE TABLE listed (code text PRIMARY KEY)",
    """ALTER TABLE page ADD CONSTRAINT page_null FOREIGN KEY (workspace_id, book_id)
       REFERENCES book (workspace_id, book_id) ON DELETE SET NULL (book_id)""",
)


@pytest.fixture
async def rolled_back_connection(admin_url: str, shelf_urls: Urls) -> AsyncIterator[Connection]:
    """The library inside a transaction that is rolled back, as a superuser."""
    administrator: Connection = await asyncpg.connect(admin_url)
    # Roles belong to the whole cluster: nobody else may change them meanwhile.
    await administrator.execute("SELECT pg_advisory_lock($1)", PROVISION_LOCK)
    shelf = unquote(urlsplit(shelf_urls.owner).path.removeprefix("/"))
    connection: Connection = await asyncpg.connect(build_database_url(admin_url, shelf))
    await connection.execute("BEGIN; SET LOCAL search_path = public, pg_temp")
    yield connection
    await connection.close()
    await administrator.close()


async def find(connection: Connection) -> list[str]:
    return await find_violations(
        connection,
        unscoped=["listed"],
        global_indexes=["known"],
        definer_functions=["book_count()"],
        triggers=["book.book_stays"],
        foreign_keys=["page.page_of_book"],
        grants={"leaf": {APP: LEAF_PRIVILEGES}},
    )


async def test_the_schema_of_the_library_has_no_violation(rolled_back_connection: Connection) -> None:
    assert await find(rolled_back_connection) == []


@pytest.mark.parametrize("statement", VIOLATIONS)
async def test_each_violation_is_found(rolled_back_connection: Connection, statement: str) -> None:
    if statement.startswith(("CREATE FUNCTION", "CREATE TABLE")):
        await rolled_back_connection.execute("SET LOCAL ROLE portal_owner")
    await rolled_back_connection.execute(statement)
    assert await find(rolled_back_connection) == VIOLATIONS[statement]


@pytest.mark.parametrize("statement", ALLOWED)
async def test_what_is_allowed_is_no_violation(rolled_back_connection: Connection, statement: str) -> None:
    await rolled_back_connection.execute(statement)
    assert await find(rolled_back_connection) == []
