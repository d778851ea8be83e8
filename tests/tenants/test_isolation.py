"""Two workspaces: every query and every action, with the other's ids in hand, finds nothing and changes nothing.

The lists are compared with the modules: a new query or action without an entry fails.
"""

from __future__ import annotations

import inspect

import pytest

from kernel.errors import Conflict, Missing, PortalError
from kernel.ids import WorkspaceId, new_id, new_token
from kernel.store import Database
from tenants.ids import CommentId, ContactId, CustomerId, DomainId, InvoiceId, LinkId
from tenants.invoices import actions as invoice_actions
from tenants.invoices import portal_access as invoice_portal_access
from tenants.workspaces import actions as workspace_actions
from tenants.workspaces.profile import NewWorkspace
from tests.fakes.sample_workspaces import BASE_DOMAIN, SampleWorkspace
from tests.tenants.connect.isolation_calls import make_nobodys_connection
from tests.tenants.isolation_calls import (
    CALLS_WITH_FOREIGN_IDS,
    CALLS_WITHOUT_IDS,
    CLOCK,
    MODULES,
    TESTED_SEPARATELY,
    ForeignRows,
    add_contact_to_foreign_customer,
    create_one_of_everything,
    load_all_rows,
)
from tests.tenants.payments.isolation_calls import make_nobodys_payment


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
        comment_id=CommentId(new_id()),
        fresh_link_request_id=new_id(),
        connection=make_nobodys_connection(),
        payment=make_nobodys_payment(),
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
            await add_contact_to_foreign_customer(theirs.customer_id)
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
            await invoice_portal_access.open_link(database, rival.workspace_id, token, sealer=rival.sealer)
        misses.append(_describe_error(caught.value))
    assert misses[0] == misses[1]
    assert await load_all_rows(svc, acme.workspace_id) == before
    opened = await invoice_portal_access.open_link(
        database, acme.workspace_id, theirs.token, sealer=acme.sealer
    )
    assert opened.invoice.invoice_id == theirs.invoice_id


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
            "comment_actions.mark_seen",
            "comment_queries.count_unread_for_customer",
            "comment_queries.find_posted",
            "comment_queries.list_muted",
            "comment_queries.list_threads",
            "comment_queries.load_unnotified",
            "customer_queries.list_customers",
            "invoice_queries.list_invoices",
            "invoice_queries.list_links",
            "invoice_queries.find_pdf",
            "invoice_actions.record_views",
            "payment_actions.settle",
            "payment_actions.restart_checks",
            "payment_actions.resume_payments",
            "payment_queries.find_known_intents",
            "payment_queries.list_active_attempts",
            "payment_queries.list_attempts",
            "payment_queries.list_entries",
            "payment_queries.list_refunds",
        ):
            await CALLS_WITHOUT_IDS[name](theirs, rival)
