"""Creates the databases of the benchmarks: workspaces with invoices and links."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.seals import Sealer
from kernel.setting_parsers import DEMO_SECRET
from kernel.store import Database
from kernel.store.roles import Urls, build_database_url
from ops.command_context import identify_operator
from ops.migrate import prepare_database
from ops.seed.businesses import ACME, ACME_BANK, OAKRIDGE
from ops.seed.lines import SALES, build_lines
from tenants.customers.actions import create_customer
from tenants.customers.values import CustomerDetails
from tenants.invoices import actions
from tenants.invoices.content import Content
from tenants.workspaces.actions import create_workspace
from tenants.workspaces.profile import NewWorkspace

MEASURED_WORKSPACES = 10
BASE_DOMAIN = "localhost"

# The other workspaces are copies of a measured one, made by SQL, because 200,000 actions would take hours.
_INSERT_COPIES = """
CREATE TEMPORARY TABLE workspace_copy ON COMMIT DROP AS
    SELECT gen_random_uuid() AS workspace_id, gen_random_uuid() AS customer_id, n
    FROM generate_series(1, {workspaces}) n;
INSERT INTO workspace (workspace_id, slug, name, locale, time_zone, currency, brand_colour, payment_days, link_days,
                       cname_label, data_key, created_at)
    SELECT c.workspace_id, 'copy-' || c.n, 'Copy ' || c.n, w.locale, w.time_zone, w.currency, w.brand_colour,
           w.payment_days, w.link_days, md5(c.n::text), w.data_key, w.created_at
    FROM workspace_copy c, workspace w WHERE w.workspace_id = '{workspace_id}';
INSERT INTO portal_domain (workspace_id, domain_id, host, state, is_primary, verify_token, claimed_at, verified_at)
    SELECT workspace_id, gen_random_uuid(), 'copy-' || n || '.{base}', 'active', true, '', now(), now()
    FROM workspace_copy;
INSERT INTO customer SELECT (jsonb_populate_record(NULL::customer, to_jsonb(k) || jsonb_build_object(
        'workspace_id', c.workspace_id, 'customer_id', c.customer_id))).*
    FROM workspace_copy c, customer k WHERE k.workspace_id = '{workspace_id}';
INSERT INTO number_series SELECT c.workspace_id, s.series, s.prefix, s.digits, s.next_number
    FROM workspace_copy c, number_series s WHERE s.workspace_id = '{workspace_id}';
CREATE TEMPORARY TABLE invoice_copy ON COMMIT DROP AS
    SELECT c.workspace_id, c.customer_id, gen_random_uuid() AS invoice_id, m
    FROM workspace_copy c, generate_series(1, {invoices}) m;
INSERT INTO invoice SELECT (jsonb_populate_record(NULL::invoice, to_jsonb(i) || jsonb_build_object(
        'workspace_id', p.workspace_id, 'customer_id', p.customer_id, 'invoice_id', p.invoice_id,
        'number', 'C-' || p.m))).*
    FROM invoice_copy p, invoice i WHERE i.workspace_id = '{workspace_id}' AND i.invoice_id = '{invoice_id}';
INSERT INTO invoice_version (workspace_id, invoice_id, version, content, totals, created_at, issued_at)
    SELECT p.workspace_id, p.invoice_id, v.version, v.content, v.totals, v.created_at, v.issued_at
    FROM invoice_copy p, invoice_version v WHERE v.workspace_id = '{workspace_id}' AND v.invoice_id = '{invoice_id}';
INSERT INTO link (workspace_id, link_id, invoice_id, customer_id, token_hash, token_sealed, created_at, expires_at,
                  last_shown_at)
    SELECT p.workspace_id, gen_random_uuid(), p.invoice_id, p.customer_id,
           sha256(p.invoice_id::text::bytea), '\\x00', now(), now() + interval '30 days', now()
    FROM invoice_copy p;
"""


@dataclass(frozen=True, slots=True)
class PageAddress:
    """Host and path of one page."""

    host: str
    path: str


@dataclass(frozen=True, slots=True)
class Installation:
    """A filled database and the pages of its measured workspaces, by number of lines."""

    urls: Urls
    pages: dict[int, tuple[PageAddress, ...]]
    workspaces: int
    invoices: int


async def create_installation(
    admin_url: str, name: str, *, lines: tuple[int, ...], copies: int, invoices_per_copy: int
) -> Installation:
    """Create a database with ten measured workspaces and `copies` others with `invoices_per_copy` invoices."""
    urls = (await prepare_database(admin_url, name)).urls
    database = await Database.open(urls.app, size=1, name="bench", actor=identify_operator())
    pages: dict[int, list[PageAddress]] = {count: [] for count in lines}
    try:
        ids = [await write_workspace(database, index, lines, pages) for index in range(MEASURED_WORKSPACES)]
    finally:
        await database.close()
    if copies:
        workspace_id, invoice_id = ids[0]
        await _insert_copies(
            build_database_url(admin_url, name), workspace_id, invoice_id, copies, invoices_per_copy
        )
    return Installation(
        urls,
        {count: tuple(addresses) for count, addresses in pages.items()},
        MEASURED_WORKSPACES + copies,
        len(ids) * len(lines) + copies * invoices_per_copy,
    )


async def write_workspace(
    database: Database, index: int, lines: tuple[int, ...], pages: dict[int, list[PageAddress]]
) -> tuple[UUID, UUID]:
    """Write one measured workspace by the product's actions; returns the ids of the workspace and its first invoice."""
    sealer, clock, slug = Sealer((("demo", DEMO_SECRET),)), SystemClock(), f"bench-{index}"
    workspace_id, first = WorkspaceId(new_id()), None
    async with database.scope(workspace_id):
        await create_workspace(
            NewWorkspace(slug, f"Bench {index}"),
            base_domain=BASE_DOMAIN,
            reserved_hosts=(),
            sealer=sealer,
            clock=clock,
        )
        customer = await create_customer(CustomerDetails(name=OAKRIDGE.name), clock=clock)
        for count in lines:
            content = Content(
                currency="USD",
                seller=ACME,
                buyer=OAKRIDGE,
                lines=tuple(build_lines(count, "USD", SALES)),
                transfers=(ACME_BANK,),
                due_date=dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30),
            )
            invoice_id = await actions.create_draft(customer.customer_id, content, clock=clock)
            await actions.issue(invoice_id, clock=clock)
            link = await actions.issue_link(invoice_id, sealer=sealer, clock=clock)
            pages[count].append(PageAddress(f"{slug}.{BASE_DOMAIN}", f"/i/{link.token}"))
            first = first or invoice_id
    if first is None:
        raise ValueError("a measured workspace has an invoice")
    return workspace_id, first


async def _insert_copies(
    admin_url: str, workspace_id: UUID, invoice_id: UUID, copies: int, invoices_per_copy: int
) -> None:
    connection = await asyncpg.connect(admin_url)
    try:
        async with connection.transaction():
            await connection.execute(
                _INSERT_COPIES.format(
                    workspaces=copies,
                    invoices=invoices_per_copy,
                    workspace_id=workspace_id,
                    invoice_id=invoice_id,
                    base=BASE_DOMAIN,
                )
            )
        # Autovacuum would do it later, during a measurement.
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()


def create_installation_sync(
    admin_url: str, name: str, *, lines: tuple[int, ...], copies: int = 0, invoices_per_copy: int = 0
) -> Installation:
    """Run `create_installation` to its end."""
    return asyncio.run(
        create_installation(admin_url, name, lines=lines, copies=copies, invoices_per_copy=invoices_per_copy)
    )
