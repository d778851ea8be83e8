"""A gateway over the real database, and workspaces with an invoice behind a link."""

from __future__ import annotations

import hashlib
import io
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import httpx
import pytest
from litestar.di import Provide
from PIL import Image

from kernel.blobs import Blobs
from kernel.clock import Clock, SystemClock
from kernel.ids import new_id
from kernel.jobs.load import register_worker, unregister_worker
from kernel.limits import Limiter
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, execute
from kernel.telemetry.metrics import Metrics
from tenants.customers.actions import create_customer
from tenants.customers.values import CustomerDetails
from tenants.ids import CustomerId, InvoiceId, LinkId
from tenants.invoices import actions
from tenants.invoices.actions.pdfs import store_pdf
from tenants.invoices.content import Content, Line, Party, Tax, TaxCategory, Transfer
from tenants.invoices.jobs import PDF_QUEUE
from tenants.invoices.values import Pdf
from tenants.workspaces.actions import create_workspace, set_logo
from tenants.workspaces.logo import reencode
from tenants.workspaces.profile import NewWorkspace, WorkspaceProfile
from web.gateway import Gateway, create_gateway
from web.http.assets import Assets

CLOCK = SystemClock()
VAT = Tax(TaxCategory.STANDARD, Decimal(19))


def build_content(lines: int = 2, **fields: Any) -> Content:
    """An invoice of so many lines at 100.00 net and 19 % each."""
    said: dict[str, Any] = {
        "currency": "EUR",
        "seller": Party(name="Acme GmbH"),
        "buyer": Party(name="Kunde & Söhne <AG>"),
        "lines": tuple(
            Line(name=f"Work {number}", quantity=Decimal(1), unit_price=Decimal(100), tax=VAT)
            for number in range(1, lines + 1)
        ),
        "transfers": (Transfer(account="DE89370400440532013000", bic="COBADEFFXXX"),),
        "buyer_reference": "PO-77",
        "payment_terms": "Within 14 days.",
    }
    return Content(**(said | fields))


@dataclass(frozen=True, slots=True)
class Tenant:
    """A workspace with one issued invoice and an open link to it."""

    profile: WorkspaceProfile
    customer_id: CustomerId
    invoice_id: InvoiceId
    link_id: LinkId
    number: str
    token: str

    @property
    def host(self) -> str:
        return f"{self.profile.slug}.localhost"

    @property
    def path(self) -> str:
        return f"/i/{self.token}"


@dataclass(frozen=True, slots=True)
class Tenants:
    """Makes tenants and changes what is theirs, as members do."""

    database: Database
    sealer: Sealer

    async def make(self, content: Content | None = None, *, logo: bool = False, **workspace: str) -> Tenant:
        """One more workspace; its words are those of `NewWorkspace`."""
        words = {"name": "Acme GmbH", "slug": f"t-{secrets.token_hex(8)}"} | workspace
        async with self.database.scope(_new_workspace_id()):
            profile = await create_workspace(
                NewWorkspace(**words),
                base_domain="localhost",
                reserved_hosts=(),
                sealer=self.sealer,
                clock=CLOCK,
            )
            if logo:
                await set_logo(reencode(picture()), clock=CLOCK)
            customer = await create_customer(CustomerDetails(name="Kunde AG"), clock=CLOCK)
        invoice_id, number = await self.issue(profile, customer.customer_id, content or build_content())
        async with self.database.scope(profile.workspace_id):
            link = await actions.issue_link(invoice_id, sealer=self.sealer, clock=CLOCK)
        return Tenant(profile, customer.customer_id, invoice_id, link.link_id, number, link.token)

    async def issue(
        self, profile: WorkspaceProfile, customer_id: CustomerId, content: Content
    ) -> tuple[InvoiceId, str]:
        """Write and issue one more invoice."""
        async with self.database.scope(profile.workspace_id):
            invoice_id = await actions.create_draft(customer_id, content, clock=CLOCK)
            return invoice_id, await actions.issue(invoice_id, clock=CLOCK)

    async def another(self, tenant: Tenant, content: Content) -> Tenant:
        """The same workspace with one more invoice, behind a link of its own."""
        invoice_id, number = await self.issue(tenant.profile, tenant.customer_id, content)
        async with self.database.scope(tenant.profile.workspace_id):
            link = await actions.issue_link(invoice_id, sealer=self.sealer, clock=CLOCK)
        return replace(tenant, invoice_id=invoice_id, number=number, link_id=link.link_id, token=link.token)


