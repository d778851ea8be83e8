"""What ends a right to read ends its readers at once: each action publishes the viewer that it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from kernel.clock import SystemClock
from kernel.live.wake import REVOCATIONS_CHANNEL, Revocation, decode_message
from kernel.settings import Settings
from kernel.store import Database
from tenants.access.actions import end_session, revoke_other_sessions, revoke_session
from tenants.customers.actions import add_contact, remove_contact
from tenants.invoices.actions import issue_link, revoke_link, rotate_link
from tests.conftest import OPERATOR
from tests.fakes.proofs import Visitor, own
from tests.fakes.sample_workspaces import SampleWorkspace, create_sample_workspace

CLOCK = SystemClock()


@dataclass
class Listener:
    """A workspace, and the viewers that were declared to have ended."""

    workspace: Any = None
    viewers: list[UUID] = field(default_factory=list)

    async def publish(self, channel: str, message: bytes) -> None:
        if channel == REVOCATIONS_CHANNEL:
            revocation = decode_message(message)
            assert isinstance(revocation, Revocation)
            assert revocation.workspace_id == self.workspace.workspace_id
            self.viewers.append(revocation.viewer)

    def scope(self) -> Any:
        return self.workspace.database.scope(self.workspace.workspace_id)


@pytest.fixture
async def listener(settings: Settings, sealer: Any) -> AsyncIterator[Listener]:
    """A workspace of its own, whose revocations are heard."""
    heard = Listener()
    database = await Database.open(
        settings.database_url, size=2, name="revocations", actor=OPERATOR, publish=heard.publish
    )
    heard.workspace = await create_sample_workspace(database, sealer, CLOCK)
    yield heard
    await database.close()


async def make_link(workspace: SampleWorkspace) -> Any:
    invoice_id = await workspace.issue_invoice()
    async with workspace.database.scope(workspace.workspace_id):
        return await issue_link(invoice_id, sealer=workspace.sealer, clock=CLOCK)


async def test_a_link_ends_once(listener: Listener) -> None:
    link = await make_link(listener.workspace)
    for _ in range(2):
        async with listener.scope():
            await revoke_link(link.link_id, clock=CLOCK)
    assert listener.viewers == [link.link_id]


async def test_a_link_that_is_replaced_ends_and_the_new_one_does_not(listener: Listener) -> None:
    link = await make_link(listener.workspace)
    async with listener.scope():
        await rotate_link(link.link_id, sealer=listener.workspace.sealer, clock=CLOCK)
    assert listener.viewers == [link.link_id]


async def test_a_session_ends_with_the_sign_out(listener: Listener) -> None:
    session = await Visitor.create(listener.workspace, "ana@buyer.example").sign_in()
    async with listener.scope():
        await end_session(session.session_id)
    assert listener.viewers == [session.session_id]


async def test_sessions_that_are_ended_from_another_one_end(listener: Listener) -> None:
    address = "ana@buyer.example"
    sessions = [(await Visitor.create(listener.workspace, address).sign_in()).session_id for _ in range(4)]
    async with listener.scope():
        await revoke_session(sessions[0], own(address))
        await revoke_other_sessions(own(address), keep=sessions[1])
    assert listener.viewers[0] == sessions[0]
    assert set(listener.viewers[1:]) == set(sessions[2:])
    assert len(listener.viewers) == 3


async def test_another_person_in_the_browser_ends_the_session_before(listener: Listener) -> None:
    ana = Visitor.create(listener.workspace, "ana@buyer.example")
    before = await ana.sign_in()
    await Visitor(listener.workspace, "ben@buyer.example", ana.browser).sign_in()
    assert listener.viewers == [before.session_id]


async def test_a_code_to_write_does_not_cut_off_the_page_that_it_was_entered_in(listener: Listener) -> None:
    """It begins a session that replaces the browser's, of the same person: what is open goes on."""
    ana = Visitor.create(listener.workspace, "ana@buyer.example")
    await ana.sign_in()
    await ana.sign_in()
    assert listener.viewers == []


async def test_a_contact_ends_who_has_signed_in_as_it(listener: Listener) -> None:
    customer_id = await listener.workspace.create_customer()
    async with listener.scope():
        contact = await add_contact(customer_id, email="ana@buyer.example", clock=CLOCK)
        await remove_contact(contact.contact_id)
    assert listener.viewers == [contact.contact_id]
