"""An invoice with comments and a customer who has signed in, for the benchmark of the page."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_nonce
from kernel.seals import Sealer
from kernel.setting_parsers import DEMO_SECRET
from kernel.store import Database, fetch_value
from kernel.store.roles import Urls
from ops.bench.installation import PageAddress, write_workspace
from ops.command_context import identify_operator
from tenants.access import actions as access_actions
from tenants.access.values import CodePurpose, Proof
from tenants.comments.actions import post_comment
from tenants.comments.values import Author, Side
from tenants.customers.actions import add_contact
from tenants.ids import CodeId, CustomerId, InvoiceId

COMMENTS = 10
# The index of the workspace: those of the pages without comments are smaller.
_INDEX = 1000
_EMAIL = "ana@kunde.example"
_BROWSER_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class Conversation:
    """The page of an invoice of 10 lines with 10 comments, and the cookie's value of a contact's session."""

    page: PageAddress
    session: str


async def _create_conversation(urls: Urls) -> Conversation:
    database = await Database.open(urls.app, size=1, name="bench", actor=identify_operator())
    pages: dict[int, list[PageAddress]] = {10: []}
    try:
        workspace, invoice = await write_workspace(database, _INDEX, (10,), pages)
        workspace_id, invoice_id = WorkspaceId(workspace), InvoiceId(invoice)
        sealer = Sealer((("demo", DEMO_SECRET),))
        async with database.scope(workspace_id):
            await _write_comments(invoice_id)
        async with database.scope(workspace_id):
            session = await _sign_in(sealer)
    finally:
        await database.close()
    return Conversation(pages[10][0], session)


async def _write_comments(invoice_id: InvoiceId) -> None:
    customer = Author(
        Side.CUSTOMER,
        "Ana Silva",
        _EMAIL,
        proofs=frozenset({Proof.LINK}),
        browser_hash=_BROWSER_HASH,
    )
    staff = Author(Side.STAFF, "Sam Staff")
    for number in range(COMMENTS):
        author = staff if number % 2 else customer
        body = (
            f"Comment {number} on this invoice, about its due date: see https://acme.example/terms for more."
        )
        await post_comment(invoice_id, author, body, client_id=new_nonce(), clock=SystemClock())


async def _sign_in(sealer: Sealer) -> str:
    customer_id = CustomerId(await fetch_value("SELECT customer_id FROM customer LIMIT 1"))
    await add_contact(customer_id, email=_EMAIL, name="Ana Silva", clock=SystemClock())
    await access_actions.request_code(
        CodePurpose.SIGN_IN, _EMAIL, browser_hash=_BROWSER_HASH, contacts_only=True
    )
    code_id = CodeId(await fetch_value("SELECT code_id FROM one_time_code"))
    await access_actions.make_code(code_id, sealer)
    return (await access_actions.create_session(code_id, sealer=sealer)).value


def create_conversation(urls: Urls) -> Conversation:
    """Write a workspace with the invoice and the session into a database of `create_installation`."""
    return asyncio.run(_create_conversation(urls))
