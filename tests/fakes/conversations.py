"""Invoices that people talk about in browsers: their links, the staff's side, and the codes that are mailed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from pyotp.totp import TOTP

from kernel.store import execute, fetch_value
from tenants.access import actions as access_actions
from tenants.access.values import Subject, SubjectKind
from tenants.customers.actions import add_contact
from tenants.ids import CodeId, CustomerId, InvoiceId, LinkId
from tenants.invoices.actions import issue_link, revoke_link, set_write_authority
from tenants.workspaces.authority import WriteAuthority, WriteMode
from tests.fakes import sample_threads
from tests.fakes.sample_threads import JO
from tests.fakes.sample_workspaces import SampleWorkspace

_NEWEST_CODE = """
SELECT code_id FROM one_time_code WHERE workspace_id = $1 AND target = $2 ORDER BY created_at DESC LIMIT 1
"""
_AGE_CODES = "UPDATE one_time_code SET created_at = created_at - interval '2 minutes' WHERE target = $1"


_STEP = dt.timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Conversation:
    """The thread of one invoice of a customer, and the URL of a link to it."""

    workspace: SampleWorkspace
    customer_id: CustomerId
    invoice_id: InvoiceId
    link_id: LinkId
    url: str

    @classmethod
    async def begin(
        cls, workspace: SampleWorkspace, port: int, mode: WriteMode = WriteMode.LINK, **authority: Any
    ) -> Conversation:
        """Issue an invoice to a new customer who reads English."""
        customer_id = await workspace.create_customer(locale="en-GB")
        invoice_id = await workspace.issue_invoice(customer_id)
        async with workspace.database.scope(workspace.workspace_id):
            await set_write_authority(invoice_id, WriteAuthority.create(mode, **authority))
            link = await issue_link(invoice_id, sealer=workspace.sealer, clock=workspace.clock)
        return cls(
            workspace, customer_id, invoice_id, link.link_id, f"http://{workspace.host}:{port}/i/{link.token}"
        )

    async def reply(self, body: str) -> None:
        """Write a comment of the staff."""
        await sample_threads.write(self.workspace, self.invoice_id, JO, body)

    async def write_note(self, body: str) -> None:
        """Write an internal note of the staff."""
        await sample_threads.write_note(self.workspace, self.invoice_id, body)

    async def revoke_link(self) -> None:
        """Let the URL open nothing any more."""
        async with self.workspace.database.scope(self.workspace.workspace_id):
            await revoke_link(self.link_id, clock=self.workspace.clock)

    async def list_bodies(self) -> list[str]:
        """Return the texts of the thread as customers may see them."""
        view = await sample_threads.load(self.workspace, self.invoice_id)
        return [each.body for each in view.comments]

    async def list_proofs(self) -> list[str]:
        """Return what the author of the newest comment had proven."""
        view = await sample_threads.load(self.workspace, self.invoice_id)
        return sorted(each.value for each in view.comments[-1].proofs)

    async def add_contact(self, address: str) -> None:
        """Make somebody a contact of the customer."""
        async with self.workspace.database.scope(self.workspace.workspace_id):
            await add_contact(self.customer_id, email=address, name="Ana Silva", clock=self.workspace.clock)

    async def receive_code(self, address: str) -> str | None:
        """Return the code that the worker mails to an address, None if it mails none; then another can be asked for."""
        workspace_id = self.workspace.workspace_id
        async with self.workspace.database.scope(workspace_id):
            code_id = CodeId(await fetch_value(_NEWEST_CODE, workspace_id, address))
            made = await access_actions.make_code(code_id, self.workspace.sealer)
            await execute(_AGE_CODES, address)
        return None if made is None else made.code

    async def enrol(self, address: str) -> TOTP:
        """Set an authenticator up with the code of the step before; its present code was not used yet."""
        workspace, subject = self.workspace, Subject(SubjectKind.ADDRESS, address)
        async with workspace.database.scope(workspace.workspace_id):
            enrolment = await access_actions.begin_enrolment(subject, sealer=workspace.sealer)
        authenticator = TOTP(enrolment.secret)
        await access_actions.confirm_enrolment(
            workspace.database,
            workspace.workspace_id,
            subject,
            self.compute_code(authenticator, steps=-1),
            workspace.sealer,
        )
        return authenticator

    def compute_code(self, authenticator: TOTP, *, steps: int = 0) -> str:
        """Return the present code, or that of some steps away; each can be used once."""
        return authenticator.at(self.workspace.clock.now() + steps * _STEP)
