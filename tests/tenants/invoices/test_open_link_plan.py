"""Opening a link: one statement binds, reads and unbinds, and reaches every table by its whole key."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import pytest

from kernel.clock import SystemClock
from kernel.store import Database, execute, fetch, fetch_one, fetch_value
from kernel.store.pool import Connection
from kernel.store.roles import Urls
from tenants.invoices import actions
from tests.fakes.sample_workspaces import SampleWorkspace

CALL = "SELECT * FROM open_invoice($1, $2, NULL, '', '14 days')"
CALL_WITH_SESSION = "SELECT * FROM open_invoice($1, $2, NULL, sha256('nobody'), '14 days')"
CALLS = pytest.mark.parametrize("call", [CALL, CALL_WITH_SESSION], ids=["without session", "with session"])
CALL_AND_DIVIDE = "SELECT 1 / (total_minor - total_minor) FROM open_invoice($1, $2, NULL, '', '14 days')"
# What this connection has read since its counters were collected last: at the end of a transaction, at times.
READS = """
SELECT relname, seq_tup_read AS scanned, idx_tup_fetch AS fetched FROM pg_stat_xact_user_tables
WHERE relname = ANY ($1)
"""
TABLES = ("link", "invoice", "customer", "contact")


async def count_rows_read() -> Counter[tuple[str, str]]:
    """Return how many rows of each table were read so far, by scanning it and by an index."""
    found = Counter[tuple[str, str]]()
    for row in await fetch(READS, TABLES):
        found[row["relname"], "by scan"] = row["scanned"]
        found[row["relname"], "by index"] = row["fetched"]
    return found


@CALLS
async def test_the_function_reads_one_row_of_each_table_among_thousands(
    large_workspace: SampleWorkspace, call: str
) -> None:
    name_recipient = """
    UPDATE link SET contact_id = (SELECT contact_id FROM contact k WHERE k.customer_id = link.customer_id)
    WHERE token_hash = sha256('N-77'::bytea)
    """
    async with large_workspace.database.scope(large_workspace.workspace_id):
        assert await execute(name_recipient) == "UPDATE 1"
    async with large_workspace.database.scope(large_workspace.workspace_id):
        assert await fetch_value("SHOW plan_cache_mode") == "force_generic_plan"
        before = await count_rows_read()
        row = await fetch_one(call, large_workspace.workspace_id, hashlib.sha256(b"N-77").digest())
        after = await count_rows_read()
    assert row["number"] == "N-77"
    assert after - before == Counter({(table, "by index"): 1 for table in TABLES})


@pytest.fixture
async def connection(urls: Urls) -> AsyncIterator[Connection]:
    """A connection of role app outside any unit of work: whatever one statement leaves behind, the next one meets."""
    opened: Connection = await asyncpg.connect(urls.app)
    yield opened
    await opened.close()


async def bound_workspace(connection: Connection) -> str:
    return str(await connection.fetchval("SELECT coalesce(current_setting('app.workspace', true), '')"))


async def load_token_hash(sample_workspace: SampleWorkspace) -> bytes:
    """Give the workspace an invoice with a link, and return the hash of its token."""
    invoice_id = await sample_workspace.issue_invoice()
    async with sample_workspace.database.scope(sample_workspace.workspace_id):
        link = await actions.issue_link(invoice_id, sealer=sample_workspace.sealer, clock=SystemClock())
        return bytes(await fetch_value("SELECT token_hash FROM link WHERE link_id = $1", link.link_id))


@CALLS
async def test_one_statement_binds_the_workspace_for_itself_alone(
    acme: SampleWorkspace, connection: Connection, call: str
) -> None:
    token_hash = await load_token_hash(acme)
    for _ in range(2):
        found = await connection.fetchrow(call, acme.workspace_id, token_hash)
        assert found["number"] == "INV-00001"
        assert await bound_workspace(connection) == ""
        with pytest.raises(asyncpg.PostgresError, match="no workspace is bound"):
            await connection.fetch("SELECT * FROM link")


async def test_the_same_statement_finds_nothing_for_a_hash_that_is_nobodys_or_anothers(
    acme: SampleWorkspace, rival: SampleWorkspace, connection: Connection
) -> None:
    for token_hash in (bytes(32), await load_token_hash(rival), b""):
        assert await connection.fetchrow(CALL, acme.workspace_id, token_hash) is None
    assert await connection.fetchrow(CALL, acme.workspace_id, bytes(64)) is None


async def test_an_error_in_the_statement_unbinds_too(acme: SampleWorkspace, connection: Connection) -> None:
    token_hash = await load_token_hash(acme)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await connection.fetchrow(CALL_AND_DIVIDE, acme.workspace_id, token_hash)
    assert await bound_workspace(connection) == ""


async def test_without_a_workspace_the_function_sees_no_row(
    acme: SampleWorkspace, connection: Connection
) -> None:
    with pytest.raises(asyncpg.PostgresError, match="no workspace is bound"):
        await connection.fetchrow(CALL, None, await load_token_hash(acme))


async def test_the_function_has_the_rights_of_its_caller_only(svc: Database) -> None:
    async with svc.unbound():
        assert await fetch_value("SELECT prosecdef FROM pg_proc WHERE proname = 'open_invoice'") is False
