"""Brings an invoice to what was paid in all, for tests whose subject is not how it was paid."""

from __future__ import annotations

from kernel.clock import Clock
from kernel.money import Money
from tenants.ids import InvoiceId
from tenants.invoices.queries import load_invoice
from tenants.payments.actions import record_payment


async def set_paid(invoice_id: InvoiceId, paid: Money, *, clock: Clock) -> None:
    """Book what is missing to this sum, in the open unit of work; nothing if it is that already."""
    missing = paid - (await load_invoice(invoice_id)).paid
    if missing:
        await record_payment(invoice_id, missing, clock=clock)
