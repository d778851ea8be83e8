"""The product's own database: nothing in it lets one workspace reach another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

import tenants
from kernel.ids import new_id
from kernel.store import Database, execute, fetch
from kernel.store.migrations import migrate
from kernel.store.pool import Connection
from kernel.store.roles import Urls
from tenants import schema
from tenants.workspaces.profile import WorkspaceProfile

EVENT_LOG = 7
ADD_WORKSPACE = """
INSERT INTO workspace (workspace_id, slug, name, locale, time_zone, currency, brand_colour, payment_days, link_days,
                       cname_label, data_key, created_at)
VALUES ($1, 'older', 'Older Works', 'en-US', 'UTC', 'EUR', '#336699', 14, 30, 'abcdefghijklmnop', '', now())
"""


async def test_the_catalog_of_the_product_is_in_order(owner_url: str) -> None:
    connection: Connection = await asyncpg.connect(owner_url)
    try:
        assert await schema.find_tenancy_violations(connection) == []
        tables = (
            "SELECT count(*) FROM pg_policies WHERE schemaname = 'public' AND policyname = 'of_workspace'"
        )
        assert await connection.fetchval(tables) >= 5
    finally:
        await connection.close()


async def test_every_exception_in_the_lists_is_in_use(owner_url: str) -> None:
    connection: Connection = await asyncpg.connect(owner_url)
    try:
        for relation in (*schema.UNSCOPED, *schema.GLOBAL_INDEXES):
            assert await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", relation), relation
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("listed", "query"),
    [
        (
            schema.DEFINERS,
            "SELECT oid::regprocedure::text FROM pg_proc WHERE prosecdef AND proname NOT LIKE 'pg_%'",
        ),
        (
            schema.TRIGGERS,
            """SELECT c.relname || '.' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
               WHERE NOT t.tgisinternal""",
        ),
        (
            schema.FOREIGN_KEYS,
            """SELECT c.relname || '.' || k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
               WHERE k.contype = 'f'""",
        ),
    ],
    ids=["definers", "triggers", "foreign keys"],
)
async def test_the_lists_of_what_must_be_there_are_complete(
    owner_url: str, listed: frozenset[str], query: str
) -> None:
    connection: Connection = await asyncpg.connect(owner_url)
    try:
        assert listed == {row[0] for row in await connection.fetch(query)}
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "ALTER TABLE link DROP CONSTRAINT link_workspace_id_customer_id_invoice_id_fkey",
            "foreign key link.link_workspace_id_customer_id_invoice_id_fkey is missing or not validated",
        ),
        (
            "DROP TRIGGER invoice_undeletable ON invoice",
            "trigger invoice.invoice_undeletable is missing or disabled",
        ),
    ],
)
async def test_what_was_taken_away_is_named(owner_url: str, statement: str, said: str) -> None:
    connection: Connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(f"BEGIN; {statement}")
        assert await schema.find_tenancy_violations(connection) == [said]
    finally:
        await connection.close()


async def test_migrations_are_numbered_and_lie_in_one_folder() -> None:
    migrations = schema.migrations()
    assert [migration.number for migration in migrations] == sorted({m.number for m in migrations})
    assert migrations[-1].number == schema.version()
    assert {"workspaces", "customers", "invoices", "jobs"} <= {migration.name for migration in migrations}
    product = Path(tenants.__file__).parents[1]
    scripts = (
        file for layer in ("platform", "tenants", "workers") for file in (product / layer).rglob("*.sql")
    )
    assert {file.parent for file in scripts} == {product / "tenants" / "migrations"}


async def test_migrating_a_migrated_database_changes_nothing(
    scratch: Callable[..., Awaitable[Urls]],
) -> None:
    urls = await scratch(migrated=True)
    assert await schema.migrate(urls.owner) == []
    assert (
        await migrate(urls.owner, schema.migrations(), unscoped=schema.UNSCOPED, grants=schema.GRANTS) == []
    )


async def test_a_workspace_that_is_older_than_the_event_log_gets_a_head(
    scratch: Callable[..., Awaitable[Urls]],
) -> None:
    urls, workspace_id = await scratch(), new_id()
    earlier = [migration for migration in schema.migrations() if migration.number < EVENT_LOG]
    await migrate(urls.owner, earlier, unscoped=schema.UNSCOPED)
    app: Connection = await asyncpg.connect(urls.app)
    await app.execute(f"BEGIN; SET LOCAL app.workspace = '{workspace_id}'")
    await app.execute(ADD_WORKSPACE, workspace_id)
    await app.execute("COMMIT")
    await app.close()
    await schema.migrate(urls.owner)
    owner: Connection = await asyncpg.connect(urls.owner)
    assert await schema.find_tenancy_violations(owner) == []
    await owner.execute(f"SET app.workspace = '{workspace_id}'")
    assert await owner.fetchval("SELECT workspace_id FROM event_head") == workspace_id
    await owner.close()


async def test_two_workspaces_have_two_hosts_and_see_only_themselves(
    database: Database, svc: Database, new_workspace: Callable[..., Awaitable[WorkspaceProfile]]
) -> None:
    ours, theirs = await new_workspace(), await new_workspace(name="Others")
    async with database.scope(ours.workspace_id):
        assert [row["name"] for row in await fetch("SELECT name FROM workspace")] == ["Test Works"]
        assert await execute("DELETE FROM portal_domain") == "DELETE 1"
    query = "SELECT host FROM portal_domain WHERE workspace_id = ANY ($1)"
    async with svc.unbound():
        rows = await fetch(query, [ours.workspace_id, theirs.workspace_id])
    assert [row["host"] for row in rows] == [f"{theirs.slug}.localhost"]
