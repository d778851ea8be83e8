"""Write invoices: drafts until they are issued, versions afterwards."""

from __future__ import annotations

from typing import Final

import msgspec

from kernel import live
from kernel.clock import Clock
from kernel.errors import Conflict, Invalid
from kernel.ids import new_id
from kernel.money import Money
from kernel.store import current_workspace
from tenants.activity.actions import emit
from tenants.activity.events import find_changes
from tenants.customers import queries as customers
from tenants.ids import CustomerId, InvoiceId
from tenants.invoices.actions.pdfs import enqueue_prerenders
from tenants.invoices.actions.rows import (
    LockedInvoice,
    insert_version,
    lock_draft,
    lock_invoice,
    update_invoice,
    update_version,
)
from tenants.invoices.cleaning import clean_content
from tenants.invoices.content import Content
from tenants.invoices.encoding import encode_content, encode_totals
from tenants.invoices.events import DraftCreated, DraftDiscarded, DraftUpdated, VersionAdded
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.stream import append_version_added
from tenants.invoices.tables import Invoice, InvoiceVersion
from tenants.invoices.totals import compute_totals

_FIRST_VERSION: Final = 1


async def create_draft(customer_id: CustomerId, content: Content, *, clock: Clock) -> InvoiceId:
    """Begin an invoice for a customer, without a number.

    Missing("customer.not_found"), Invalid("invoice.too_long" and whatever `compute_totals` refuses).
    """
    await customers.load_customer(customer_id)
    content = clean_content(content)
    computed = compute_totals(content)
    invoice_id, now = InvoiceId(new_id()), clock.now()
    await Invoice.insert(
        Invoice(
            workspace_id=current_workspace(),
            invoice_id=invoice_id,
            customer_id=customer_id,
            status=InvoiceStatus.DRAFT.value,
            version=_FIRST_VERSION,
            currency=content.currency,
            total_minor=computed.payable.minor,
            buyer_name=content.buyer.name,
            issue_date=content.issue_date,
            due_date=content.due_date,
            created_at=now,
            changed_at=now,
        )
    )
    encoded = encode_content(content), encode_totals(computed)
    await insert_version(invoice_id, _FIRST_VERSION, *encoded, now=now, is_issued=False)
    await live.create_stream(invoice_id)
    await emit(
        DraftCreated(
            invoice_id=invoice_id,
            customer_id=customer_id,
            currency=content.currency,
            total_minor=computed.payable.minor,
        )
    )
    return invoice_id


async def update_draft(invoice_id: InvoiceId, content: Content, *, clock: Clock) -> None:
    """Replace the content of a draft.

    Missing("invoice.not_found"), Conflict("invoice.issued"), Invalid as `create_draft`.
    """
    draft = await lock_draft(invoice_id)
    content = clean_content(content)
    computed = compute_totals(content)
    await update_version(
        invoice_id,
        draft.version,
        {InvoiceVersion.content: encode_content(content), InvoiceVersion.totals: encode_totals(computed)},
    )
    await update_invoice(
        invoice_id,
        {
            Invoice.currency: content.currency,
            Invoice.total_minor: computed.payable.minor,
            Invoice.buyer_name: content.buyer.name,
            Invoice.issue_date: content.issue_date,
            Invoice.due_date: content.due_date,
            Invoice.changed_at: clock.now(),
        },
    )
    await emit(
        DraftUpdated(invoice_id=invoice_id, currency=content.currency, total_minor=computed.payable.minor)
    )


async def discard_draft(invoice_id: InvoiceId) -> None:
    """Delete a draft, the links to it and the notes on it.

    Missing("invoice.not_found"), Conflict("invoice.issued"): an issued invoice is voided or written off instead.
    """
    await lock_draft(invoice_id)
    await Invoice.delete().where(
        Invoice.workspace_id == current_workspace(), Invoice.invoice_id == invoice_id
    )
    await live.delete_stream(invoice_id)
    await emit(DraftDiscarded(invoice_id=invoice_id))


async def add_version(invoice_id: InvoiceId, content: Content, *, clock: Clock) -> int:
    """Give an issued invoice new content under the same number; returns the number of the new version.

    Earlier versions stay readable. Dates that the content does not have are those of the version before.
    Missing("invoice.not_found"), Conflict (`invoice.status` for a draft and for what is void or written off;
    `invoice.currency` for another currency; `invoice.payment_under_way` if a payment could still be cancelled, or the
    new total is below what is paid and held), Invalid (`invoice.no_lines`, and as `create_draft`).
    """
    before = await lock_invoice(invoice_id)
    if before.status is not InvoiceStatus.ISSUED:
        message = f"An invoice that is {before.status.label} has no new version."
        raise Conflict("invoice.status", message, current=before.status.value)
    if content.currency != before.total.currency.code:
        message = f"The invoice is in {before.total.currency.code}; that is final."
        raise Conflict("invoice.currency", message, currency=content.currency)
    complete = require_lines(
        msgspec.structs.replace(
            clean_content(content),
            issue_date=content.issue_date or before.issue_date,
            due_date=content.due_date or before.due_date,
        )
    )
    computed, now, version = compute_totals(complete), clock.now(), before.version + 1
    _require_room(before, computed.payable)
    encoded = encode_content(complete), encode_totals(computed)
    await insert_version(invoice_id, version, *encoded, now=now, is_issued=True)
    await update_invoice(
        invoice_id,
        {
            Invoice.version: version,
            Invoice.total_minor: computed.payable.minor,
            Invoice.buyer_name: complete.buyer.name,
            Invoice.issue_date: complete.issue_date,
            Invoice.due_date: complete.due_date,
            Invoice.changed_at: now,
        },
    )
    await enqueue_prerenders(invoice_id, version)
    await append_version_added(invoice_id, version)
    await emit(
        VersionAdded(
            invoice_id=invoice_id,
            version=version,
            currency=content.currency,
            changes=find_changes(
                {"total_minor": before.total.minor}, {"total_minor": computed.payable.minor}
            ),
        )
    )
    return version


def _require_room(before: LockedInvoice, total: Money) -> None:
    """Refuse a total that the payments under way might exceed, and any while one of them could be cancelled."""
    if before.held > before.processing or (before.held and total < before.paid + before.held):
        message = "A payment of this invoice is under way: cancel it first, or wait for its result."
        raise Conflict("invoice.payment_under_way", message, held=str(before.held))


def require_lines(content: Content) -> Content:
    """Return the content; Invalid("invoice.no_lines") if it has none (EN 16931, BR-16)."""
    if not content.lines:
        raise Invalid("invoice.no_lines", "An invoice has at least one line.")
    return content
