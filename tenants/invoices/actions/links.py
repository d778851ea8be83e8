"""Links to an invoice: made for a recipient, shown again, renewed, ended."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from kernel.clock import Clock
from kernel.errors import Conflict, Missing
from kernel.ids import new_id, new_token
from kernel.seals import Sealer
from kernel.store import current_workspace, execute, fetch_one
from tenants.customers import queries as customers
from tenants.ids import ContactId, InvoiceId, LinkId
from tenants.invoices.actions.pdfs import render_ahead
from tenants.invoices.actions.rows import locked
from tenants.invoices.lifetime import expiry, prolonged
from tenants.invoices.queries import TOKEN_PURPOSE
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.tables import Link
from tenants.invoices.values import ShownLink
from tenants.workspaces import queries as workspaces

_SEALED_IN: Final = "link"

_LOCK: Final = """
SELECT invoice_id, contact_id, token_sealed, expires_at, revoked_at, expires_at <= now() AS expired
FROM link WHERE workspace_id = $1 AND link_id = $2 FOR UPDATE
"""
_SHOWN: Final = "UPDATE link SET last_shown_at = $3, expires_at = $4 WHERE workspace_id = $1 AND link_id = $2"
_REVOKE: Final = "UPDATE link SET revoked_at = $3 WHERE workspace_id = $1 AND link_id = $2"


async def issue_link(
    invoice_id: InvoiceId, *, contact_id: ContactId | None = None, sealer: Sealer, clock: Clock
) -> ShownLink:
    """Make one more link to an invoice, for a contact of its customer or for whoever the customer is.

    Earlier links keep working. It ends as many days after the due day as the workspace says, and not within
    10 days from now. That is reckoned by `clock` and held against the database's clock when it is opened. A
    draft's link opens nothing until the draft is issued. A contact's PDF is rendered ahead, in the contact's locale.

    Missing (`invoice.not_found`; `contact.not_found`, another customer's contact included).
    """
    invoice, is_read_otherwise = await locked(invoice_id), False
    if contact_id is not None:
        contact = await customers.contact(contact_id)
        if contact.customer_id != invoice.customer_id:
            raise Missing("contact.not_found", "There is no such contact of this customer.")
        is_read_otherwise = contact.locale is not None
    profile = await workspaces.profile()
    now, workspace_id = clock.now(), current_workspace()
    link_id, token = LinkId(new_id()), new_token()
    expires_at = expiry(
        shown_at=now,
        due=invoice.due_date or invoice.issue_date,
        link_days=profile.link_days,
        time_zone=profile.time_zone,
    )
    await Link.insert(
        Link(
            workspace_id=workspace_id,
            link_id=link_id,
            invoice_id=invoice_id,
            customer_id=invoice.customer_id,
            contact_id=contact_id,
            token_hash=sealer.keyed_hash(TOKEN_PURPOSE, token.encode()),
            token_sealed=sealer.seal(
                token.encode(),
                table=_SEALED_IN,
                row=link_id,
                workspace=workspace_id,
                data_key=await workspaces.data_key(sealer),
            ),
            created_at=now,
            expires_at=expires_at,
            last_shown_at=now,
        )
    )
    if is_read_otherwise and invoice.status is not InvoiceStatus.DRAFT:
        await render_ahead(invoice_id, invoice.version)
    return ShownLink(link_id, token, expires_at)


async def show_link(link_id: LinkId, *, sealer: Sealer, clock: Clock) -> ShownLink:
    """Return a link's token once more; from now on it lives at least 10 days.

    A link that has ended is not brought back by looking at it: Conflict("link.ended"), rotate it instead.
    Missing("link.not_found"), Invalid("seal.broken").
    """
    row = await _locked(link_id)
    if row["revoked_at"] is not None or row["expired"]:
        raise Conflict("link.ended", "This link has ended; make a new one.")
    workspace_id = current_workspace()
    token = sealer.open(
        bytes(row["token_sealed"]),
        table=_SEALED_IN,
        row=link_id,
        workspace=workspace_id,
        data_key=await workspaces.data_key(sealer),
    )
    now = clock.now()
    expires_at: dt.datetime = prolonged(row["expires_at"], shown_at=now)
    await execute(_SHOWN, workspace_id, link_id, now, expires_at)
    return ShownLink(link_id, token.decode(), expires_at)


async def revoke_link(link_id: LinkId, *, clock: Clock) -> None:
    """End a link at once; nothing happens to one that was revoked before. Missing("link.not_found")."""
    row = await _locked(link_id)
    if row["revoked_at"] is None:
        await execute(_REVOKE, current_workspace(), link_id, clock.now())


async def rotate_link(link_id: LinkId, *, sealer: Sealer, clock: Clock) -> ShownLink:
    """End a link and make a new one for the same recipient; all others keep working.

    An expired link can be rotated too. Missing("link.not_found"), Conflict("link.revoked").
    """
    row = await _locked(link_id)
    if row["revoked_at"] is not None:
        raise Conflict("link.revoked", "This link has been revoked before.")
    await execute(_REVOKE, current_workspace(), link_id, clock.now())
    contact_id = row["contact_id"]
    return await issue_link(
        InvoiceId(row["invoice_id"]),
        contact_id=None if contact_id is None else ContactId(contact_id),
        sealer=sealer,
        clock=clock,
    )


async def _locked(link_id: LinkId) -> Any:
    row = await fetch_one(_LOCK, current_workspace(), link_id)
    if row is None:
        raise Missing("link.not_found", "There is no such link.")
    return row
