"""Add entries to the ledger: movements at the provider, and what was paid or credited outside the portal."""

from __future__ import annotations

import datetime as dt
from typing import Final

from kernel.clock import Clock
from kernel.errors import Conflict, Invalid
from kernel.ids import new_id
from kernel.money import Money
from kernel.store import current_workspace, fetch_value
from kernel.text import clean_line
from tenants.activity.actions import emit
from tenants.ids import AttemptId, InvoiceId, LedgerEntryId
from tenants.invoices.actions.rows import lock_invoice
from tenants.invoices.status import InvoiceStatus
from tenants.payments.events import LedgerEntryAdded
from tenants.payments.stream import append_booked
from tenants.payments.values import EntryKind

_MAX_REFERENCE_LENGTH: Final = 200
# A movement that is booked already is not booked again.
_INSERT: Final = """
INSERT INTO ledger_entry
    (workspace_id, entry_id, invoice_id, kind, source_id, currency, amount_minor, attempt_id, reference, occurred_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (workspace_id, kind, source_id) DO NOTHING RETURNING entry_id
"""


async def record_payment(
    invoice_id: InvoiceId,
    amount: Money,
    *,
    reference: str = "",
    received_at: dt.datetime | None = None,
    is_credit: bool = False,
    clock: Clock,
) -> LedgerEntryId:
    """Book money that came (or, negative, went) outside the portal, or a credit that lowers what is owed.

    It counts at once, also while a card payment runs: together they can exceed what is owed, which is then shown as
    overpaid. Missing("invoice.not_found"), Conflict("invoice.status") for a draft, Invalid (`payment.zero`,
    `money.currency`).
    """
    row = await lock_invoice(invoice_id)
    if row.status is InvoiceStatus.DRAFT:
        raise Conflict("invoice.status", "A draft cannot be paid.", current=row.status.value)
    if not amount:
        raise Invalid("payment.zero", "An amount of zero changes nothing.")
    # Refuses another currency before the database does.
    _ = row.paid + amount
    entry_id = new_id()
    await book_movement(
        invoice_id,
        EntryKind.CREDIT if is_credit else EntryKind.MANUAL,
        source_id=str(entry_id),
        amount=amount,
        occurred_at=received_at or clock.now(),
        reference=clean_line(reference)[:_MAX_REFERENCE_LENGTH],
        entry_id=LedgerEntryId(entry_id),
    )
    return LedgerEntryId(entry_id)


async def book_movement(
    invoice_id: InvoiceId,
    kind: EntryKind,
    *,
    source_id: str,
    amount: Money,
    occurred_at: dt.datetime,
    attempt_id: AttemptId | None = None,
    reference: str = "",
    is_late: bool = False,
    entry_id: LedgerEntryId | None = None,
) -> bool:
    """Book one movement once; returns whether it was not booked before. The caller has locked the invoice."""
    added = await fetch_value(
        _INSERT,
        current_workspace(),
        entry_id or new_id(),
        invoice_id,
        kind.value,
        source_id,
        amount.currency.code,
        amount.minor,
        attempt_id,
        reference,
        occurred_at,
    )
    if added is None:
        return False
    await append_booked(invoice_id, kind)
    await emit(
        LedgerEntryAdded(
            invoice_id=invoice_id,
            entry_id=added,
            entry_kind=kind.value,
            source_id=source_id,
            currency=amount.currency.code,
            amount_minor=amount.minor,
            attempt_id=attempt_id,
            is_late=is_late,
        )
    )
    return True
