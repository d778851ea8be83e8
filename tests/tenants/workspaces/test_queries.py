"""From a host to its workspace: the one door from unbound to bound, and how little of it is open."""

from __future__ import annotations

from urllib.parse import urlsplit

import asyncpg
import pytest

from kernel.errors import Missing
from kernel.store import Database, NoWorkspace, fetch, fetch_one, fetch_value
from kernel.store.roles import build_database_url
from tenants.workspaces import queries
from tests.fakes.sample_workspaces import SampleWorkspace


@pytest.mark.parametrize("state", ["claimed", "verified", "issuing", "released"])
async def test_only_active_and_degraded_hosts_are_served(
    acme: SampleWorkspace, svc: Database, state: str
) -> None:
    host = f"{state}-{acme.slug}.example.com"
    async with svc.scope(acme.workspace_id):
        await fetch(
            """INSERT INTO portal_domain
               (workspace_id, domain_id, host, state, verify_token, claimed_at, verified_at, released_at)
               VALUES ($1, gen_random_uuid(), $2, $3, 'x', now(), now(),
                       CASE WHEN $3::text = 'released' THEN now() END)""",
            acme.workspace_id,
            host,
            state,
        )
    assert await queries.find_workspace_by_host(acme.database, host) is None
    for served in ("active", "degraded"):
        async with svc.scope(acme.workspace_id):
            await fetch(
                "UPDATE portal_domain SET state = $2, released_at = NULL WHERE host = $1", host, served
            )
        found = await queries.find_workspace_by_host(acme.database, host)
        assert found is not None
        assert (found.host, found.primary_host, found.is_primary) == (host, acme.host, False)


@pytest.mark.parametrize("host", ["", "nobody.localhost", "ACME", "' OR true --", "x" * 5000])
async def test_an_unknown_host_is_nobodys(acme: SampleWorkspace, host: str) -> None:
    assert await queries.find_workspace_by_host(acme.database, host) is None


async def test_the_door_shows_no_secret(acme: SampleWorkspace) -> None:
    async with acme.database.unbound():
        row = await fetch_one("SELECT * FROM portal_workspace_by_host($1)", acme.host)
    assert set(row.keys()).isdisjoint({"data_key", "cname_label", "verify_token"})


async def test_without_the_door_the_unbound_see_nothing_but_an_error(acme: SampleWorkspace) -> None:
    for table in ("workspace", "portal_domain", "customer", "invoice", "invoice_version", "link"):
        with pytest.raises(asyncpg.PostgresError, match="no workspace is bound"):
            async with acme.database.unbound():
                await fetch(f"SELECT * FROM {table}")  # noqa: S608


async def test_queries_of_a_workspace_need_one(acme: SampleWorkspace) -> None:
    async with acme.database.unbound():
        with pytest.raises(NoWorkspace):
            await queries.load_profile()


async def test_a_table_of_ones_own_cannot_stand_in_for_a_real_one(
    acme: SampleWorkspace, owner_url: str, admin_url: str
) -> None:
    """The definer function looks things up by its own search path, whatever its caller's is."""
    connection = await asyncpg.connect(build_database_url(admin_url, urlsplit(owner_url).path[1:]))
    try:
        await connection.execute("SET search_path = pg_temp, public")
        async with connection.transaction():
            await connection.execute(
                "CREATE TEMP TABLE portal_domain (LIKE public.portal_domain) ON COMMIT DROP"
            )
            await connection.execute("GRANT ALL ON portal_domain TO PUBLIC")
            found = await connection.fetch("SELECT * FROM public.portal_workspace_by_host($1)", acme.host)
            assert [row["slug"] for row in found] == [acme.slug]
    finally:
        await connection.close()


async def test_a_workspace_without_a_primary_domain_says_so(acme: SampleWorkspace, svc: Database) -> None:
    async with svc.scope(acme.workspace_id):
        await fetch("UPDATE portal_domain SET is_primary = false WHERE workspace_id = $1", acme.workspace_id)
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Missing):
            await queries.load_primary_host()
    found = await queries.find_workspace_by_host(acme.database, acme.host)
    assert found is not None
    assert found.primary_host == acme.host


async def test_one_host_can_be_proven_by_one_workspace_only_whatever_the_code_does(
    acme: SampleWorkspace, rival: SampleWorkspace, svc: Database
) -> None:
    async with svc.scope(rival.workspace_id):
        assert await fetch_value("SELECT count(*) FROM portal_domain WHERE host = $1", acme.host) == 1
    with pytest.raises(asyncpg.UniqueViolationError, match="portal_domain_host"):
        async with svc.scope(rival.workspace_id):
            await fetch(
                "UPDATE portal_domain SET host = $2 WHERE workspace_id = $1", rival.workspace_id, acme.host
            )
