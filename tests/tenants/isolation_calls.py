"""What the isolation tests call: every query and every action, with the rows of another workspace."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from types import ModuleType
from uuid import UUID

from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.live import Audience
from kernel.store import Database, fetch, fetch_value
from tenants.comments import actions as comment_actions
from tenants.comments import queries as comment_queries
from tenants.comments import recipients as comment_recipients
from tenants.comments.values import Side
from tenants.connect import actions as connect_actions
from tenants.connect import queries as connect_queries
from tenants.customers import actions as customer_actions
from tenants.customers import queries as customer_queries
from tenants.customers.values import CustomerDetails
from tenants.ids import CommentId, ContactId, CustomerId, DomainId, InvoiceId, LinkId
from tenants.invoices import actions as invoice_actions
from tenants.invoices import customer_invoices
from tenants.invoices import mailed_links as invoice_mailed_links
from tenants.invoices import portal_access as invoice_portal_access
from tenants.invoices import queries as invoice_queries
from tenants.invoices.actions.pdfs import store_pdf
from tenants.invoices.numbering import Series
from tenants.invoices.ubl import read_ubl
from tenants.invoices.values import ActorClass, View
from tenants.payments import actions as payment_actions
from tenants.payments import queries as payment_queries
from tenants.workspaces import actions as workspace_actions
from tenants.workspaces import queries as workspace_queries
from tenants.workspaces.authority import WriteAuthority, WriteMode
from tenants.workspaces.domains import DomainState
from tenants.workspaces.logo import reencode
from tests.fakes.sample_threads import ANA, JO
from tests.fakes.sample_workspaces import BASE_DOMAIN, SampleWorkspace, build_content, build_jpeg
from tests.fakes.ubl_writer import read_published
from tests.tenants.connect.isolation_calls import Call, ForeignConnection, check_equal, connect_account
from tests.tenants.payments import isolation_calls as payment_calls
from tests.tenants.payments.isolation_calls import ForeignPayment, add_payment

CLOCK = SystemClock()
MODULES: dict[str, ModuleType] = {
    "comment_actions": comment_actions,
    "comment_recipients": comment_recipients,
    "invoice_mailed_links": invoice_mailed_links,
    "comment_queries": comment_queries,
    "connect_actions": connect_actions,
    "connect_queries": connect_queries,
    "customer_actions": customer_actions,
    "customer_queries": customer_queries,
    "customer_invoices": customer_invoices,
    "invoice_actions": invoice_actions,
    "invoice_portal_access": invoice_portal_access,
    "invoice_queries": invoice_queries,
    "payment_actions": payment_actions,
    "payment_queries": payment_queries,
    "workspace_actions": workspace_actions,
    "workspace_queries": workspace_queries,
}
# Everything a workspace has, as svc sees it.
TABLES = (
    "workspace",
    "brand_asset",
    "portal_domain",
    "customer",
    "contact",
    "number_series",
    "invoice",
    "invoice_version",
    "link",
    "invoice_view",
    "invoice_pdf",
    "thread",
    "comment",
    "thread_mute",
    "fresh_link_request",
    "live_stream",
    "live_event",
    *payment_calls.TABLES,
)
FINGERPRINT = bytes(32)
CLIENT_ID = "chosen-by-the-client"
CLOSED = WriteAuthority.create(WriteMode.CLOSED)


@dataclass(frozen=True, slots=True)
class ForeignRows:
    """One of everything that belongs to the other workspace."""

    owner: SampleWorkspace
    customer_id: CustomerId
    contact_id: ContactId
    draft_id: InvoiceId
    invoice_id: InvoiceId
    number: str
    link_id: LinkId
    token: str
    domain_id: DomainId
    verify_token: str
    logo: str
    comment_id: CommentId
    fresh_link_request_id: UUID
    connection: ForeignConnection
    payment: ForeignPayment


# With ids of another workspace: each call must raise Missing.
CALLS_WITH_FOREIGN_IDS: dict[str, Call] = payment_calls.CALLS_WITH_FOREIGN_IDS | {
    "comment_actions.post_comment": lambda x, _: comment_actions.post_comment(
        x.invoice_id, ANA, "Stolen", client_id=CLIENT_ID, clock=CLOCK
    ),
    "comment_actions.edit_comment": lambda x, _: comment_actions.edit_comment(
        x.invoice_id, x.comment_id, ANA, "Stolen", CLOCK
    ),
    "comment_actions.delete_comment": lambda x, _: comment_actions.delete_comment(
        x.invoice_id, x.comment_id, JO, CLOCK
    ),
    "comment_actions.resolve_thread": lambda x, _: comment_actions.resolve_thread(x.invoice_id, CLOCK),
    "comment_actions.reopen_thread": lambda x, _: comment_actions.reopen_thread(x.invoice_id),
    "comment_actions.mute_thread": lambda x, _: comment_actions.mute_thread(x.invoice_id, "x@rival.example"),
    "comment_actions.unmute_thread": lambda x, _: comment_actions.unmute_thread(x.invoice_id, ANA.email),
    "comment_queries.load_thread": lambda x, _: comment_queries.load_thread(x.invoice_id, Audience.STAFF),
    "comment_queries.load_comment": lambda x, _: comment_queries.load_comment(
        x.invoice_id, x.comment_id, Audience.STAFF
    ),
    "customer_actions.set_write_authority": lambda x, _: customer_actions.set_write_authority(
        x.customer_id, CLOSED
    ),
    "customer_queries.load_write_authority": lambda x, _: customer_queries.load_write_authority(
        x.customer_id
    ),
    "invoice_actions.set_write_authority": lambda x, _: invoice_actions.set_write_authority(
        x.invoice_id, CLOSED
    ),
    "invoice_queries.load_write_authority": lambda x, _: invoice_queries.load_write_authority(x.invoice_id),
    "invoice_queries.load_effective_authority": lambda x, _: invoice_queries.load_effective_authority(
        x.invoice_id
    ),
    "customer_actions.update_customer": lambda x, _: customer_actions.update_customer(
        x.customer_id, CustomerDetails(name="Stolen")
    ),
    "customer_actions.add_contact": lambda x, _: customer_actions.add_contact(
        x.customer_id, email="thief@rival.example", clock=CLOCK
    ),
    "customer_actions.remove_contact": lambda x, _: customer_actions.remove_contact(x.contact_id),
    "customer_queries.load_customer": lambda x, _: customer_queries.load_customer(x.customer_id),
    "customer_queries.load_contact": lambda x, _: customer_queries.load_contact(x.contact_id),
    "invoice_actions.create_draft": lambda x, _: invoice_actions.create_draft(
        x.customer_id, build_content(), clock=CLOCK
    ),
    "invoice_actions.update_draft": lambda x, _: invoice_actions.update_draft(
        x.draft_id, build_content("1"), clock=CLOCK
    ),
    "invoice_actions.discard_draft": lambda x, _: invoice_actions.discard_draft(x.draft_id),
    "invoice_actions.issue": lambda x, _: invoice_actions.issue(x.draft_id, clock=CLOCK),
    "invoice_actions.add_version": lambda x, _: invoice_actions.add_version(
        x.invoice_id, build_content("1"), clock=CLOCK
    ),
    "invoice_actions.void": lambda x, _: invoice_actions.void(x.invoice_id, clock=CLOCK),
    "invoice_actions.write_off": lambda x, _: invoice_actions.write_off(x.invoice_id, clock=CLOCK),
    "invoice_actions.issue_link": lambda x, me: invoice_actions.issue_link(
        x.invoice_id, sealer=me.sealer, clock=CLOCK
    ),
    "invoice_actions.send_invoice": lambda x, me: invoice_actions.send_invoice(
        x.invoice_id, x.contact_id, sealer=me.sealer, clock=CLOCK
    ),
    "invoice_actions.show_link": lambda x, me: invoice_actions.show_link(
        x.link_id, sealer=me.sealer, clock=CLOCK
    ),
    "invoice_actions.rotate_link": lambda x, me: invoice_actions.rotate_link(
        x.link_id, sealer=me.sealer, clock=CLOCK
    ),
    "invoice_actions.revoke_link": lambda x, _: invoice_actions.revoke_link(x.link_id, clock=CLOCK),
    "invoice_actions.request_pdf": lambda x, _: invoice_actions.request_pdf(x.invoice_id, 1, "de-DE"),
    "invoice_queries.load_version": lambda x, _: invoice_queries.load_version(x.invoice_id, 1),
    "invoice_queries.load_pdf_source": lambda x, _: invoice_queries.load_pdf_source(x.invoice_id, 1),
    "invoice_queries.load_invoice": lambda x, _: invoice_queries.load_invoice(x.invoice_id),
    "invoice_queries.load_invoice_by_number": lambda x, _: invoice_queries.load_invoice_by_number(x.number),
    "workspace_actions.verify_domain": lambda x, _: workspace_actions.verify_domain(
        x.domain_id, txt_records=[x.verify_token], clock=CLOCK
    ),
    "workspace_actions.set_domain_state": lambda x, _: workspace_actions.set_domain_state(
        x.domain_id, DomainState.ACTIVE, clock=CLOCK
    ),
    "workspace_actions.set_primary_domain": lambda x, _: workspace_actions.set_primary_domain(x.domain_id),
    "workspace_actions.release_domain": lambda x, _: workspace_actions.release_domain(
        x.domain_id, clock=CLOCK
    ),
    "workspace_queries.load_brand_image": lambda x, _: workspace_queries.load_brand_image(x.logo),
    "workspace_queries.find_workspace_by_slug": lambda x, _: workspace_queries.find_workspace_by_slug(
        x.owner.slug
    ),
}


async def add_contact_to_foreign_customer(customer_id: CustomerId) -> None:
    """A contact for a customer of another workspace: the composite foreign key refuses."""
    await customer_actions.add_missing_contact(customer_id, email="thief@rival.example", name="", clock=CLOCK)


# Without ids of another workspace: each call works on its own workspace alone.
CALLS_WITHOUT_IDS: dict[str, Call] = payment_calls.CALLS_WITHOUT_IDS | {
    "comment_actions.mark_seen": lambda x, _: check_equal(
        False,
        comment_actions.mark_seen(x.invoice_id, Side.STAFF, 1, CLOCK),
    ),
    "comment_actions.mark_notified": lambda x, _: comment_actions.mark_notified(x.invoice_id, Side.STAFF, 1),
    "comment_actions.notify_side": lambda x, me: check_equal(
        0, comment_actions.notify_side(x.invoice_id, Side.STAFF, sealer=me.sealer, clock=CLOCK)
    ),
    "comment_recipients.list_recipients": lambda x, _: check_equal(
        (), comment_recipients.list_recipients(x.invoice_id, Side.CUSTOMER)
    ),
    "comment_recipients.load_mailed_comments": lambda x, _: check_equal(
        (), comment_recipients.load_mailed_comments(x.invoice_id, [x.comment_id])
    ),
    "invoice_actions.request_fresh_links": lambda _, __: invoice_actions.request_fresh_links(ANA.email),
    "invoice_actions.issue_fresh_links": lambda x, me: check_equal(
        0, invoice_actions.issue_fresh_links(x.fresh_link_request_id, sealer=me.sealer, clock=CLOCK)
    ),
    "invoice_mailed_links.load_mailed_links": lambda x, me: check_equal(
        (), invoice_mailed_links.load_mailed_links([x.link_id], sealer=me.sealer)
    ),
    "invoice_mailed_links.find_open_token": lambda x, me: check_equal(
        "", invoice_mailed_links.find_open_token(x.link_id, sealer=me.sealer)
    ),
    "workspace_actions.set_contact_email": lambda _, __: workspace_actions.set_contact_email(
        "mine@rival.example"
    ),
    "workspace_queries.load_contact_email": lambda _, __: check_equal(
        "", workspace_queries.load_contact_email()
    ),
    "workspace_queries.load_mail_sender": lambda _, __: workspace_queries.load_mail_sender(
        lambda host, path: f"https://{host}{path}"
    ),
    "comment_queries.list_threads": lambda _, __: check_equal((), comment_queries.list_threads()),
    "comment_queries.count_unread_for_customer": lambda x, _: check_equal(
        {}, comment_queries.count_unread_for_customer([x.invoice_id])
    ),
    "comment_queries.load_unnotified": lambda x, _: check_equal(
        (), comment_queries.load_unnotified(x.invoice_id, Side.STAFF)
    ),
    "comment_queries.find_posted": lambda x, _: check_equal(
        None, comment_queries.find_posted(x.invoice_id, CLIENT_ID)
    ),
    "comment_queries.list_muted": lambda x, _: check_equal(
        frozenset(), comment_queries.list_muted(x.invoice_id)
    ),
    "workspace_actions.set_write_authority": lambda _, __: workspace_actions.set_write_authority(CLOSED),
    "workspace_queries.load_write_authority": lambda _, __: workspace_queries.load_write_authority(),
    "customer_actions.create_customer": lambda _, __: customer_actions.create_customer(
        CustomerDetails(name="Mine"), clock=CLOCK
    ),
    "customer_actions.find_or_create_customer": lambda x, _: _check_different(
        x.customer_id,
        customer_actions.find_or_create_customer(CustomerDetails(name="Buyer AG"), clock=CLOCK),
    ),
    "customer_queries.list_customers": lambda _, __: check_equal((), customer_queries.list_customers()),
    "customer_queries.list_contacts": lambda x, _: check_equal(
        (), customer_queries.list_contacts(x.customer_id)
    ),
    "invoice_actions.import_invoice": lambda _, __: invoice_actions.import_invoice(
        read_ubl(read_published("01.01a")), clock=CLOCK
    ),
    "invoice_actions.record_views": lambda x, _: check_equal(
        0,
        invoice_actions.record_views([_build_view(x.invoice_id, x.link_id), _build_view(x.draft_id, None)]),
    ),
    "invoice_actions.set_series": lambda _, __: invoice_actions.set_series(Series("invoices", "MINE-", 2)),
    "invoice_queries.find_pdf": lambda x, _: check_equal(
        None, invoice_queries.find_pdf(x.invoice_id, 1, "de-DE", FINGERPRINT)
    ),
    "invoice_queries.list_series": lambda _, __: check_equal((), invoice_queries.list_series()),
    "invoice_queries.list_invoices": lambda _, __: check_equal((), invoice_queries.list_invoices()),
    "customer_queries.list_contacts_by_email": lambda _, __: check_equal(
        (), customer_queries.list_contacts_by_email("ana@buyer.example")
    ),
    "customer_queries.find_contact_locale": lambda _, __: check_equal(
        None, customer_queries.find_contact_locale("ana@buyer.example")
    ),
    "customer_invoices.list_customer_invoices": lambda x, _: check_equal(
        (), customer_invoices.list_customer_invoices([x.customer_id], is_open=True)
    ),
    "customer_invoices.sum_open_invoices": lambda x, _: check_equal(
        (), customer_invoices.sum_open_invoices([x.customer_id], CLOCK.now().date())
    ),
    "invoice_queries.list_links": lambda x, _: check_equal((), invoice_queries.list_links(x.invoice_id)),
    "workspace_actions.reset_streams": lambda _, __: workspace_actions.reset_streams(),
    "workspace_actions.set_brand": lambda _, __: workspace_actions.set_brand(name="Mine"),
    "workspace_actions.set_region": lambda _, __: workspace_actions.set_region(locale="ja-JP"),
    "workspace_actions.set_terms": lambda _, __: workspace_actions.set_terms(payment_days=1),
    "workspace_actions.set_logo": lambda _, __: workspace_actions.set_logo(
        reencode(build_jpeg(colour="blue")), clock=CLOCK
    ),
    "workspace_actions.set_fetched_logo": lambda _, __: _set_fetched_logo(build_jpeg(colour="green")),
    "workspace_actions.request_logo_fetch": lambda _, __: workspace_actions.request_logo_fetch(
        "https://mine.example/logo.png"
    ),
    "workspace_actions.remove_logo": lambda _, __: workspace_actions.remove_logo(),
    "workspace_actions.claim_domain": lambda _, __: workspace_actions.claim_domain(
        "claimed-by-both.example.com", base_domain=BASE_DOMAIN, reserved_hosts=(), clock=CLOCK
    ),
    "workspace_actions.purge_released_domains": lambda _, __: workspace_actions.purge_released_domains(
        clock=CLOCK
    ),
    "workspace_queries.load_profile": lambda _, __: workspace_queries.load_profile(),
    "workspace_queries.list_domains": lambda _, __: workspace_queries.list_domains(),
    "workspace_queries.load_primary_host": lambda _, __: workspace_queries.load_primary_host(),
    "workspace_queries.load_data_key": lambda _, me: workspace_queries.load_data_key(me.sealer),
    "workspace_queries.list_workspaces": lambda _, __: workspace_queries.list_workspaces(),
}

# Tested separately below, or not bound to a workspace.
TESTED_SEPARATELY = payment_calls.TESTED_SEPARATELY | {
    "customer_actions.add_missing_contact",
    "invoice_portal_access.open_link",
    "invoice_portal_access.open_own_invoice",
    "workspace_actions.create_workspace",
    "workspace_queries.find_workspace_by_host",
}


async def _set_fetched_logo(jpeg: bytes) -> None:
    enqueued = await workspace_actions.request_logo_fetch("https://mine.example/another.png")
    assert await workspace_actions.set_fetched_logo(reencode(jpeg), enqueued.job_id, clock=CLOCK) is not None


def _build_view(invoice_id: InvoiceId, link_id: LinkId | None) -> View:
    return View(new_id(), invoice_id, link_id, ActorClass.HUMAN, CLOCK.now(), None, "Firefox", "")


async def _check_different(theirs: object, call: Awaitable[object]) -> None:
    assert await call != theirs


async def create_one_of_everything(owner: SampleWorkspace) -> ForeignRows:
    """Create one row of each table for a workspace."""
    customer_id = await owner.create_customer()
    draft_id, invoice_id = await owner.create_draft(customer_id), await owner.issue_invoice(customer_id)
    async with owner.database.scope(owner.workspace_id):
        person = await customer_actions.add_contact(customer_id, email="ana@buyer.example", clock=CLOCK)
        link = await invoice_actions.issue_link(
            invoice_id, contact_id=person.contact_id, sealer=owner.sealer, clock=CLOCK
        )
        assert await invoice_actions.record_views([_build_view(invoice_id, link.link_id)]) == 1
        await store_pdf(
            invoice_id, 1, "de-DE", FINGERPRINT, b"%PDF-", is_pinned=False, created_at=CLOCK.now()
        )
        assert await invoice_queries.find_pdf(invoice_id, 1, "de-DE", FINGERPRINT) is not None
        logo = await workspace_actions.set_logo(reencode(build_jpeg()), clock=CLOCK)
        domain = await workspace_actions.claim_domain(
            "claimed-by-both.example.com", base_domain=BASE_DOMAIN, reserved_hosts=(), clock=CLOCK
        )
        found = await invoice_queries.load_invoice(invoice_id)
        posted = await comment_actions.post_comment(
            invoice_id, ANA, "Hello", client_id=CLIENT_ID, clock=CLOCK
        )
        await comment_actions.post_comment(
            invoice_id, JO, "Hello, Ana", client_id=f"{CLIENT_ID}-2", clock=CLOCK
        )
        await comment_actions.mute_thread(invoice_id, ANA.email)
        await invoice_actions.request_fresh_links(ANA.email)
        request_id = await fetch_value("SELECT request_id FROM fresh_link_request")
        connection = await connect_account(owner)
        payment = await add_payment(owner, invoice_id)
    assert found.number is not None
    return ForeignRows(
        owner,
        customer_id,
        person.contact_id,
        draft_id,
        invoice_id,
        found.number,
        link.link_id,
        link.token,
        domain.domain_id,
        domain.verify_token,
        logo.sha256,
        posted.comment.comment_id,
        request_id,
        connection,
        payment,
    )


async def load_all_rows(svc: Database, workspace_id: WorkspaceId) -> dict[str, list[str]]:
    """Return every row of a workspace as text, as the service role sees it."""
    found = {}
    async with svc.scope(workspace_id, read_only=True):
        for table in TABLES:
            sql = f"SELECT t::text AS row FROM {table} t WHERE workspace_id = $1 ORDER BY 1"  # noqa: S608
            found[table] = [row["row"] for row in await fetch(sql, workspace_id)]
    return found
