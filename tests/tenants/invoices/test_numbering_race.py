"""Numbers under fire: no gap, no double, whoever issues at once and whoever gives up halfway."""

from __future__ import annotations

import asyncio
import random

import pytest

from kernel.clock import SystemClock
from kernel.settings import Settings
from kernel.store import Database, fetch
from tenants.ids import InvoiceId
from tenants.invoices import actions, queries
from tenants.invoices.numbering import Series
from tenants.invoices.totals import compute_totals
from tenants.invoices.ubl import read_ubl
from tests.conftest import OPERATOR
from tests.fakes.sample_workspaces import SampleWorkspace, build_content
from tests.fakes.ubl_writer import write_invoice

CLOCK = SystemClock()


def build_foreign_document(number: str) -> bytes:
    return write_invoice(build_content(), compute_totals(build_content()), number)


class RolledBackError(Exception):
    """Somebody's work that failed after the number was given."""


async def test_twenty_at_once_with_rollbacks_between_leave_no_gap(
    acme: SampleWorkspace, settings: Settings
) -> None:
    customer_id = await acme.create_customer()
    drafts = [await acme.create_draft(customer_id) for _ in range(20)]
    dice = random.Random(11)
    fails = {draft for place, draft in enumerate(drafts) if place % 3 == 1}

    async def attempt(draft: InvoiceId) -> str:
        async with wide.scope(acme.workspace_id):
            number = await actions.issue(draft, clock=CLOCK)
            await asyncio.sleep(dice.random() / 100)
            if draft in fails:
                raise RolledBackError
            return number

    wide = await Database.open(settings.database_url, size=20, name="race", actor=OPERATOR)
    try:
        outcomes = await asyncio.gather(*(attempt(draft) for draft in drafts), return_exceptions=True)
    finally:
        await wide.close()
    given = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert sum(isinstance(outcome, RolledBackError) for outcome in outcomes) == len(fails) == 7
    assert sorted(given) == [f"INV-{running:05}" for running in range(1, 14)]
    async with acme.database.scope(acme.workspace_id):
        rows = await fetch("SELECT number FROM invoice WHERE number IS NOT NULL ORDER BY number")
        assert [row["number"] for row in rows] == sorted(given)
        assert await actions.issue(min(fails), clock=CLOCK) == "INV-00014"


async def test_one_draft_issued_by_two_at_once_has_one_number(acme: SampleWorkspace) -> None:
    draft = await acme.create_draft()

    async def attempt() -> str:
        async with acme.database.scope(acme.workspace_id):
            return await actions.issue(draft, clock=CLOCK)

    outcomes = await asyncio.gather(attempt(), attempt(), return_exceptions=True)
    assert sorted(str(outcome) for outcome in outcomes) == [
        "An invoice that is issued cannot become issued. [invoice.status]",
        "INV-00001",
    ]


async def test_a_number_that_came_by_import_is_passed_over(acme: SampleWorkspace) -> None:
    customer_id = await acme.create_customer()
    drafts = [await acme.create_draft(customer_id) for _ in range(2)]
    async with acme.database.scope(acme.workspace_id):
        for number in ("INV-00002", "INV-00003"):
            await actions.import_invoice(read_ubl(build_foreign_document(number)), clock=CLOCK)
        numbers = [await actions.issue(draft, clock=CLOCK) for draft in drafts]
    assert numbers == ["INV-00001", "INV-00004"]


async def test_workspaces_count_for_themselves(acme: SampleWorkspace, rival: SampleWorkspace) -> None:
    for sample_workspace in (acme, rival):
        invoice_id = await sample_workspace.issue_invoice()
        async with sample_workspace.database.scope(sample_workspace.workspace_id):
            assert (await queries.load_invoice(invoice_id)).number == "INV-00001"


@pytest.mark.parametrize("first_is_import", [True, False])
async def test_two_series_with_the_same_prefix_never_give_a_number_twice(
    acme: SampleWorkspace, *, first_is_import: bool
) -> None:
    customer_id = await acme.create_customer()
    drafts = [await acme.create_draft(customer_id) for _ in range(3)]
    async with acme.database.scope(acme.workspace_id):
        await actions.set_series(Series("others", "INV-", 5))
        if first_is_import:
            await actions.import_invoice(read_ubl(build_foreign_document("INV-00001")), clock=CLOCK)
        series = ("invoices", "others", "invoices")
        numbers = [
            await actions.issue(draft, series=name, clock=CLOCK)
            for draft, name in zip(drafts, series, strict=True)
        ]
    start = 2 if first_is_import else 1
    assert numbers == [f"INV-{running:05}" for running in range(start, start + 3)]
