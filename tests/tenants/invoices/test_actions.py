"""The life of an invoice: written, issued, changed by versions, paid, void, written off."""

from __future__ import annotations

from datetime import UTC, date, datetime

import asyncpg
import msgspec
import pytest

from kernel.clock import FixedClock, SystemClock
from kernel.errors import Conflict, Invalid, Missing
from kernel.ids import new_id
from kernel.money import Money, find_currency
from kernel.store import Database, execute, savepoint
from tenants.ids import CustomerId, InvoiceId
from tenants.invoices import actions, queries
from tenants.invoices.content import Transfer
from tenants.invoices.numbering import Series
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.totals import compute_totals
from tenants.workspaces import actions as workspaces
from tenants.workspaces.profile import BankDetails
from tests.fakes.payments import set_paid
from tests.fakes.sample_workspaces import SampleWorkspace, build_content, euros
from tests.tenants.conftest import AddWorkspace

CLOCK = SystemClock()
EMPTY = msgspec.structs.replace(build_content(), lines=())
# Half past ten at night in Berlin's winter; the next day has begun in Tokyo.
EVENING = FixedClock(datetime(2026, 1, 31, 21, 30, tzinfo=UTC))


async def test_a_draft_has_no_number_and_can_be_written_over(acme: SampleWorkspace) -> None:
    customer_id = await acme.create_customer()
    draft = await acme.create_draft(customer_id, build_content("100"))
    longer = build_content("250.50", buyer="Buyer Holding AG", due=date(2030, 1, 2))
    async with acme.database.scope(acme.workspace_id):
        await actions.update_draft(draft, longer, clock=CLOCK)
        found = await queries.load_invoice(draft)
        version = await queries.load_version(draft, 1)
    assert (found.number, found.status, found.version) == (None, InvoiceStatus.DRAFT, 1)
    assert (found.customer_name, found.total, found.due_date) == (
        "Buyer Holding AG",
        euros("298.10"),
        date(2030, 1, 2),
    )
    assert version == (longer, compute_totals(longer), None)


async def test_a_draft_may_change_its_currency(acme: SampleWorkspace) -> None:
    draft = await acme.create_draft()
    async with acme.database.scope(acme.workspace_id):
        await actions.update_draft(draft, build_content("100", currency_code="JPY"), clock=CLOCK)
        assert (await queries.load_invoice(draft)).total == Money(119, find_currency("JPY"))


async def test_a_discarded_draft_is_gone_with_its_links(acme: SampleWorkspace) -> None:
    draft = await acme.create_draft()
    async with acme.database.scope(acme.workspace_id):
        await actions.issue_link(draft, sealer=acme.sealer, clock=CLOCK)
        await actions.discard_draft(draft)
        assert await queries.list_links(draft) == ()
        with pytest.raises(Missing):
            await queries.load_version(draft, 1)
        with pytest.raises(Missing):
            await actions.discard_draft(draft)


async def test_issuing_gives_number_and_dates_by_the_workspaces_calendar(add_workspace: AddWorkspace) -> None:
    tokyo = await add_workspace(time_zone="Asia/Tokyo")
    draft = await tokyo.create_draft()
    async with tokyo.database.scope(tokyo.workspace_id):
        await workspaces.set_terms(payment_days=10)
        assert await actions.issue(draft, clock=EVENING) == "INV-00001"
        issued = await queries.load_invoice_by_number("INV-00001")
        version = await queries.load_version(draft, 1)
    assert (issued.invoice_id, issued.status, issued.total) == (draft, InvoiceStatus.ISSUED, euros("119"))
    assert (issued.issue_date, issued.due_date) == (date(2026, 2, 1), date(2026, 2, 11))
    assert (version.content.issue_date, version.content.due_date) == (date(2026, 2, 1), date(2026, 2, 11))
    assert version.number == "INV-00001"


async def test_dates_that_were_written_are_kept(acme: SampleWorkspace) -> None:
    draft = await acme.create_draft(content=build_content(due=date(2031, 5, 6)))
    async with acme.database.scope(acme.workspace_id):
        await actions.issue(draft, clock=EVENING)
        issued = await queries.load_invoice(draft)
    assert (issued.issue_date, issued.due_date) == (date(2026, 1, 31), date(2031, 5, 6))


