"""Opens invoices for visitors: by the token of a link, or by the session of a contact."""

from __future__ import annotations

from typing import Any, Final

from kernel.errors import Missing
from kernel.ids import WorkspaceId, is_well_formed_token
from kernel.live import Cursor
from kernel.money import Money, find_currency
from kernel.seals import Sealer
from kernel.store import Database
from tenants.access.values import IDLE_LIMIT, SESSION_PURPOSE, Session, Subject, SubjectKind
from tenants.ids import ContactId, CustomerId, InvoiceId, LinkId, SessionId
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.values import InvoiceAccess, OpenedInvoice, Visitor
from tenants.workspaces.authority import OtpPolicy, WriteAuthority, WriteMode

TOKEN_PURPOSE: Final = "link"  # noqa: S105  -- the name of a key, not a key

_OPEN_INVOICE: Final = "SELECT * FROM open_invoice($1, $2, $3, $4, $5)"


async def open_link(
    database: Database, workspace_id: WorkspaceId, token: str, *, sealer: Sealer, session: str = ""
) -> InvoiceAccess:
    """Return the invoice that a token opens in a workspace, in one round trip and outside any unit of work.

    `session` is the value of the cookie of a session that can have a row, else empty.
    Missing("link.not_found") whatever is wrong: unknown, expired (by the database's clock), revoked,
    another workspace's or a draft's token, all by the same statement; a malformed one before the database.
    Raises Unavailable as `Database.fetch_autocommit` does.
    """
    if not is_well_formed_token(token):
        raise _missing_link()
    hashes = sealer.compute_hashes(TOKEN_PURPOSE, token.encode())
    return await _open(database, workspace_id, hashes, None, _hash_session(sealer, session))


async def open_own_invoice(
    database: Database, workspace_id: WorkspaceId, invoice_id: InvoiceId, *, sealer: Sealer, session: str
) -> InvoiceAccess:
    """Return an invoice of a customer of whom the session's address is a contact; errors as `open_link`."""
    return await _open(database, workspace_id, (), invoice_id, _hash_session(sealer, session))


def _hash_session(sealer: Sealer, session: str) -> tuple[bytes, ...]:
    return sealer.compute_hashes(SESSION_PURPOSE, session.encode()) if session else ()


async def _open(
    database: Database,
    workspace_id: WorkspaceId,
    token_hashes: tuple[bytes, ...],
    invoice_id: InvoiceId | None,
    session_hashes: tuple[bytes, ...],
) -> InvoiceAccess:
    row = await database.fetch_autocommit(
        _OPEN_INVOICE, workspace_id, b"".join(token_hashes), invoice_id, b"".join(session_hashes), IDLE_LIMIT
    )
    if row is None:
        raise _missing_link()
    return InvoiceAccess(
        invoice=_read_invoice(row),
        authority=WriteAuthority(
            WriteMode(row["write_mode"]), row["write_totp"], OtpPolicy(row["otp_policy"])
        ),
        cursor=None if row["epoch"] is None else Cursor(row["epoch"], row["public_head"]),
        visitor=None if row["session_id"] is None else _read_visitor(row),
    )


def _read_invoice(row: Any) -> OpenedInvoice:
    of = find_currency(row["currency"])
    link_id, contact_id = row["link_id"], row["contact_id"]
    return OpenedInvoice(
        invoice_id=InvoiceId(row["invoice_id"]),
        link_id=None if link_id is None else LinkId(link_id),
        customer_id=CustomerId(row["customer_id"]),
        contact_id=None if contact_id is None else ContactId(contact_id),
        number=row["number"],
        status=InvoiceStatus(row["status"]),
        total=Money(row["total_minor"], of),
        paid=Money(row["paid_minor"], of),
        held=Money(row["held_minor"], of),
        processing=Money(row["processing_minor"], of),
        is_disputed=row["is_disputed"],
        issue_date=row["issue_date"],
        due_date=row["due_date"],
        version=row["version"],
        customer_name=row["buyer_name"],
        locale=row["locale"],
        changed_at=row["changed_at"],
    )


def _read_visitor(row: Any) -> Visitor:
    contact_id = row["session_contact_id"]
    return Visitor(
        session=Session(
            session_id=SessionId(row["session_id"]),
            subject=Subject(SubjectKind(row["subject_kind"]), row["subject_id"]),
            browser_hash=row["browser_hash"],
            email_proven_at=row["email_proven_at"],
            totp_proven_at=row["totp_proven_at"],
            used_at=row["session_used_at"],
            has_authenticator=row["has_authenticator"],
        ),
        contact_id=None if contact_id is None else ContactId(contact_id),
        contact_name=row["session_contact_name"] or "",
    )


def _missing_link() -> Missing:
    return Missing("link.not_found", "This link opens nothing.")
