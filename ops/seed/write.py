"""Seeds the demo through the product's actions."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kernel.clock import Clock, FixedClock, SystemClock, today
from kernel.ids import WorkspaceId, new_id
from kernel.money import Money
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from ops.seed.accounts import connect_account
from ops.seed.example import Example, SeededLinkState, SeededStatus
from ops.seed.threads import MARCO, add_missing_contacts, list_threads, set_up_authenticator, write_thread
from ops.seed.workspaces import LOGOS, SEED_WORKSPACES, SeedWorkspace
from tenants.customers.actions import find_or_create_customer
from tenants.customers.values import CustomerDetails
from tenants.ids import CustomerId, InvoiceId
from tenants.invoices import actions, queries
from tenants.invoices.content import Party
from tenants.invoices.numbering import write_number
from tenants.invoices.ubl import parse, read_ubl
from tenants.invoices.values import CheckedInvoice, LinkState
from tenants.payments.actions import record_payment
from tenants.workspaces.actions import (
    create_workspace,
    set_contact_email,
    set_logo,
    set_payment_settings,
)
from tenants.workspaces.logo import reencode
from tenants.workspaces.profile import LogoImage
from tenants.workspaces.queries import find_workspace_by_host, load_primary_host

# A link that was issued so long ago has expired: it is valid for 30 days after the due date.
EXPIRED_LINK_AGE = dt.timedelta(days=120)
MAX_INVOICES = 1_000


@dataclass(frozen=True, slots=True)
class SeedResult:
    """The seeded workspaces, invoices and contacts with an authenticator, in the form of demo.json."""

    workspaces: list[dict[str, Any]]
    invoices: list[dict[str, Any]]
    contacts: list[dict[str, Any]]


async def seed(database: Database, settings: Settings, progress: Callable[[str], None]) -> SeedResult:
    """Write every workspace of the demo that is missing, and return links to all their invoices.

    A workspace is written in one transaction, so that a seed that was interrupted can be repeated.
    """
    seeder = _Seeder(settings, Sealer(settings.secret_keys), SystemClock())
    result = SeedResult([], [], [])
    for workspace in SEED_WORKSPACES:
        host = f"{workspace.new.slug}.{settings.base_domain}"
        resolved = await find_workspace_by_host(database, host)
        if resolved is None:
            progress(workspace.new.name)
            files = await asyncio.to_thread(_Files.read, workspace)
            workspace_id = WorkspaceId(new_id())
            async with database.scope(workspace_id):
                await seeder.write_workspace(workspace, files)
        else:
            workspace_id = resolved.workspace.workspace_id
        async with database.scope(workspace_id):
            if workspace.account is not None:
                await connect_account(workspace.account, sealer=seeder.sealer, clock=seeder.clock)
            host = await load_primary_host()
            result.workspaces.append(
                {
                    "slug": workspace.new.slug,
                    "name": workspace.new.name,
                    "host": settings.build_public_url(host, "").partition("://")[2],
                }
            )
            result.invoices.extend(await seeder.list_rows(workspace, host))
        if workspace.new.slug == "acme":
            secret = await set_up_authenticator(
                database, workspace_id, sealer=seeder.sealer, clock=seeder.clock
            )
            result.contacts.append({"workspace": "acme", "email": MARCO[1], "totp_secret": secret})
    return result


@dataclass(frozen=True, slots=True)
class _Files:
    """The logo and documents of a workspace, parsed before the unit of work is opened."""

    logo: LogoImage | None
    documents: tuple[CheckedInvoice, ...]

    @classmethod
    def read(cls, workspace: SeedWorkspace) -> _Files:
        logo = reencode((LOGOS / workspace.logo).read_bytes()) if workspace.logo else None
        return cls(logo, tuple(read_ubl(workspace.read_document(name)) for name in workspace.documents))


@dataclass(frozen=True, slots=True)
class _Seeder:
    settings: Settings
    sealer: Sealer
    clock: Clock

    async def write_workspace(self, workspace: SeedWorkspace, files: _Files) -> None:
        """Write one workspace with its customers, invoices and links, in the open unit of work."""
        await create_workspace(
            workspace.new,
            base_domain=self.settings.base_domain,
            reserved_hosts=self.settings.reserved_hosts,
            sealer=self.sealer,
            clock=self.clock,
        )
        await set_contact_email(f"billing@{workspace.new.slug}.example")
        await set_payment_settings(is_live=False, takes_parts=True)
        await actions.set_series(workspace.series)
        if files.logo:
            await set_logo(files.logo, clock=self.clock)
        for document in files.documents:
            await actions.import_invoice(document, clock=self.clock)
        for example in workspace.examples(today(self.clock, workspace.new.time_zone)):
            await self.write_example(example)

    async def write_example(self, example: Example) -> None:
        """Write one invoice and bring it into its status."""
        clock = self.choose_clock(example.link_state)
        customer_id = await self.find_or_create_customer(example.content.buyer)
        invoice_id = await actions.create_draft(customer_id, example.content, clock=clock)
        if example.status is not SeededStatus.DRAFT:
            await actions.issue(invoice_id, clock=clock)
        await self.set_status(invoice_id, example.status)
        for thread in list_threads(example.tags):
            await add_missing_contacts(customer_id, clock=self.clock)
            await write_thread(invoice_id, thread, clock=self.clock)

    async def find_or_create_customer(self, buyer: Party) -> CustomerId:
        """Return the customer of an example."""
        details = CustomerDetails(
            name=buyer.name,
            street=buyer.address.street,
            postal_code=buyer.address.postal_code,
            city=buyer.address.city,
            subdivision=buyer.address.subdivision,
            country=buyer.address.country,
            vat_id=buyer.vat_id,
            email=buyer.email,
        )
        return await find_or_create_customer(details, clock=self.clock)

    async def set_status(self, invoice_id: InvoiceId, status: SeededStatus) -> None:
        """Pay, void or write off an invoice, as its status says."""
        if status is SeededStatus.VOID:
            await actions.void(invoice_id, clock=self.clock)
        elif status is SeededStatus.WRITTEN_OFF:
            await actions.write_off(invoice_id, clock=self.clock)
        elif status in {SeededStatus.PAID, SeededStatus.PARTLY_PAID}:
            total = (await queries.load_invoice(invoice_id)).total
            amount = total if status is SeededStatus.PAID else Money(total.minor * 2 // 5, total.currency)
            await record_payment(invoice_id, amount, clock=self.clock)

    async def list_rows(self, workspace: SeedWorkspace, host: str) -> list[dict[str, Any]]:
        """Return the workspace's seeded invoices as rows of demo.json, each with a link in its state."""
        invoices = await queries.list_invoices(limit=MAX_INVOICES)
        by_number = {row.number: row.invoice_id for row in invoices}
        rows = []
        for seeded in _list_seeded(workspace, today(self.clock, workspace.new.time_zone)):
            # A draft has no number; a member may have issued or deleted it since.
            if (invoice_id := by_number.get(seeded.number)) is None:
                continue
            url = self.settings.build_public_url(
                host, f"/i/{await self.find_or_issue_token(invoice_id, seeded.link_state)}"
            )
            rows.append(
                {
                    "workspace": workspace.new.slug,
                    "number": seeded.number or "",
                    "url": url,
                    "tags": [*seeded.tags, workspace.payment_tag],
                }
            )
        return rows

    async def find_or_issue_token(self, invoice_id: InvoiceId, link_state: SeededLinkState) -> str:
        """Return the token of an existing open link, or of a new link in the given state."""
        if link_state is SeededLinkState.OPEN:
            for link in await queries.list_links(invoice_id):
                if link.state is LinkState.OPEN:
                    return (await actions.show_link(link.link_id, sealer=self.sealer, clock=self.clock)).token
        issued = await actions.issue_link(invoice_id, sealer=self.sealer, clock=self.choose_clock(link_state))
        if link_state is SeededLinkState.REVOKED:
            await actions.revoke_link(issued.link_id, clock=self.clock)
        return issued.token

    def choose_clock(self, link_state: SeededLinkState) -> Clock:
        """Return a clock in the past for links that must be expired now."""
        return (
            FixedClock(self.clock.now() - EXPIRED_LINK_AGE)
            if link_state is SeededLinkState.EXPIRED
            else self.clock
        )


@dataclass(frozen=True, slots=True)
class _SeededInvoice:
    """The number of a seeded invoice (a draft has none), its tags and the state of its link."""

    number: str | None
    tags: tuple[str, ...]
    link_state: SeededLinkState


def _list_seeded(workspace: SeedWorkspace, day: dt.date) -> Iterator[_SeededInvoice]:
    for name in workspace.documents:
        yield _SeededInvoice(
            parse(workspace.read_document(name)).number, (f"ubl:{name}",), SeededLinkState.OPEN
        )
    # Numbers are assigned in the order of writing.
    last = 0
    for example in workspace.examples(day):
        number = None
        if example.status is not SeededStatus.DRAFT:
            last += 1
            number = write_number(workspace.series.prefix, workspace.series.digits, last)
        yield _SeededInvoice(number, example.tags, example.link_state)
