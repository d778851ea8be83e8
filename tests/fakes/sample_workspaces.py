"""A workspace to test with: a customer and valid invoices, created by the product's actions."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass
from decimal import Decimal

from PIL import Image

from kernel.clock import Clock
from kernel.ids import WorkspaceId, new_id
from kernel.money import Money, find_currency
from kernel.seals import Sealer
from kernel.store import Database, execute
from tenants.customers.actions import create_customer
from tenants.customers.values import CustomerDetails
from tenants.ids import CustomerId, InvoiceId
from tenants.invoices.actions import create_draft, issue
from tenants.invoices.content import Address, Content, Line, Party, Tax, TaxCategory
from tenants.workspaces.actions import create_workspace
from tenants.workspaces.profile import NewWorkspace

BASE_DOMAIN = "localhost"
S19 = Tax(TaxCategory.STANDARD, Decimal(19))


def euros(amount: str) -> Money:
    """Return an amount of euros."""
    return Money.from_decimal(Decimal(amount), find_currency("EUR"))


def build_content(
    price: str = "100", *, currency_code: str = "EUR", due: dt.date | None = None, buyer: str = "Buyer AG"
) -> Content:
    """Return an invoice of one line at 19 %: 100 becomes 119."""
    return Content(
        currency=currency_code,
        seller=Party(name="Seller GmbH", address=Address(city="Hamburg", country="DE"), vat_id="DE123456789"),
        buyer=Party(name=buyer, address=Address(city="Ulm", country="DE")),
        lines=(Line(name="Work", quantity=Decimal(1), unit_price=Decimal(price), tax=S19),),
        due_date=due,
    )


def build_jpeg(width: int = 40, height: int = 20, colour: str = "red") -> bytes:
    """Return a JPEG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, format="JPEG")
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class SampleWorkspace:
    """A workspace, and functions that fill it."""

    workspace_id: WorkspaceId
    slug: str
    database: Database
    sealer: Sealer
    clock: Clock

    @property
    def host(self) -> str:
        """The host its pages are served on."""
        return f"{self.slug}.{BASE_DOMAIN}"

    async def create_customer(self, name: str = "Buyer AG", *, locale: str | None = None) -> CustomerId:
        """Add a customer."""
        async with self.database.scope(self.workspace_id):
            customer = await create_customer(CustomerDetails(name=name, locale=locale), clock=self.clock)
        return customer.customer_id

    async def create_draft(
        self, customer_id: CustomerId | None = None, content: Content | None = None
    ) -> InvoiceId:
        """Begin an invoice of 119 euros, or with this content."""
        customer_id = customer_id or await self.create_customer()
        async with self.database.scope(self.workspace_id):
            return await create_draft(customer_id, content or build_content(), clock=self.clock)

    async def issue_invoice(
        self, customer_id: CustomerId | None = None, content: Content | None = None
    ) -> InvoiceId:
        """Issue an invoice of 119 euros, or with this content."""
        invoice_id = await self.create_draft(customer_id, content)
        async with self.database.scope(self.workspace_id):
            await issue(invoice_id, clock=self.clock)
        return invoice_id


async def create_sample_workspace(
    database: Database, sealer: Sealer, clock: Clock, *, slug: str | None = None, time_zone: str = "UTC"
) -> SampleWorkspace:
    """Create a workspace under a slug nobody else has, in test mode."""
    workspace_id = WorkspaceId(new_id())
    slug = slug or f"w{workspace_id.hex}"
    new = NewWorkspace(slug=slug, name="Test & Co.", locale="de-DE", time_zone=time_zone, currency="EUR")
    async with database.scope(workspace_id):
        await create_workspace(new, base_domain=BASE_DOMAIN, reserved_hosts=(), sealer=sealer, clock=clock)
        await execute("UPDATE workspace SET livemode = false WHERE workspace_id = $1", workspace_id)
    return SampleWorkspace(workspace_id, slug, database, sealer, clock)