async def store_test_pdf(tenant: Tenant, blobs: Blobs, database: Database, **said: Any) -> bytes:
    """Give a tenant's invoice a PDF as the worker does, of `size` bytes that no other has; return them."""
    locale, size, version = said.get("locale", "en-US"), said.get("size", 1000), said.get("version", 1)
    data: bytes = (b"%PDF-1.7 " + secrets.token_bytes(64) * (size // 64 + 1))[:size]
    workspace_id = tenant.profile.workspace_id
    await blobs.put(Pdf(workspace_id, hashlib.sha256(data).hexdigest(), len(data), True).key, data)
    async with database.scope(workspace_id):
        await store_pdf(
            tenant.invoice_id,
            version,
            locale,
            secrets.token_bytes(32),
            data,
            is_pinned=True,
            created_at=CLOCK.now(),
        )
    return data


def _new_workspace_id() -> Any:
    from kernel.ids import WorkspaceId

    return WorkspaceId(new_id())


def picture(width: int = 120, height: int = 60) -> bytes:
    """A PNG in a colour of its own, so that no two are the same."""
    image = Image.new("RGB", (width, height), tuple(secrets.token_bytes(3)))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def address() -> str:
    """A client address nobody else in the run has: limits count by it in a Redis that is shared."""
    return f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::7"


class Visitor:
    """Asks a gateway for pages like a browser behind an address of its own."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.address = address()

    async def ask(
        self,
        path: str,
        host: str,
        *,
        method: str = "GET",
        of: str | None = None,
        content: bytes | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Send one request; header names are written with underscores, `of` is another client's address."""
        transport = httpx.ASGITransport(
            # Litestar's types of ASGI are closed sets of messages, httpx's are any mappings.
            app=cast("Any", self.gateway),
            raise_app_exceptions=False,
            client=(of or self.address, 50_000),
        )
        named = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
            # httpx would ask for compression and call itself by its name; nothing is sent but what is said.
            for name in ("accept-encoding", "user-agent", "accept", "connection"):
                client.headers.pop(name, None)
            return await client.request(method, path, headers=named, content=content)

    async def open_form(self, path: str, host: str, action: str = "") -> OpenForm:
        """Load a page with a form, the first or that of an action, as a browser does before it can send it."""
        page = await self.ask(path, host)
        form = page.text[page.text.index(f'action="{action}"') :] if action else page.text
        token = re.search(r'name="form_token" value="([^"]+)"', form)
        assert token is not None
        return OpenForm(token[1], page.headers["set-cookie"].partition(";")[0])

    async def send_form(
        self, path: str, host: str, form: OpenForm, *, origin: str | None = None, **fields: str
    ) -> httpx.Response:
        """Send a form with its token and cookie; `origin` is the host's own by default."""
        return await self.ask(
            path,
            host,
            method="POST",
            content=urlencode({"form_token": form.token, **fields}).encode(),
            content_type="application/x-www-form-urlencoded",
            cookie=form.cookie,
            origin=f"http://{host}" if origin is None else origin,
        )


@dataclass(frozen=True, slots=True)
class OpenForm:
    """What a browser holds of a page with a form: the token in it, and the session cookie as it is sent back."""

    token: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Portal:
    """A gateway under test with what it counts and writes down."""

    gateway: Gateway
    metrics: Metrics
    log: io.StringIO

    def visitor(self) -> Visitor:
        return Visitor(self.gateway)

    def dependency(self, name: str) -> Any:
        """What handlers of the portal get under that name."""
        provide = self.gateway.surfaces["portal"].app.dependencies[name]
        assert isinstance(provide, Provide)
        return provide.dependency()

    def count(self, name: str, **labels: str) -> float:
        """The value of a series, 0 where it was never counted."""
        return self.metrics.registry.get_sample_value(name, labels) or 0


MakePortal = Callable[..., Portal]


@pytest.fixture(scope="session")
async def limiter(redis_url: str) -> AsyncIterator[Limiter]:
    """Limits counted in the run's Redis."""
    opened = Limiter(redis_url)
    yield opened
    await opened.close()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """An empty folder for PDFs."""
    return Blobs.open(tmp_path / "blobs")


@pytest.fixture(scope="session")
def assets() -> Assets:
    """The build, read and compressed once: that takes half a second."""
    return Assets.load()


@pytest.fixture
async def make_portal(
    settings: Settings, database: Database, limiter: Limiter, blobs: Blobs, assets: Assets
) -> AsyncIterator[MakePortal]:
    """Build a gateway; `settings` replaces fields, `database`, `clock` and `extra_handlers` are taken as they are."""

    made: list[Gateway] = []

    def make(
        *,
        over: Database = database,
        blob_store: Blobs = blobs,
        clock: Clock = CLOCK,
        extra_handlers: Sequence[Any] = (),
        body_deadline_s: float = 10,
        **fields: Any,
    ) -> Portal:
        metrics, log = Metrics(), io.StringIO()
        gateway = create_gateway(
            replace(settings, **fields),
            over,
            assets=assets,
            blobs=blob_store,
            clock=clock,
            limiter=limiter,
            metrics=metrics,
            access_log=log,
            body_deadline_s=body_deadline_s,
        )
        for handler in extra_handlers:
            gateway.surfaces["portal"].app.register(handler)
        made.append(gateway)
        return Portal(gateway, metrics, log)

    yield make
    for gateway in made:
        await gateway.close()


AddPdf = Callable[..., Awaitable[bytes]]


@pytest.fixture
def add_pdf(blobs: Blobs, database: Database) -> AddPdf:
    """Give an invoice its PDF: `await add_pdf(tenant, size=…, locale=…, version=…, over=…)` returns its bytes."""

    async def make(tenant: Tenant, **said: Any) -> bytes:
        return await store_test_pdf(tenant, blobs, said.pop("over", database), **said)

    return make


@pytest.fixture
async def rendering_worker(database: Database) -> AsyncIterator[None]:
    """A worker that is announced as able to render many at a time, and renders nothing."""
    worker_id = new_id()
    async with database.unbound():
        await register_worker(worker_id, [PDF_QUEUE], slots=10_000)
        # However long the test takes.
        await execute(
            "UPDATE job_worker SET seen_at = now() + interval '1 hour' WHERE worker_id = $1", worker_id
        )
    yield
    async with database.unbound():
        await unregister_worker(worker_id)


@pytest.fixture
def portal(make_portal: MakePortal) -> Portal:
    """A gateway as the test settings have it."""
    return make_portal()


@pytest.fixture
def visitor(portal: Portal) -> Visitor:
    """Somebody who asks that gateway."""
    return portal.visitor()


@pytest.fixture
def sealer(settings: Settings) -> Sealer:
    """The keys of the test settings."""
    return Sealer(settings.secret_keys)


@pytest.fixture
def tenants(database: Database, sealer: Sealer) -> Tenants:
    """Makes tenants in the worker's database."""
    return Tenants(database, sealer)


@pytest.fixture
async def acme(tenants: Tenants) -> Tenant:
    """A workspace with a logo and an invoice of two lines."""
    return await tenants.make(logo=True)


@pytest.fixture
def content() -> Callable[..., Content]:
    """What an invoice says: `content(lines, **fields)`."""
    return build_content
