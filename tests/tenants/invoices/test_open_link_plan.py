"""Opening a link costs the same in a large house: every table is reached by its whole key."""

from __future__ import annotations

import json
from typing import Any

import asyncpg

from kernel.ids import new_id
from kernel.store import execute, fetch_value
from tenants.invoices.queries import _OPEN
from tests.fakes.businesses import Business

MANY = 4_000
INVOICES = """
INSERT INTO invoice (workspace_id, invoice_id, customer_id, status, version, currency, total_minor, buyer_name,
                     number, issue_date, issued_at, created_at, changed_at)
SELECT $1, gen_random_uuid(), $2, 'issued', 1, 'EUR', 100, 'Buyer', 'N-' || n, '2026-01-01', now(), now(), now()
FROM generate_series(1, $3) n
"""
VERSIONS = """
INSERT INTO invoice_version (workspace_id, invoice_id, version, content, totals, created_at, issued_at)
SELECT workspace_id, invoice_id, version, '{}', '{}', now(), now() FROM invoice WHERE workspace_id = $1
"""
LINKS = """
INSERT INTO link (workspace_id, link_id, invoice_id, customer_id, token_hash, token_sealed, created_at, expires_at,
                  last_shown_at)
SELECT workspace_id, gen_random_uuid(), invoice_id, customer_id, sha256(number::bytea), '', now(),
       now() + interval '1 day', now()
FROM invoice WHERE workspace_id = $1
"""
CUSTOMERS = """
INSERT INTO customer (workspace_id, customer_id, name, match_key, created_at)
SELECT $1, gen_random_uuid(), 'C-' || n, 'c' || n, now() FROM generate_series(1, $2) n
"""
CONTACTS = """
INSERT INTO contact (workspace_id, contact_id, customer_id, email, created_at)
SELECT workspace_id, gen_random_uuid(), customer_id, 'a@b.example', now() FROM customer WHERE workspace_id = $1
"""


def scans(node: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return of each table how it is reached: the index and its condition, or the kind of scan."""
    found = {}
    if "Relation Name" in node:
        found[node["Relation Name"]] = (
            node.get("Index Name", node["Node Type"]),
            node.get("Index Cond", "nothing"),
        )
    for inner in node.get("Plans", []):
        found |= scans(inner)
    return found


async def test_a_link_is_opened_by_whole_keys_among_thousands(acme: Business, owner_url: str) -> None:
    customer_id = await acme.customer()
    async with acme.database.scope(acme.workspace_id):
        await execute(CUSTOMERS, acme.workspace_id, MANY)
        await execute(CONTACTS, acme.workspace_id)
        await execute(INVOICES, acme.workspace_id, customer_id, MANY)
        await execute(VERSIONS, acme.workspace_id)
        await execute(LINKS, acme.workspace_id)
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute("ANALYZE customer, contact, invoice, link")
    finally:
        await owner.close()
    async with acme.database.scope(acme.workspace_id):
        await execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await execute(f"PREPARE opening (uuid, bytea[]) AS {_OPEN}")
        asked = f"EXECUTE opening ('{acme.workspace_id}', ARRAY[sha256('N-77'::bytea)])"
        plan = json.loads(await fetch_value(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked}"))[0]["Plan"]
        await execute("DEALLOCATE opening")
    found = scans(plan)
    assert {table: index for table, (index, _) in found.items()} == {
        "link": "link_token",
        "invoice": "invoice_pkey",
        "customer": "customer_pkey",
        "contact": "contact_pkey",
    }
    wanted = {
        "link": "token_hash",
        "invoice": "invoice_id",
        "customer": "customer_id",
        "contact": "contact_id",
    }
    for table, key in wanted.items():
        assert "workspace_id" in found[table][1], found
        assert key in found[table][1], found
    assert plan["Actual Rows"] == 1


async def test_the_same_statement_finds_nothing_for_a_hash_that_is_nobodys(acme: Business) -> None:
    async with acme.database.scope(acme.workspace_id):
        assert await fetch_value(_OPEN, acme.workspace_id, [new_id().bytes * 2]) is None
