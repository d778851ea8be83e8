"""Write invoices: drafts while nobody has seen them, versions afterwards."""

from __future__ import annotations

from typing import Final

import msgspec

from kernel.clock import Clock
from kernel.errors import Conflict, Invalid
from kernel.ids import new_id
from kernel.store import current_workspace, execute
from tenants.customers import queries as customers
from tenants.ids import CustomerId, InvoiceId
from tenants.invoices.actions.pdfs import render_ahead
from tenants.invoices.actions.rows import add_version, locked, locked_draft, settled
from tenants.invoices.cleaning import clean_content
from tenants.invoices.content import Content
from tenants.invoices.snapshot import encode_content, encode_totals
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.tables import Invoice
from tenants.invoices.totals import totals

_FIRST: Final = 1

_OVERWRITE: Final = """
UPDATE invoice_version SET content = $4, totals = $5 WHERE workspace_id = $1 AND invoice_id = $2 AND version = $3
"""
_CHANGE_DRAFT: Final = """
UPDATE invoice SET currency = $3, total_minor = $4, buyer_name = $5, issue_date = $6, due_date = $7,
                   changed_at = $8
WHERE workspace_id = $1 AND invoice_id = $2
"""
_CHANGE_VERSION: Final = """
UPDATE invoice SET version = $3, total_minor = $4, buyer_name = $5, issue_date = $6, due_date = $7,
                   status = $8, changed_at = $9
WHERE workspace_id = $1 AND invoice_id = $2
"""
_DISCARD: Final = "DELETE FROM invoice WHERE workspace_id = $1 AND invoice_id = $2"


async def create_draft(customer_id: CustomerId, content: Content, *, clock: Clock) -> InvoiceId:
    """Begin an invoice for a customer, without a number, seen by nobody.

    Missing("customer.not_found"), Invalid("invoice.too_long" and whatever `totals` refuses).
    """
    await customers.customer(customer_id)
    content = clean_content(content)
    computed = totals(content)
    invoice_id, now = InvoiceId(new_id()), clock.now()
    await Invoice.insert(
        Invoice(
            workspace_id=current_workspace(),
            invoice_id=invoice_id,
            customer_id=customer_id,
            status=InvoiceStatus.DRAFT.value,
            version=_FIRST,
            currency=content.currency,
            total_minor=computed.payable.minor,
            buyer_name=content.buyer.name,
            issue_date=content.issue_date,
            due_date=content.due_date,
            created_at=now,
            changed_at=now,
        )
    )
    await add_version(invoice_id, _FIRST, content, computed, now=now, issued=False)
    return invoice_id


async def update_draft(invoice_id: InvoiceId, content: Content, *, clock: Clock) -> None:
    """Write a draft over.

    Missing("invoice.not_found"), Conflict("invoice.issued"), Invalid as `create_draft`.
    """
    draft = await locked_draft(invoice_id)
    content = clean_content(content)
    computed, workspace_id = totals(content), current_workspace()
    written = encode_content(content), encode_totals(computed)
    await execute(_OVERWRITE, workspace_id, invoice_id, draft.version, *written)
    await execute(
        _CHANGE_DRAFT,
        workspace_id,
        invoice_id,
        content.currency,
        computed.payable.minor,
        content.buyer.name,
        content.issue_date,
        content.due_date,
        clock.now(),
    )


async def discard_draft(invoice_id: InvoiceId) -> None:
    """Delete a draft, with the links that were made for it beforehand.

    Missing("invoice.not_found"), Conflict("invoice.issued"): an issued invoice is void or written off.
    """
    await locked_draft(invoice_id)
    await execute(_DISCARD, current_workspace(), invoice_id)


async def new_version(invoice_id: InvoiceId, content: Content, *, clock: Clock) -> int:
    """Let an issued invoice say something else from now on, under its number; returns the new version.

    What it said before stays readable. Missing dates are taken over. A total that moved past what was paid
    moves the status with it. Missing("invoice.not_found"), Conflict (`invoice.status` for a draft and for
    what is void or written off; `invoice.currency` for another currency), Invalid (`invoice.no_lines`,
    and as `create_draft`).
    """
    before = await locked(invoice_id)
    if before.status not in {InvoiceStatus.ISSUED, InvoiceStatus.PAID}:
        words = f"An invoice that is {before.status.value.replace('_', ' ')} has no new version."
        raise Conflict("invoice.status", words, current=before.status.value)
    if content.currency != before.total.currency.code:
        words = f"The invoice is in {before.total.currency.code}; that is final."
        raise Conflict("invoice.currency", words, currency=content.currency)
    dated = msgspec.structs.replace(
        clean_content(content),
        issue_date=content.issue_date or before.issue_date,
        due_date=content.due_date or before.due_date,
    )
    computed, now, version = totals(must_have_lines(dated)), clock.now(), before.version + 1
    await add_version(invoice_id, version, dated, computed, now=now, issued=True)
    await execute(
        _CHANGE_VERSION,
        current_workspace(),
        invoice_id,
        version,
        computed.payable.minor,
        dated.buyer.name,
        dated.issue_date,
        dated.due_date,
        settled(before.status, total=computed.payable, paid=before.paid).value,
        now,
    )
    await render_ahead(invoice_id, version)
    return version


def must_have_lines(content: Content) -> Content:
    """Return the content; Invalid("invoice.no_lines") if there is nothing on it (EN 16931, BR-16)."""
    if not content.lines:
        raise Invalid("invoice.no_lines", "An invoice has at least one line.")
    return content