async def test_each_series_counts_by_itself_in_its_own_writing(acme: SampleWorkspace) -> None:
    customer_id = await acme.create_customer()
    drafts = [await acme.create_draft(customer_id) for _ in range(5)]
    async with acme.database.scope(acme.workspace_id):
        await actions.set_series(Series("projects", "P/", 3))
        numbers = [
            await actions.issue(drafts[0], clock=CLOCK),
            await actions.issue(drafts[1], series="projects", clock=CLOCK),
            await actions.issue(drafts[2], series="projects", clock=CLOCK),
            await actions.issue(drafts[3], clock=CLOCK),
        ]
        await actions.set_series(Series("projects", "2027-", 1))
        numbers.append(await actions.issue(drafts[4], series="projects", clock=CLOCK))
    assert numbers == ["INV-00001", "P/001", "P/002", "INV-00002", "2027-3"]


async def test_an_empty_invoice_is_not_issued_and_takes_no_number(acme: SampleWorkspace) -> None:
    customer_id = await acme.create_customer()
    empty = await acme.create_draft(customer_id, EMPTY)
    full = await acme.create_draft(customer_id)
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Invalid) as caught:
            await actions.issue(empty, clock=CLOCK)
        assert await actions.issue(full, clock=CLOCK) == "INV-00001"
    assert caught.value.code == "invoice.no_lines"


async def test_an_issued_invoice_is_not_issued_written_over_or_discarded(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Conflict) as again:
            await actions.issue(invoice_id, clock=CLOCK)
        with pytest.raises(Conflict) as over:
            await actions.update_draft(invoice_id, build_content("1"), clock=CLOCK)
        with pytest.raises(Conflict) as away:
            await actions.discard_draft(invoice_id)
    assert (again.value.code, over.value.code, away.value.code) == (
        "invoice.status",
        "invoice.issued",
        "invoice.issued",
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invoice_version SET content = '{}' WHERE invoice_id = $1",
        "UPDATE invoice_version SET totals = totals WHERE invoice_id = $1",
        "UPDATE invoice_version SET issued_at = NULL WHERE invoice_id = $1",
        "DELETE FROM invoice_version WHERE invoice_id = $1",
        "DELETE FROM invoice WHERE invoice_id = $1",
        "UPDATE invoice SET number = 'X' WHERE invoice_id = $1",
        "UPDATE invoice SET currency = 'USD' WHERE invoice_id = $1",
        "UPDATE invoice SET status = 'draft', number = NULL, issued_at = NULL WHERE invoice_id = $1",
    ],
)
@pytest.mark.parametrize("role", ["app", "svc"])
async def test_the_database_itself_refuses_to_rewrite_what_was_issued(
    acme: SampleWorkspace, svc: Database, statement: str, role: str
) -> None:
    invoice_id = await acme.issue_invoice()
    database = acme.database if role == "app" else svc
    async with database.scope(acme.workspace_id):
        before = await queries.load_version(invoice_id, 1)
        with pytest.raises(asyncpg.RestrictViolationError):
            async with savepoint():
                await execute(statement, invoice_id)
        assert await queries.load_version(invoice_id, 1) == before


async def test_an_invoice_without_its_version_cannot_be_committed(acme: SampleWorkspace) -> None:
    draft = await acme.create_draft()
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="invoice_current_version_fkey"):
        async with acme.database.scope(acme.workspace_id):
            await execute("UPDATE invoice SET version = 2 WHERE invoice_id = $1", draft)


async def test_a_new_version_changes_what_is_owed_and_keeps_what_was_said(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        before = await queries.load_version(invoice_id, 1)
        assert await actions.add_version(invoice_id, build_content("80"), clock=CLOCK) == 2
        now = await queries.load_invoice(invoice_id)
        assert await queries.load_version(invoice_id, 1) == before
        after = await queries.load_version(invoice_id, 2)
    assert (now.version, now.total, now.number) == (2, euros("95.20"), "INV-00001")
    assert (after.content.issue_date, after.content.due_date) == (
        before.content.issue_date,
        before.content.due_date,
    )


async def test_an_invoice_that_names_no_account_names_the_workspaces(acme: SampleWorkspace) -> None:
    own = (Transfer(account="12345678"),)
    async with acme.database.scope(acme.workspace_id):
        await workspaces.set_bank_details(
            BankDetails("Acme GmbH", "DE89370400440532013000", "COBADEFFXXX", "Commerzbank")
        )
    plain = await acme.issue_invoice()
    named = await acme.issue_invoice(content=msgspec.structs.replace(build_content(), transfers=own))
    async with acme.database.scope(acme.workspace_id):
        found = [(await queries.load_version(each, 1)).content.transfers for each in (plain, named)]
    (account,) = found[0]
    assert (account.account, account.holder, account.bic, account.bank) == (
        "DE89370400440532013000",
        "Acme GmbH",
        "COBADEFFXXX",
        "Commerzbank",
    )
    assert found[1] == own


async def test_a_version_changes_what_is_owed_and_neither_status_nor_what_was_paid(
    acme: SampleWorkspace,
) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        await set_paid(invoice_id, euros("119"), clock=CLOCK)
        await actions.add_version(invoice_id, build_content("200"), clock=CLOCK)
        found = await queries.load_invoice(invoice_id)
    assert (found.status, found.total, found.paid) == (InvoiceStatus.ISSUED, euros("238"), euros("119"))


async def test_a_version_needs_lines_the_same_currency_and_an_open_invoice(acme: SampleWorkspace) -> None:
    invoice_id, draft = await acme.issue_invoice(), await acme.create_draft()
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Conflict) as foreign:
            await actions.add_version(invoice_id, build_content(currency_code="USD"), clock=CLOCK)
        with pytest.raises(Invalid) as empty:
            await actions.add_version(invoice_id, EMPTY, clock=CLOCK)
        with pytest.raises(Conflict) as early:
            await actions.add_version(draft, build_content(), clock=CLOCK)
        await actions.void(invoice_id, clock=CLOCK)
        with pytest.raises(Conflict) as late:
            await actions.add_version(invoice_id, build_content(), clock=CLOCK)
        assert (await queries.load_invoice(invoice_id)).version == 1
    assert [error.value.code for error in (foreign, empty, early, late)] == [
        "invoice.currency",
        "invoice.no_lines",
        "invoice.status",
        "invoice.status",
    ]


