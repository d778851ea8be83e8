"""Reads links for the mails that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kernel.seals import DataKey, Sealer
from kernel.store import current_workspace, fetch, fetch_one
from tenants.ids import LinkId
from tenants.invoices.queries import read_summary
from tenants.invoices.values import MailedLink
from tenants.workspaces.queries import load_data_key

#: The name under which the tokens of links are sealed.
SEALED_LINKS: Final = "link"

# Links that ended since are left out. By the database's clock, as links are opened.
_SELECT_MAILED_LINKS: Final = """
SELECT l.link_id, l.token_sealed, l.expires_at, k.name AS contact_name, k.email,
       coalesce(k.locale, c.locale, w.locale) AS locale, i.invoice_id, i.customer_id, i.buyer_name, i.number, i.status,
       i.currency, i.total_minor, i.paid_minor, i.held_minor, i.processing_minor,
       i.is_disputed, i.issue_date, i.due_date, i.version, i.created_at
FROM unnest($2::uuid[]) WITH ORDINALITY wanted (link_id, place)
JOIN link l ON l.workspace_id = $1 AND l.link_id = wanted.link_id
JOIN contact k ON k.workspace_id = l.workspace_id AND k.contact_id = l.contact_id
JOIN customer c ON c.workspace_id = l.workspace_id AND c.customer_id = l.customer_id
JOIN workspace w ON w.workspace_id = l.workspace_id
JOIN invoice i ON i.workspace_id = l.workspace_id AND i.invoice_id = l.invoice_id
WHERE l.revoked_at IS NULL AND l.expires_at > now() AND i.status <> 'draft'
ORDER BY wanted.place
"""
_SELECT_OPEN_LINK: Final = """
SELECT link_id, token_sealed FROM link
WHERE workspace_id = $1 AND link_id = $2 AND revoked_at IS NULL AND expires_at > now()
"""


async def load_mailed_links(link_ids: Sequence[LinkId], *, sealer: Sealer) -> tuple[MailedLink, ...]:
    """Return the links of contacts that still open an invoice, in this order, with their tokens.

    For mails alone: nothing else may hold a token. Invalid("seal.broken").
    """
    rows = await fetch(_SELECT_MAILED_LINKS, current_workspace(), list(link_ids))
    if not rows:
        return ()
    data_key = await load_data_key(sealer)
    return tuple(
        MailedLink(
            link_id=LinkId(row["link_id"]),
            token=_open_token(row, sealer, data_key),
            expires_at=row["expires_at"],
            invoice=read_summary(row),
            contact_name=row["contact_name"],
            email=row["email"],
            locale=row["locale"],
        )
        for row in rows
    )


async def find_open_token(link_id: LinkId, *, sealer: Sealer) -> str:
    """Return the token of a link that still opens its invoice, else ""; Invalid("seal.broken")."""
    row = await fetch_one(_SELECT_OPEN_LINK, current_workspace(), link_id)
    return "" if row is None else _open_token(row, sealer, await load_data_key(sealer))


def _open_token(row: Any, sealer: Sealer, data_key: DataKey) -> str:
    return sealer.open(
        bytes(row["token_sealed"]),
        table=SEALED_LINKS,
        row=row["link_id"],
        workspace=current_workspace(),
        data_key=data_key,
    ).decode()
