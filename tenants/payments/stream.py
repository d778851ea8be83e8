"""The events of payments in the realtime stream of their invoice. The payloads hold no text, and nobody's id."""

from __future__ import annotations

from enum import StrEnum

from kernel import live
from kernel.live import Audience
from tenants.ids import InvoiceId
from tenants.payments.states import AttemptState
from tenants.payments.values import EntryKind


class PaymentEventKind(StrEnum):
    """Kinds of stream events. Stored, so never renamed."""

    CHANGED = "payment.changed"
    BOOKED = "payment.booked"
    DISPUTED = "payment.disputed"


async def append_changed(invoice_id: InvoiceId, state: AttemptState) -> None:
    """Tell the readers of an invoice that a payment began, went on or ended."""
    await live.append(invoice_id, Audience.PUBLIC, PaymentEventKind.CHANGED, {"state": state})


async def append_booked(invoice_id: InvoiceId, kind: EntryKind) -> None:
    """Tell the readers of an invoice that money moved."""
    await live.append(invoice_id, Audience.PUBLIC, PaymentEventKind.BOOKED, {"entry": kind})


async def append_disputed(invoice_id: InvoiceId) -> None:
    """Tell the readers of an invoice that a dispute about a payment was opened, or has changed."""
    await live.append(invoice_id, Audience.PUBLIC, PaymentEventKind.DISPUTED, {})