async def test_void_is_the_end_but_what_still_arrives_is_kept(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        await actions.void(invoice_id, clock=CLOCK)
        await set_paid(invoice_id, euros("119"), clock=CLOCK)
        found = await queries.load_invoice(invoice_id)
        assert (found.status, found.paid) == (InvoiceStatus.VOID, euros("119"))
        for action in (actions.void, actions.write_off):
            with pytest.raises(Conflict) as caught:
                await action(invoice_id, clock=CLOCK)
            assert caught.value.code == "invoice.status"


async def test_an_invoice_with_payments_is_not_void_before_they_are_refunded(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        await set_paid(invoice_id, euros("1"), clock=CLOCK)
        with pytest.raises(Conflict) as caught:
            await actions.void(invoice_id, clock=CLOCK)
        await set_paid(invoice_id, euros("0"), clock=CLOCK)
        await actions.void(invoice_id, clock=CLOCK)
    assert caught.value.code == "invoice.has_payments"


async def test_what_was_written_off_can_still_be_paid_and_stays_written_off(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        await actions.write_off(invoice_id, clock=CLOCK)
        await set_paid(invoice_id, euros("119"), clock=CLOCK)
        found = await queries.load_invoice(invoice_id)
    assert (found.status, found.paid) == (InvoiceStatus.WRITTEN_OFF, euros("119"))


async def test_a_paid_invoice_is_not_written_off(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        await set_paid(invoice_id, euros("119"), clock=CLOCK)
        with pytest.raises(Conflict) as caught:
            await actions.write_off(invoice_id, clock=CLOCK)
    assert caught.value.code == "invoice.paid"


async def test_a_draft_is_neither_void_nor_written_off(acme: SampleWorkspace) -> None:
    draft = await acme.create_draft()
    async with acme.database.scope(acme.workspace_id):
        for action in (actions.void, actions.write_off):
            with pytest.raises(Conflict):
                await action(draft, clock=CLOCK)


async def test_an_invoice_that_asks_for_nothing_is_issued_and_can_be_void(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice(content=build_content("0"))
    async with acme.database.scope(acme.workspace_id):
        assert (await queries.load_invoice(invoice_id)).status is InvoiceStatus.ISSUED
        await actions.void(invoice_id, clock=CLOCK)


async def test_a_draft_is_for_a_customer_there_is(acme: SampleWorkspace) -> None:
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Missing) as caught:
            await actions.create_draft(CustomerId(new_id()), build_content(), clock=CLOCK)
    assert caught.value.code == "customer.not_found"


async def test_invoices_are_listed_newest_first_page_by_page(acme: SampleWorkspace) -> None:
    customer_id = await acme.create_customer()
    clock = FixedClock(EVENING.now())
    async with acme.database.scope(acme.workspace_id):
        # All at the same moment: the id alone keeps the pages apart.
        made = [await actions.create_draft(customer_id, build_content(), clock=clock) for _ in range(5)]
        whole = await queries.list_invoices()
        first = await queries.list_invoices(limit=2)
        rest = await queries.list_invoices(after=first[-1].invoice_id)
        with pytest.raises(Missing):
            await queries.list_invoices(after=InvoiceId(new_id()))
    assert first + rest == whole
    assert {found.invoice_id for found in whole} == set(made)
