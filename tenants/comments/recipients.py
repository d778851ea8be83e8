"""Who gets mails about new comments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kernel.store import current_workspace, fetch
from tenants.comments.queries import read_comment
from tenants.comments.values import Comment, Side
from tenants.ids import CommentId, ContactId, InvoiceId, LinkId

_MAX_RECIPIENTS: Final = 50
#: Of them at most so many whose address was typed and never proven.
_MAX_UNPROVEN: Final = 3

# Contacts with an open link to the invoice, and whoever wrote in the thread: of those only contacts, who can sign in,
# and others whose link still opens the invoice. Nobody else may read it, in a mail no more than on its page.
_SELECT_CUSTOMERS: Final = """
WITH open_link AS (
    SELECT link_id, contact_id, created_at FROM link
    WHERE workspace_id = $1 AND invoice_id = $2 AND revoked_at IS NULL AND expires_at > now()
), writer AS (
    SELECT DISTINCT ON (author_email) author_email AS email, author_name AS name, link_id,
           'email_code' = ANY (proofs) AS is_proven
    FROM comment
    WHERE workspace_id = $1 AND invoice_id = $2 AND side = 'customer' AND author_email <> ''
    ORDER BY author_email, 'email_code' = ANY (proofs) DESC, staff_seq DESC
), address AS (
    SELECT k.email FROM open_link l JOIN contact k ON k.workspace_id = $1 AND k.contact_id = l.contact_id
    UNION SELECT email FROM writer
)
SELECT a.email, k.contact_id, coalesce(k.name, w.name, '') AS name, coalesce(k.locale, c.locale, s.locale) AS locale,
       coalesce(w.is_proven, false) AS is_proven,
       CASE WHEN k.contact_id IS NOT NULL
            THEN (SELECT l.link_id FROM open_link l WHERE l.contact_id = k.contact_id
                  ORDER BY l.created_at DESC, l.link_id LIMIT 1)
            ELSE (SELECT l.link_id FROM open_link l WHERE l.link_id = w.link_id) END AS link_id
FROM address a
JOIN invoice i ON i.workspace_id = $1 AND i.invoice_id = $2
JOIN customer c ON c.workspace_id = $1 AND c.customer_id = i.customer_id
JOIN workspace s ON s.workspace_id = $1
LEFT JOIN writer w ON w.email = a.email
LEFT JOIN contact k ON k.workspace_id = $1 AND k.customer_id = i.customer_id AND k.email = a.email
WHERE ($3 = '' OR a.email = $3)
  AND NOT EXISTS (SELECT FROM thread_mute m WHERE m.workspace_id = $1 AND m.invoice_id = $2 AND m.email = a.email)
ORDER BY a.email
"""
_SELECT_STAFF: Final = """
SELECT s.email, s.name, s.locale FROM workspace s
WHERE s.workspace_id = $1 AND s.email <> ''
  AND NOT EXISTS (SELECT FROM thread_mute m WHERE m.workspace_id = $1 AND m.invoice_id = $2 AND m.email = s.email)
"""
_SELECT_COMMENTS: Final = """
SELECT * FROM comment
WHERE workspace_id = $1 AND invoice_id = $2 AND comment_id = ANY ($3) AND NOT is_internal AND deleted_at IS NULL
ORDER BY staff_seq
"""


@dataclass(frozen=True, slots=True)
class MailRecipient:
    """An address that gets mails about an invoice's comments."""

    side: Side
    email: str
    name: str
    locale: str
    contact_id: ContactId | None = None
    link_id: LinkId | None = None
    """The open link that the recipient already has."""
    may_receive_link: bool = False
    """Whether the address was proven by a code, or is a contact's: only then may a mail to it hold a link."""


async def list_recipients(invoice_id: InvoiceId, side: Side, email: str = "") -> tuple[MailRecipient, ...]:
    """Return who gets mails about new comments on one side, by address, without those who muted the thread.

    With `email` that address alone, if it still gets any. The staff has one address, the present one.
    """
    if side is Side.STAFF:
        rows = await fetch(_SELECT_STAFF, current_workspace(), invoice_id)
        return tuple(MailRecipient(side, row["email"], row["name"], row["locale"]) for row in rows)
    rows = await fetch(_SELECT_CUSTOMERS, current_workspace(), invoice_id, email)
    found = [each for each in map(_read_customer, rows) if each.contact_id or each.link_id]
    # Anybody with the link can type addresses: they must not displace contacts, nor make the portal mail strangers.
    proven = sorted(
        (each for each in found if each.may_receive_link),
        key=lambda each: (each.contact_id is None, each.email),
    )
    unproven = [each for each in found if not each.may_receive_link][:_MAX_UNPROVEN]
    return tuple((*proven, *unproven)[:_MAX_RECIPIENTS])


async def load_mailed_comments(
    invoice_id: InvoiceId, comment_ids: Sequence[CommentId]
) -> tuple[Comment, ...]:
    """Return comments that were not deleted since, in their order; never an internal note."""
    rows = await fetch(_SELECT_COMMENTS, current_workspace(), invoice_id, list(comment_ids))
    return tuple(read_comment(row) for row in rows)


def _read_customer(row: Any) -> MailRecipient:
    contact_id, link_id = row["contact_id"], row["link_id"]
    return MailRecipient(
        side=Side.CUSTOMER,
        email=row["email"],
        name=row["name"],
        locale=row["locale"],
        contact_id=None if contact_id is None else ContactId(contact_id),
        link_id=None if link_id is None else LinkId(link_id),
        may_receive_link=row["is_proven"] or contact_id is not None,
    )
