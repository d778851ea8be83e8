"""Settle invoices: what arrived, what is void, what is given up."""

from __future__ import annotations

import datetime as dt
from typing import Final

from kernel.clock import Clock
from kernel.errors import Conflict, Invalid
from kernel.money import Money
from kernel.store import current_workspace, execute
from tenants.ids import InvoiceId
from tenants.invoices.actions.rows import locked, settled
from tenants.invoices.status import InvoiceStatus, step

_SET: Final = """
UPDATE invoice SET status = $3, paid_minor = $4, changed_at = $5 WHERE workspace_id = $1 AND invoice_id = $2
"""


async def set_paid(invoice_id: InvoiceId, paid: Money, *, clock: Clock) -> InvoiceStatus:
    """Note how much has arrived in all, and return the status that it leads to.

    All that is asked for, or more: paid. Less again, after a refund: issued. A void invoice stays void and
    the sum is kept; one written off stays so until all has arrived. Missing("invoice.not_found"),
    Conflict("invoice.status") for a draft, Invalid (`invoice.paid_negative`, `money.currency`).
    """
    row = await locked(invoice_id)
    if row.status is InvoiceStatus.DRAFT:
        raise Conflict("invoice.status", "A draft cannot be paid.", current=row.status.value)
    if paid < Money.zero(row.total.currency):
        raise Invalid("invoice.paid_negative", "What was paid is never below zero.")
    status = settled(row.status, total=row.total, paid=paid)
    if status is not row.status:
        step(row.status, status)
    await _set(invoice_id, status, paid, clock.now())
    return status


async def void(invoice_id: InvoiceId, *, clock: Clock) -> None:
    """Declare an issued invoice void, for good; its number stays taken and its page says so.

    Missing("invoice.not_found"), Conflict (`invoice.status`; `invoice.has_payments`: refund them first).
    """
    row = await locked(invoice_id)
    status = step(row.status, InvoiceStatus.VOID)
    if row.paid:
        words = "Money has arrived for this invoice: refund it before you void it."
        raise Conflict("invoice.has_payments", words, paid=str(row.paid))
    await _set(invoice_id, status, row.paid, clock.now())


async def write_off(invoice_id: InvoiceId, *, clock: Clock) -> None:
    """Give up what is still owed; what arrives later is booked all the same.

    Missing("invoice.not_found"), Conflict("invoice.status").
    """
    row = await locked(invoice_id)
    await _set(invoice_id, step(row.status, InvoiceStatus.WRITTEN_OFF), row.paid, clock.now())


async def _set(invoice_id: InvoiceId, status: InvoiceStatus, paid: Money, now: dt.datetime) -> None:
    await execute(_SET, current_workspace(), invoice_id, status.value, paid.minor, now)
