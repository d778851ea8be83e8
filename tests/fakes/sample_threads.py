"""Authors, and comments that they write on the invoices of a sample workspace."""

from __future__ import annotations

from typing import Any

from kernel.ids import new_nonce
from kernel.live import Audience
from kernel.store import Isolation
from tenants.access.values import Proof
from tenants.comments import actions, queries
from tenants.comments.values import Author, Comment, PostedComment, Side, ThreadView
from tenants.ids import InvoiceId
from tests.fakes.sample_workspaces import SampleWorkspace

ANA = Author(Side.CUSTOMER, "Ana Silva", "ana@buyer.example", frozenset({Proof.LINK}), browser_hash=b"a" * 32)
BEN = Author(Side.CUSTOMER, "Ben Ito", "ben@buyer.example", frozenset({Proof.LINK}), browser_hash=b"b" * 32)
JO = Author(Side.STAFF, "Jo Berg")


async def post(
    workspace: SampleWorkspace,
    invoice_id: InvoiceId,
    author: Author = ANA,
    body: str = "Hello",
    **options: Any,
) -> PostedComment:
    """Write a comment in a unit of work of its own."""
    values: dict[str, Any] = {"client_id": new_nonce(), "clock": workspace.clock} | options
    async with workspace.database.scope(workspace.workspace_id):
        return await actions.post_comment(invoice_id, author, body, **values)


async def write(
    workspace: SampleWorkspace,
    invoice_id: InvoiceId,
    author: Author = ANA,
    body: str = "Hello",
    **options: Any,
) -> Comment:
    """Write a comment in a unit of work of its own, and return it as it is stored."""
    return (await post(workspace, invoice_id, author, body, **options)).comment


async def write_note(workspace: SampleWorkspace, invoice_id: InvoiceId, body: str = "A note") -> Comment:
    """Write an internal note."""
    return await write(workspace, invoice_id, JO, body, is_internal=True)


async def load(
    workspace: SampleWorkspace, invoice_id: InvoiceId, audience: Audience = Audience.PUBLIC
) -> ThreadView:
    """Return the thread of an invoice."""
    async with workspace.database.scope(
        workspace.workspace_id, read_only=True, isolation=Isolation.REPEATABLE_READ
    ):
        return await queries.load_thread(invoice_id, audience)
