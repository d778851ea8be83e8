"""Void, write off and edit invoices while somebody may be paying them: payments are cancelled at the provider first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenants.ids import InvoiceId
from tenants.invoices import actions as invoices
from tenants.invoices.content import Content
from tenants.payments.actions.cancelling import cancel_open_payments
from tenants.payments.actions.context import PaymentContext

_T = TypeVar("_T")


async def void_invoice(
    context: PaymentContext,
    invoice_id: InvoiceId,
) -> None:
    """Void an invoice; as `invoices.actions.void`, Conflict("invoice.payment_under_way") while one is in hand."""
    await _change(context, invoice_id, lambda: invoices.void(invoice_id, clock=context.clock))


async def write_off_invoice(
    context: PaymentContext,
    invoice_id: InvoiceId,
) -> None:
    """Write an invoice off; as `invoices.actions.write_off`."""
    await _change(context, invoice_id, lambda: invoices.write_off(invoice_id, clock=context.clock))


async def add_invoice_version(
    context: PaymentContext,
    invoice_id: InvoiceId,
    content: Content,
) -> int:
    """Give an invoice new content; as `invoices.actions.add_version`: no total below what is paid and in hand."""
    return await _change(
        context, invoice_id, lambda: invoices.add_version(invoice_id, content, clock=context.clock)
    )


async def _change(
    context: PaymentContext,
    invoice_id: InvoiceId,
    change: Callable[[], Awaitable[_T]],
) -> _T:
    await cancel_open_payments(context, invoice_id)
    async with context.scope():
        return await change()
