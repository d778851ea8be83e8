"""An exercise for every action on invoices."""

from __future__ import annotations

from kernel.store import fetch_value
from tenants.customers.actions import add_contact
from tenants.ids import InvoiceId
from tenants.invoices import actions as invoices
from tenants.invoices.numbering import Series
from tenants.invoices.ubl import read_ubl
from tenants.invoices.values import LinkWithToken
from tenants.workspaces.authority import WriteAuthority, WriteMode
from tests.fakes.payments import set_paid
from tests.fakes.sample_workspaces import SampleWorkspace, build_content, euros
from tests.fakes.ubl_writer import read_published
from tests.tenants.exercises import CLOCK, Call, call, exercise, run

OTP_WITH_TOTP = WriteAuthority.create(WriteMode.OTP, requires_totp=True)


async def link(workspace: SampleWorkspace) -> LinkWithToken:
    invoice_id = await workspace.issue_invoice()
    issued: LinkWithToken = await run(
        workspace, invoices.issue_link, invoice_id, sealer=workspace.sealer, clock=CLOCK
    )
    return issued


async def pay(workspace: SampleWorkspace, amount: str) -> InvoiceId:
    invoice_id = await workspace.issue_invoice()
    await run(workspace, set_paid, invoice_id, euros(amount), clock=CLOCK)
    return invoice_id


@exercise(invoices.create_draft, "invoice.draft_created", currency="EUR", total_minor=11_900)
async def create_a_draft(workspace: SampleWorkspace) -> Call:
    return call(await workspace.create_customer(), build_content(), clock=CLOCK)


@exercise(invoices.update_draft, "invoice.draft_updated", currency="USD", total_minor=23_800)
async def update_a_draft(workspace: SampleWorkspace) -> Call:
    return call(await workspace.create_draft(), build_content("200", currency_code="USD"), clock=CLOCK)


@exercise(invoices.discard_draft, "invoice.draft_discarded")
async def discard_a_draft(workspace: SampleWorkspace) -> Call:
    return call(await workspace.create_draft())


@exercise(invoices.issue, "invoice.issued", number="INV-00001", series="invoices", version=1)
async def issue_an_invoice(workspace: SampleWorkspace) -> Call:
    return call(await workspace.create_draft(), clock=CLOCK)


@exercise(
    invoices.add_version,
    "invoice.version_added",
    version=2,
    changes={
        "total_minor": {"before": 11_900, "after": 23_800},
    },
)
async def add_a_version(workspace: SampleWorkspace) -> Call:
    return call(await pay(workspace, "119"), build_content("200"), clock=CLOCK)


@exercise(
    invoices.import_invoice,
    "customer.created",
    "contact.added",
    "invoice.imported",
    number="123456XX",
    version=1,
)
async def import_an_invoice(_: SampleWorkspace) -> Call:
    return call(read_ubl(read_published("01.01a")), clock=CLOCK)


@exercise(
    invoices.set_series,
    "number_series.changed",
    series="invoices",
    changes={
        "prefix": {"before": None, "after": "RE-"},
        "digits": {"before": None, "after": 4},
        "next_number": {"before": None, "after": 7},
    },
)
async def set_a_series(_: SampleWorkspace) -> Call:
    return call(Series("invoices", "RE-", 4), next_sequence=7)


@exercise(invoices.set_series, "number_series.changed", changes={"next_number": {"before": 2, "after": 9}})
async def set_the_next_number_of_a_series(workspace: SampleWorkspace) -> Call:
    await workspace.issue_invoice()
    return call(Series("invoices", "INV-", 5), next_sequence=9)


@exercise(invoices.set_series)
async def set_a_series_as_it_is(workspace: SampleWorkspace) -> Call:
    await workspace.issue_invoice()
    return call(Series("invoices", "INV-", 5))


@exercise(invoices.void, "invoice.voided")
async def void_an_invoice(workspace: SampleWorkspace) -> Call:
    return call(await workspace.issue_invoice(), clock=CLOCK)


@exercise(invoices.write_off, "invoice.written_off", currency="EUR", outstanding_minor=10_000)
async def write_an_invoice_off(workspace: SampleWorkspace) -> Call:
    return call(await pay(workspace, "19"), clock=CLOCK)


@exercise(invoices.issue_link, "link.issued", replaces=None)
async def issue_a_link(workspace: SampleWorkspace) -> Call:
    return call(await workspace.issue_invoice(), sealer=workspace.sealer, clock=CLOCK)


@exercise(invoices.show_link, "link.shown")
async def show_a_link(workspace: SampleWorkspace) -> Call:
    return call((await link(workspace)).link_id, sealer=workspace.sealer, clock=CLOCK)


@exercise(invoices.revoke_link, "link.revoked")
async def revoke_a_link(workspace: SampleWorkspace) -> Call:
    return call((await link(workspace)).link_id, clock=CLOCK)


@exercise(invoices.revoke_link)
async def revoke_a_link_twice(workspace: SampleWorkspace) -> Call:
    link_id = (await link(workspace)).link_id
    await run(workspace, invoices.revoke_link, link_id, clock=CLOCK)
    return call(link_id, clock=CLOCK)


@exercise(invoices.rotate_link, "link.revoked", "link.issued")
async def rotate_a_link(workspace: SampleWorkspace) -> Call:
    return call((await link(workspace)).link_id, sealer=workspace.sealer, clock=CLOCK)


@exercise(
    invoices.set_write_authority,
    "invoice.write_authority_changed",
    changes={
        "write_mode": {"before": None, "after": "otp"},
        "otp_policy": {"before": None, "after": "contacts"},
        "write_totp": {"before": None, "after": True},
    },
)
async def set_who_may_write_on_an_invoice(workspace: SampleWorkspace) -> Call:
    return call(await workspace.issue_invoice(), OTP_WITH_TOTP)


@exercise(invoices.set_write_authority)
async def set_who_may_write_on_an_invoice_as_it_is(workspace: SampleWorkspace) -> Call:
    return call(await workspace.issue_invoice(), None)


@exercise(invoices.send_invoice, "link.issued", "invoice.sent")
async def send_an_invoice(workspace: SampleWorkspace) -> Call:
    customer_id = await workspace.create_customer()
    ana = await run(workspace, add_contact, customer_id, email="ana@buyer.example", clock=CLOCK)
    invoice_id = await workspace.issue_invoice(customer_id)
    return call(invoice_id, ana.contact_id, sealer=workspace.sealer, clock=CLOCK)


@exercise(invoices.issue_fresh_links, "link.issued")
async def issue_the_links_of_a_request(workspace: SampleWorkspace) -> Call:
    customer_id = await workspace.create_customer()
    await run(workspace, add_contact, customer_id, email="ana@buyer.example", clock=CLOCK)
    await workspace.issue_invoice(customer_id)
    async with workspace.database.scope(workspace.workspace_id):
        await invoices.request_fresh_links("ana@buyer.example")
        request_id = await fetch_value("SELECT request_id FROM fresh_link_request")
    return call(request_id, sealer=workspace.sealer, clock=CLOCK)
