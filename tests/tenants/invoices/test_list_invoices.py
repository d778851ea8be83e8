"""The list of invoices: pages by key, which cost the same wherever they begin."""

from __future__ import annotations

import json

import pytest

from kernel.errors import Missing
from kernel.ids import new_id
from kernel.store import execute, fetch, fetch_value
from tenants.ids import InvoiceId
from tenants.invoices import queries
from tenants.invoices.queries import _SELECT_OLDER
from tests.fakes.large_workspaces import find_scans
from tests.fakes.sample_workspaces import SampleWorkspace


async def page_through(sample_workspace: SampleWorkspace, *, limit: int) -> list[InvoiceId]:
    found: list[InvoiceId] = []
    async with sample_workspace.database.scope(sample_workspace.workspace_id, read_only=True):
        page = await queries.list_invoices(limit=limit)
        while page:
            assert len(page) <= limit
            found.extend(line.invoice_id for line in page)
            page = await queries.list_invoices(limit=limit, after=page[-1].invoice_id)
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_pages_go_through_ties_without_a_gap_or_a_repetition(acme: SampleWorkspace, limit: int) -> None:
    customer_id = await acme.create_customer()
    drafts = [await acme.create_draft(customer_id) for _ in range(7)]
    async with acme.database.scope(acme.workspace_id):
        # Five of one moment in the middle.
        for number, moments in enumerate((0, 1, 1, 1, 1, 1, 2)):
            await execute(
                "UPDATE invoice SET created_at = timestamptz '2026-03-16' + make_interval(secs => $2)"
                " WHERE invoice_id = $1",
                drafts[number],
                moments,
            )
        rows = await fetch("SELECT invoice_id, created_at FROM invoice")
    newest_first = sorted(rows, key=lambda row: (row["created_at"], row["invoice_id"]), reverse=True)
    assert await page_through(acme, limit=limit) == [row["invoice_id"] for row in newest_first]


async def test_after_an_invoice_that_is_not_there_nothing_is_listed(
    acme: SampleWorkspace, rival: SampleWorkspace
) -> None:
    for invoice_id in (InvoiceId(new_id()), await rival.issue_invoice()):
        async with acme.database.scope(acme.workspace_id):
            with pytest.raises(Missing) as caught:
                await queries.list_invoices(after=invoice_id)
        assert caught.value.code == "invoice.not_found"


async def test_a_late_page_begins_by_the_index_among_thousands(large_workspace: SampleWorkspace) -> None:
    async with large_workspace.database.scope(large_workspace.workspace_id):
        await execute("UPDATE invoice SET created_at = created_at + random() * interval '1 day'")
        assert await fetch_value("SHOW plan_cache_mode") == "force_generic_plan"
        await execute(f"PREPARE older (uuid, bigint, timestamptz, uuid) AS {_SELECT_OLDER}")
        asked = f"EXECUTE older ('{large_workspace.workspace_id}', 100, now() + interval '1 minute', '{new_id()}')"
        plan = json.loads(await fetch_value(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked}"))[0]["Plan"]
        await execute("DEALLOCATE older")
    index, condition = find_scans(plan)["invoice"]
    assert index == "invoice_newest"
    assert "workspace_id" in condition
    assert "ROW(created_at, invoice_id) < ROW(" in condition
    assert "Sort" not in json.dumps(plan)
