"""Links to an invoice: issued to a recipient, shown again, rotated, revoked."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from piccolo.columns.combination import And

from kernel import live
from kernel.clock import Clock
from kernel.errors import Conflict, Missing
from kernel.ids import new_id, new_token
from kernel.seals import Sealer
from kernel.store import current_workspace, fetch_one
from tenants.activity.actions import emit
from tenants.customers import queries as customers
from tenants.ids import ContactId, InvoiceId, LinkId
from tenants.invoices.actions.pdfs import enqueue_prerenders
from tenants.invoices.actions.rows import lock_invoice
from tenants.invoices.events import LinkIssued, LinkRevoked, LinkShown
from tenants.invoices.lifetime import compute_expiry, extend_expiry
from tenants.invoices.mailed_links import SEALED_LINKS
from tenants.invoices.portal_access import TOKEN_PURPOSE
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.tables import Link
from tenants.invoices.values import LinkWithToken
from tenants.workspaces import queries as workspaces

# By the database's clock, as links are opened. The key of a link never changes: who refers to it does not wait.
_LOCK_LINK: Final = """
SELECT invoice_id, contact_id, token_sealed, expires_at, revoked_at, expires_at <= now() AS expired
FROM link WHERE workspace_id = $1 AND link_id = $2 FOR NO KEY UPDATE
"""


async def issue_link(
    invoice_id: InvoiceId, *, contact_id: ContactId | None = None, sealer: Sealer, clock: Clock
) -> LinkWithToken:
    """Create one more link to an invoice, for a contact of its customer or for the customer.

    Earlier links stay valid. It expires `link_days` of the workspace after the due date, and 10 days from now at
    the earliest: computed by `clock`, compared with the database's clock when it is opened. A
    draft's link opens nothing until the draft is issued. The PDF is prerendered in the contact's language.

    Missing (`invoice.not_found`; `contact.not_found`, another customer's contact included).
    """
    link = await _insert_link(invoice_id, contact_id, sealer=sealer, clock=clock)
    await emit(
        LinkIssued(
            link_id=link.link_id,
            invoice_id=invoice_id,
            contact_id=contact_id,
            expires_at=link.expires_at,
        )
    )
    return link


async def show_link(link_id: LinkId, *, sealer: Sealer, clock: Clock) -> LinkWithToken:
    """Return a link's token again; it expires 10 days from now at the earliest.

    Showing a link that has expired or is revoked does not restore it: Conflict("link.ended"), rotate it instead.
    Missing("link.not_found"), Invalid("seal.broken").
    """
    row = await _lock(link_id)
    if row["revoked_at"] is not None or row["expired"]:
        raise Conflict("link.ended", "This link has ended; make a new one.")
    workspace_id = current_workspace()
    token = sealer.open(
        bytes(row["token_sealed"]),
        table=SEALED_LINKS,
        row=link_id,
        workspace=workspace_id,
        data_key=await workspaces.load_data_key(sealer),
    )
    now = clock.now()
    expires_at: dt.datetime = extend_expiry(row["expires_at"], shown_at=now)
    await Link.update({Link.last_shown_at: now, Link.expires_at: expires_at}).where(_has_id(link_id))
    await emit(LinkShown(link_id=link_id, invoice_id=row["invoice_id"], expires_at=expires_at))
    return LinkWithToken(link_id, token.decode(), expires_at)


async def revoke_link(link_id: LinkId, *, clock: Clock) -> None:
    """Revoke a link; nothing happens to one that is revoked already. Missing("link.not_found")."""
    row = await _lock(link_id)
    if row["revoked_at"] is None:
        await _revoke(link_id, clock)
        await emit(LinkRevoked(link_id=link_id, invoice_id=row["invoice_id"]))


async def rotate_link(link_id: LinkId, *, sealer: Sealer, clock: Clock) -> LinkWithToken:
    """Revoke a link and create a new one for the same recipient; all others stay valid.

    An expired link can be rotated too. Missing("link.not_found"), Conflict("link.revoked").
    """
    row = await _lock(link_id)
    if row["revoked_at"] is not None:
        raise Conflict("link.revoked", "This link has been revoked before.")
    await _revoke(link_id, clock)
    invoice_id, contact_id = InvoiceId(row["invoice_id"]), row["contact_id"]
    link = await _insert_link(
        invoice_id, None if contact_id is None else ContactId(contact_id), sealer=sealer, clock=clock
    )
    await emit(LinkRevoked(link_id=link_id, invoice_id=invoice_id))
    await emit(
        LinkIssued(
            link_id=link.link_id,
            invoice_id=invoice_id,
            contact_id=contact_id,
            expires_at=link.expires_at,
            replaces=link_id,
        )
    )
    return link


async def _insert_link(
    invoice_id: InvoiceId, contact_id: ContactId | None, *, sealer: Sealer, clock: Clock
) -> LinkWithToken:
    invoice, has_own_locale = await lock_invoice(invoice_id), False
    if contact_id is not None:
        contact = await customers.load_contact(contact_id)
        if contact.customer_id != invoice.customer_id:
            raise Missing("contact.not_found", "There is no such contact of this customer.")
        has_own_locale = contact.locale is not None
    profile = await workspaces.load_profile()
    now, workspace_id = clock.now(), current_workspace()
    link_id, token = LinkId(new_id()), new_token()
    expires_at = compute_expiry(
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
            token_hash=sealer.compute_hash(TOKEN_PURPOSE, token.encode()),
            token_sealed=sealer.seal(
                token.encode(),
                table=SEALED_LINKS,
                row=link_id,
                workspace=workspace_id,
                data_key=await workspaces.load_data_key(sealer),
            ),
            created_at=now,
            expires_at=expires_at,
            last_shown_at=now,
        )
    )
    if has_own_locale and invoice.status is not InvoiceStatus.DRAFT:
        await enqueue_prerenders(invoice_id, invoice.version)
    return LinkWithToken(link_id, token, expires_at)


async def _revoke(link_id: LinkId, clock: Clock) -> None:
    """Revoke a link, and cut off who follows its invoice by it."""
    await Link.update({Link.revoked_at: clock.now()}).where(_has_id(link_id))
    live.revoke_after_commit(link_id)


def _has_id(link_id: LinkId) -> And:
    return (Link.workspace_id == current_workspace()) & (Link.link_id == link_id)


async def _lock(link_id: LinkId) -> Any:
    row = await fetch_one(_LOCK_LINK, current_workspace(), link_id)
    if row is None:
        raise Missing("link.not_found", "There is no such link.")
    return row
