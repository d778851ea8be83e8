"""Writes the demo through the product's own actions, so that it is made as any installation's data is."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kernel.clock import Clock, FixedClock, SystemClock, today
from kernel.ids import CustomerId, InvoiceId, WorkspaceId, new_id
from kernel.money import Money
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from ops.seed.catalogue import Ending, Example, LinkEnding
from ops.seed.workspaces import LOGOS, TENANTS, Tenant
from tenants.customers.actions import find_or_create_customer
from tenants.customers.values import CustomerDetails
from tenants.invoices import actions, queries
from tenants.invoices.content import Party
from tenants.invoices.numbering import write_number
from tenants.invoices.ubl import parse, read_ubl
from tenants.invoices.values import CheckedInvoice, LinkState
from tenants.workspaces.actions import create_workspace, set_logo
from tenants.workspaces.logo import reencode
from tenants.workspaces.profile import LogoImage
from tenants.workspaces.queries import primary_host, workspace_by_host

# Long enough ago that a link made then has expired: it lives 30 days after the due day.
LONG_AGO = dt.timedelta(days=120)
_MANY = 1_000


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What there is to click, in the form of demo.json."""

    workspaces: list[dict[str, Any]]
    invoices: list[dict[str, Any]]


async def seed(database: Database, settings: Settings, progress: Callable[[str], None]) -> SeedResult:
    """Write every workspace of the demo that is missing, and return links to all their invoices.

    A workspace is written in one transaction: it is there whole or not at all, however often this runs.
    """
    seeder = _Seeder(settings, Sealer(settings.secret_keys), SystemClock())
    result = SeedResult([], [])
    for tenant in TENANTS:
        host = f"{tenant.new.slug}.{settings.base_domain}"
        found = await workspace_by_host(database, host)
        if found is None:
            progress(tenant.new.name)
            prepared = await asyncio.to_thread(_Prepared.of, tenant)
            workspace_id = WorkspaceId(new_id())
            async with database.scope(workspace_id):
                await seeder.write(tenant, prepared)
        else:
            workspace_id = found.workspace.workspace_id
        async with database.scope(workspace_id):
            served = await primary_host()
            result.workspaces.append(
                {
                    "slug": tenant.new.slug,
                    "name": tenant.new.name,
                    "host": settings.public_url(served, "").partition("://")[2],
                }
            )
            result.invoices.extend(await seeder.rows(tenant, served))
    return result


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What takes computing of a workspace: read before the unit of work is opened."""

    logo: LogoImage | None
    documents: tuple[CheckedInvoice, ...]

    @classmethod
    def of(cls, tenant: Tenant) -> _Prepared:
        logo = reencode((LOGOS / tenant.logo).read_bytes()) if tenant.logo else None
        return cls(logo, tuple(read_ubl(tenant.document(name)) for name in tenant.documents))


@dataclass(frozen=True, slots=True)
class _Seeder:
    settings: Settings
    sealer: Sealer
    clock: Clock

    async def write(self, tenant: Tenant, prepared: _Prepared) -> None:
        """Write one workspace with its customers, invoices and links, in the open unit of work."""
        await create_workspace(
            tenant.new,
            base_domain=self.settings.base_domain,
            reserved_hosts=self.settings.reserved_hosts,
            sealer=self.sealer,
            clock=self.clock,
        )
        await actions.set_series(tenant.series)
        if prepared.logo:
            await set_logo(prepared.logo, clock=self.clock)
        for document in prepared.documents:
            await actions.import_invoice(document, clock=self.clock)
        for example in tenant.examples(today(self.clock, tenant.new.time_zone)):
            await self.write_example(example)

    async def write_example(self, example: Example) -> None:
        """Write one invoice and lead it to its ending."""
        clock = self.clock_of(example.link)
        customer_id = await self.customer(example.content.buyer)
        invoice_id = await actions.create_draft(customer_id, example.content, clock=clock)
        if example.ending is not Ending.DRAFT:
            await actions.issue(invoice_id, clock=clock)
        await self.end(invoice_id, example.ending)

    async def customer(self, buyer: Party) -> CustomerId:
        """Return the customer that an example is written to."""
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

    async def end(self, invoice_id: InvoiceId, ending: Ending) -> None:
        """Book, void or write off what is to end so."""
        if ending is Ending.VOID:
            await actions.void(invoice_id, clock=self.clock)
        elif ending is Ending.WRITTEN_OFF:
            await actions.write_off(invoice_id, clock=self.clock)
        elif ending in {Ending.PAID, Ending.PARTLY_PAID}:
            total = (await queries.invoice(invoice_id)).total
            part = total if ending is Ending.PAID else Money(total.minor * 2 // 5, total.currency)
            await actions.set_paid(invoice_id, part, clock=self.clock)

    async def rows(self, tenant: Tenant, host: str) -> list[dict[str, Any]]:
        """Return the tenant's seeded invoices as rows of demo.json, each with the link it is to have."""
        listed = await queries.list_invoices(limit=_MANY)
        by_number = {each.number: each.invoice_id for each in listed}
        rows = []
        for seeded in _seeded(tenant, today(self.clock, tenant.new.time_zone)):
            # None finds the tenant's draft; a member may have issued or deleted it since.
            if (invoice_id := by_number.get(seeded.number)) is None:
                continue
            url = self.settings.public_url(host, f"/i/{await self.token(invoice_id, seeded.link)}")
            rows.append(
                {
                    "workspace": tenant.new.slug,
                    "number": seeded.number or "",
                    "url": url,
                    "tags": list(seeded.tags),
                }
            )
        return rows

    async def token(self, invoice_id: InvoiceId, ending: LinkEnding) -> str:
        """Return the token of an open link, or of a new one that has ended the way it is to end."""
        if ending is LinkEnding.OPEN:
            for link in await queries.links(invoice_id):
                if link.state is LinkState.OPEN:
                    return (await actions.show_link(link.link_id, sealer=self.sealer, clock=self.clock)).token
        made = await actions.issue_link(invoice_id, sealer=self.sealer, clock=self.clock_of(ending))
        if ending is LinkEnding.REVOKED:
            await actions.revoke_link(made.link_id, clock=self.clock)
        return made.token

    def clock_of(self, ending: LinkEnding) -> Clock:
        """Return the clock to write by: one that lags where the link is to have expired by now."""
        return FixedClock(self.clock.now() - LONG_AGO) if ending is LinkEnding.EXPIRED else self.clock


@dataclass(frozen=True, slots=True)
class _Seeded:
    """How a seeded invoice is found again, and what is special about it; a draft has no number."""

    number: str | None
    tags: tuple[str, ...]
    link: LinkEnding


def _seeded(tenant: Tenant, day: dt.date) -> Iterator[_Seeded]:
    for name in tenant.documents:
        yield _Seeded(parse(tenant.document(name)).number, (f"ubl:{name}",), LinkEnding.OPEN)
    # Numbers follow the order of writing.
    running = 0
    for example in tenant.examples(day):
        number = None
        if example.ending is not Ending.DRAFT:
            running += 1
            number = write_number(tenant.series.prefix, tenant.series.digits, running)
        yield _Seeded(number, example.tags, example.link)
