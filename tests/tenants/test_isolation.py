"""Two workspaces: every query and every action, with the other's ids in hand, finds nothing and changes nothing.

The lists are compared with the modules: a new query or action without an entry fails.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.errors import Conflict, Missing, PortalError
from kernel.ids import WorkspaceId, new_id, new_token
from kernel.store import Database, fetch
from tenants.customers import actions as customer_actions
from tenants.customers import queries as customer_queries
from tenants.customers.values import CustomerDetails
from tenants.ids import ContactId, CustomerId, DomainId, InvoiceId, LinkId
from tenants.invoices import actions as invoice_actions
from tenants.invoices import queries as invoice_queries
from tenants.invoices.actions.pdfs import store_pdf
from tenants.invoices.numbering import Series
from tenants.invoices.ubl import read_ubl
from tenants.invoices.values import ActorClass, View
from tenants.workspaces import actions as workspace_actions
from tenants.workspaces import queries as workspace_queries
from tenants.workspaces.domains import DomainState
from tenants.workspaces.logo import reencode
from tenants.workspaces.profile import NewWorkspace
from tests.fakes.sample_workspaces import BASE_DOMAIN, SampleWorkspace, build_content, build_jpeg, euros
from tests.fakes.ubl_writer import read_published

CLOCK = SystemClock()
MODULES: dict[str, ModuleType] = {
    "customer_actions": customer_actions,
    "customer_queries": customer_queries,
    "invoice_actions": invoice_actions,
    "invoice_queries": invoice_queries,
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
)
FINGERPRINT = bytes(32)


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


Call = Callable[[ForeignRows, SampleWorkspace], Awaitable[Any]]

# With ids of another workspace: each call must raise Missing.
CALLS_WITH_FOREIGN_IDS: dict[str, Call] = {
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
    "invoice_actions.set_paid": lambda x, _: invoice_actions.set_paid(
        x.invoice_id, euros("119"), clock=CLOCK
    ),
    "invoice_actions.void": lambda x, _: invoice_actions.void(x.invoice_id, clock=CLOCK),
    "invoice_actions.write_off": lambda x, _: invoice_actions.write_off(x.invoice_id, clock=CLOCK),
    "invoice_actions.issue_link": lambda x, me: invoice_actions.issue_link(
        x.invoice_id, sealer=me.sealer, clock=CLOCK
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


async def _add_contact_to_foreign_customer(customer_id: CustomerId) -> None:
    """A contact for a customer of another workspace: the composite foreign key refuses."""
    await customer_actions.add_missing_contact(customer_id, email="thief@rival.example", name="", clock=CLOCK)


# Without ids of another workspace: each call works on its own workspace alone.
CALLS_WITHOUT_IDS: dict[str, Call] = {
    "customer_actions.create_customer": lambda _, __: customer_actions.create_customer(
        CustomerDetails(name="Mine"), clock=CLOCK
    ),
    "customer_actions.find_or_create_customer": lambda x, _: _check_different(
        x.customer_id,
        customer_actions.find_or_create_customer(CustomerDetails(name="Buyer AG"), clock=CLOCK),
    ),
    "customer_queries.list_customers": lambda _, __: _check_equal((), customer_queries.list_customers()),
    "customer_queries.list_contacts": lambda x, _: _check_equal(
        (), customer_queries.list_contacts(x.customer_id)
    ),
    "invoice_actions.import_invoice": lambda _, __: invoice_actions.import_invoice(
        read_ubl(read_published("01.01a")), clock=CLOCK
    ),
    "invoice_actions.record_views": lambda x, _: _check_equal(
        0, invoice_actions.record_views([_build_view(x.invoice_id, x.link_id), _build_view(x.draft_id, None)])
    ),
    "invoice_actions.set_series": lambda _, __: invoice_actions.set_series(Series("invoices", "MINE-", 2)),
    "invoice_queries.find_pdf": lambda x, _: _check_equal(
        None, invoice_queries.find_pdf(x.invoice_id, 1, "de-DE", FINGERPRINT)
    ),
    "invoice_queries.list_series": lambda _, __: _check_equal((), invoice_queries.list_series()),
    "invoice_queries.list_invoices": lambda _, __: _check_equal((), invoice_queries.list_invoices()),
    "invoice_queries.list_links": lambda x, _: _check_equal((), invoice_queries.list_links(x.invoice_id)),
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
TESTED_SEPARATELY = {
    "customer_actions.add_missing_contact",
    "invoice_queries.open_link",
    "workspace_actions.create_workspace",
    "workspace_queries.find_workspace_by_host",
}


async def _set_fetched_logo(jpeg: bytes) -> None:
    enqueued = await workspace_actions.request_logo_fetch("https://mine.example/another.png")
    assert await workspace_actions.set_fetched_logo(reencode(jpeg), enqueued.job_id, clock=CLOCK) is not None


def _build_view(invoice_id: InvoiceId, link_id: LinkId | None) -> View:
    return View(new_id(), invoice_id, link_id, ActorClass.HUMAN, CLOCK.now(), None, "Firefox", "")


async def _check_equal(expected: object, call: Awaitable[object]) -> None:
    assert await call == expected


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
    )


async def load_all_rows(svc: Database, workspace_id: WorkspaceId) -> dict[str, list[str]]:
    """Return every row of a workspace as text, as the service role sees it."""
    found = {}
    async with svc.scope(workspace_id, read_only=True):
        for table in TABLES:
            sql = f"SELECT t::text AS row FROM {table} t WHERE workspace_id = $1 ORDER BY 1"  # noqa: S608
            found[table] = [row["row"] for row in await fetch(sql, workspace_id)]
    return found


def test_every_query_and_action_is_tried() -> None:
    offered = {
        f"{name}.{function}"
        for name, module in MODULES.items()
        for function, value in inspect.getmembers(module, inspect.iscoroutinefunction)
        if not function.startswith("_") and value.__module__.startswith(module.__name__)
    }
    assert offered == CALLS_WITH_FOREIGN_IDS.keys() | CALLS_WITHOUT_IDS.keys() | TESTED_SEPARATELY


@pytest.mark.parametrize("name", CALLS_WITH_FOREIGN_IDS)
async def test_with_the_others_id_there_is_nothing(
    acme: SampleWorkspace, rival: SampleWorkspace, svc: Database, name: str
) -> None:
    theirs = await create_one_of_everything(acme)
    before = await load_all_rows(svc, acme.workspace_id)
    assert all(before.values())
    async with rival.database.scope(rival.workspace_id):
        with pytest.raises(Missing) as caught:
            await CALLS_WITH_FOREIGN_IDS[name](theirs, rival)
    assert _describe_error(caught.value) == await _miss_with_unknown_ids(name, theirs, rival)
    assert await load_all_rows(svc, acme.workspace_id) == before


async def _miss_with_unknown_ids(name: str, theirs: ForeignRows, me: SampleWorkspace) -> tuple[object, ...]:
    """Return the error of the same call with ids that do not exist."""
    nobody = ForeignRows(
        owner=SampleWorkspace(WorkspaceId(new_id()), theirs.owner.slug, me.database, me.sealer, me.clock),
        customer_id=CustomerId(new_id()),
        contact_id=ContactId(new_id()),
        draft_id=InvoiceId(new_id()),
        invoice_id=InvoiceId(new_id()),
        number="NOBODY-1",
        link_id=LinkId(new_id()),
        token=new_token(),
        domain_id=DomainId(new_id()),
        verify_token=theirs.verify_token,
        logo="0" * 64,
    )
    async with me.database.scope(me.workspace_id):
        with pytest.raises(Missing) as caught:
            await CALLS_WITH_FOREIGN_IDS[name](nobody, me)
    return _describe_error(caught.value)


def _describe_error(error: PortalError) -> tuple[object, ...]:
    return error.code, error.message, error.data


@pytest.mark.parametrize("name", CALLS_WITHOUT_IDS)
async def test_without_an_id_one_works_on_ones_own_alone(
    acme: SampleWorkspace, rival: SampleWorkspace, svc: Database, name: str
) -> None:
    theirs = await create_one_of_everything(acme)
    before = await load_all_rows(svc, acme.workspace_id)
    async with rival.database.scope(rival.workspace_id):
        found = await CALLS_WITHOUT_IDS[name](theirs, rival)
    assert await load_all_rows(svc, acme.workspace_id) == before
    assert str(acme.workspace_id) not in repr(found)
    assert acme.slug not in repr(found)


async def test_a_contact_cannot_be_slipped_to_anothers_customer(
    acme: SampleWorkspace, rival: SampleWorkspace, svc: Database
) -> None:
    theirs = await create_one_of_everything(acme)
    before = await load_all_rows(svc, acme.workspace_id)
    with pytest.raises(Exception, match="violates foreign key constraint"):
        async with rival.database.scope(rival.workspace_id):
            await _add_contact_to_foreign_customer(theirs.customer_id)
    assert await load_all_rows(svc, acme.workspace_id) == before


@pytest.mark.parametrize("role", ["app", "svc"])
async def test_anothers_token_opens_nothing_as_if_it_were_nobodys(
    acme: SampleWorkspace, rival: SampleWorkspace, svc: Database, role: str
) -> None:
    """Role svc sees every row: there the function itself names the workspace."""
    theirs, database = await create_one_of_everything(acme), {"app": rival.database, "svc": svc}[role]
    before, misses = await load_all_rows(svc, acme.workspace_id), []
    for token in (theirs.token, new_token()):
        with pytest.raises(Missing) as caught:
            await invoice_queries.open_link(database, rival.workspace_id, token, sealer=rival.sealer)
        misses.append(_describe_error(caught.value))
    assert misses[0] == misses[1]
    assert await load_all_rows(svc, acme.workspace_id) == before
    opened = await invoice_queries.open_link(database, acme.workspace_id, theirs.token, sealer=acme.sealer)
    assert opened.invoice_id == theirs.invoice_id


async def test_a_link_cannot_be_made_for_anothers_contact(
    acme: SampleWorkspace, rival: SampleWorkspace
) -> None:
    theirs, ours = await create_one_of_everything(acme), await create_one_of_everything(rival)
    async with rival.database.scope(rival.workspace_id):
        with pytest.raises(Missing):
            await invoice_actions.issue_link(
                ours.invoice_id, contact_id=theirs.contact_id, sealer=rival.sealer, clock=CLOCK
            )


async def test_a_workspace_cannot_be_created_over_another(acme: SampleWorkspace, svc: Database) -> None:
    before = await load_all_rows(svc, acme.workspace_id)
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Conflict):
            await workspace_actions.create_workspace(
                NewWorkspace(slug=f"x{new_id().hex}", name="Over"),
                base_domain=BASE_DOMAIN,
                reserved_hosts=(),
                sealer=acme.sealer,
                clock=CLOCK,
            )
    assert await load_all_rows(svc, acme.workspace_id) == before


async def test_with_permissive_policies_scoping_in_code_still_holds(
    acme: SampleWorkspace, rival: SampleWorkspace, svc: Database
) -> None:
    """Role svc sees every row: what a miss is here, is one because each statement names its workspace."""
    theirs = await create_one_of_everything(acme)
    across = {"workspace_queries.find_workspace_by_slug"}
    async with svc.scope(rival.workspace_id):
        for name in CALLS_WITH_FOREIGN_IDS.keys() - across:
            with pytest.raises(Missing):
                await CALLS_WITH_FOREIGN_IDS[name](theirs, rival)
        for name in (
            "customer_queries.list_customers",
            "invoice_queries.list_invoices",
            "invoice_queries.list_links",
            "invoice_queries.find_pdf",
            "invoice_actions.record_views",
        ):
            await CALLS_WITHOUT_IDS[name](theirs, rival)
