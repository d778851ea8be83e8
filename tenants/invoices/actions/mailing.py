"""Mails with links to invoices: sent to a contact, and requested by whoever has lost a link."""

from __future__ import annotations

from math import ceil
from typing import Final
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import Conflict, Throttled
from kernel.identifiers import check_email
from kernel.ids import new_id
from kernel.jobs import enqueue
from kernel.seals import Sealer
from kernel.store import current_workspace, execute, fetch, fetch_one
from tenants.activity.actions import emit
from tenants.ids import ContactId, InvoiceId, LinkId
from tenants.invoices.actions.links import issue_link
from tenants.invoices.events import InvoiceSent
from tenants.invoices.jobs import IssueFreshLinks, SendFreshLinks, SendInvoice
from tenants.invoices.queries import load_invoice
from tenants.invoices.status import InvoiceStatus

#: In one mail, the newest first; unpaid invoices before others.
MAX_FRESH_LINKS: Final = 10

# Requests for the same address wait for each other; whether the address is known makes no difference.
_LOCK_ADDRESS: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || $2, 3))"
_REQUEST: Final = """
WITH recent AS (
    SELECT count(*) AS of_day, min(created_at) AS oldest, max(created_at) AS newest
    FROM fresh_link_request
    WHERE workspace_id = $1 AND email = $2 AND created_at > clock_timestamp() - interval '1 day'
), added AS (
    INSERT INTO fresh_link_request (workspace_id, request_id, email)
    SELECT $1, $3, $2 FROM recent
    WHERE of_day < 10 AND (newest IS NULL OR newest <= clock_timestamp() - interval '60 seconds')
    RETURNING request_id
)
SELECT (SELECT request_id FROM added) AS request_id,
       extract(epoch FROM greatest(
           newest + interval '60 seconds' - clock_timestamp(),
           CASE WHEN of_day >= 10 THEN oldest + interval '1 day' - clock_timestamp() END
       ))::double precision AS wait_s
FROM recent
"""
_SELECT_REQUESTED: Final = """
SELECT i.invoice_id, k.contact_id
FROM fresh_link_request r
JOIN contact k ON k.workspace_id = r.workspace_id AND k.email = r.email
JOIN invoice i ON i.workspace_id = k.workspace_id AND i.customer_id = k.customer_id
WHERE r.workspace_id = $1 AND r.request_id = $2 AND i.status <> ALL ($3::text[])
ORDER BY i.status = 'written_off' OR i.paid_minor >= i.total_minor, i.created_at DESC, i.invoice_id
LIMIT $4
"""
_DELETE_OLD_REQUESTS: Final = """
DELETE FROM fresh_link_request WHERE workspace_id = $1 AND created_at < clock_timestamp() - interval '1 day'
"""


async def send_invoice(
    invoice_id: InvoiceId, contact_id: ContactId, *, sealer: Sealer, clock: Clock
) -> LinkId:
    """Issue a link to a contact and enqueue the mail with it; earlier links stay valid.

    Missing (`invoice.not_found`, `contact.not_found`), Conflict("invoice.draft").
    """
    link = await issue_link(invoice_id, contact_id=contact_id, sealer=sealer, clock=clock)
    if (await load_invoice(invoice_id)).status is InvoiceStatus.DRAFT:
        raise Conflict("invoice.draft", "A draft cannot be sent: issue it first.")
    await enqueue(SendInvoice(link_id=link.link_id))
    await emit(InvoiceSent(invoice_id=invoice_id, contact_id=contact_id, link_id=link.link_id))
    return link.link_id


async def request_fresh_links(email: str) -> None:
    """Let fresh links be mailed to an address if it is a contact's: a job decides that, not this request.

    Invalid("email.invalid"); Throttled("fresh_links.throttled") with `retry_after_s`, once a minute and ten times a
    day for one address, known or not.
    """
    address, workspace_id = check_email(email), current_workspace()
    await execute(_LOCK_ADDRESS, workspace_id, address)
    row = await fetch_one(_REQUEST, workspace_id, address, new_id())
    if row["request_id"] is None:
        message = "Links were requested for this address a moment ago, or too often today."
        raise Throttled("fresh_links.throttled", message, retry_after_s=max(1, ceil(row["wait_s"])))
    await enqueue(IssueFreshLinks(request_id=row["request_id"]))


async def issue_fresh_links(request_id: UUID, *, sealer: Sealer, clock: Clock) -> int:
    """Issue links for the address of a request and enqueue the mail with them; returns how many.

    None for an address that is no contact's. Requests that count against no limit any more are deleted.
    """
    workspace_id = current_workspace()
    hidden = [status.value for status in (InvoiceStatus.DRAFT, InvoiceStatus.VOID)]
    rows = await fetch(_SELECT_REQUESTED, workspace_id, request_id, hidden, MAX_FRESH_LINKS)
    links = [
        await issue_link(
            InvoiceId(row["invoice_id"]),
            contact_id=ContactId(row["contact_id"]),
            sealer=sealer,
            clock=clock,
        )
        for row in rows
    ]
    if links:
        await enqueue(SendFreshLinks(link_ids=tuple(link.link_id for link in links)))
    await execute(_DELETE_OLD_REQUESTS, workspace_id)
    return len(links)
