"""Fills a workspace with thousands of rows, and reads plans of Postgres."""

from __future__ import annotations

from typing import Any

import asyncpg

from kernel.store import execute
from tests.fakes.sample_workspaces import SampleWorkspace

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


async def fill_workspace(sample_workspace: SampleWorkspace, owner_url: str) -> None:
    """Give a workspace MANY invoices, links, customers and contacts, and analyze the tables."""
    customer_id = await sample_workspace.create_customer()
    async with sample_workspace.database.scope(sample_workspace.workspace_id):
        await execute(CUSTOMERS, sample_workspace.workspace_id, MANY)
        await execute(CONTACTS, sample_workspace.workspace_id)
        await execute(INVOICES, sample_workspace.workspace_id, customer_id, MANY)
        await execute(VERSIONS, sample_workspace.workspace_id)
        await execute(LINKS, sample_workspace.workspace_id)
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute("ANALYZE customer, contact, invoice, link")
    finally:
        await owner.close()


def find_scans(node: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the scan of each table in a plan: the index and its condition, or the node type and "nothing"."""
    found = {}
    if "Relation Name" in node:
        found[node["Relation Name"]] = (
            node.get("Index Name", node["Node Type"]),
            node.get("Index Cond", "nothing"),
        )
    for inner in node.get("Plans", []):
        found |= find_scans(inner)
    return found
