"""Reads of attempts, ledger entries and refunds."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from kernel.clock import Clock
from kernel.errors import Missing
from kernel.money import Money, find_currency
from kernel.store import current_workspace, fetch, fetch_one
from tenants.ids import AttemptId, InvoiceId, LedgerEntryId, RefundId
from tenants.invoices.queries import load_invoice
from tenants.payments.offer import Gate, Offer, PayableInvoice, PaymentPolicy, make_offer
from tenants.payments.processor import PaymentFailure, PaymentProcessor
from tenants.payments.states import ACTIVE, AttemptState
from tenants.payments.values import Attempt, Entry, EntryKind, Refund, RefundState
from tenants.workspaces.queries import load_payment_settings

#: By the database's clock, which decides when an attempt expires.
ATTEMPT_COLUMNS: Final = """
attempt_id, invoice_id, account_id, intent_id, currency, amount_minor, state, method_type, is_redirect, failure_code,
decline_code, is_late, is_unreachable, payer_kind, payer_id, payer_name, created_at, checks,
clock_timestamp() - created_at AS age, expires_at - clock_timestamp() AS expires_in
"""
# ruff: noqa: S608  -- only constants of this module are put into these statements
_SELECT_ATTEMPT: Final = f"""
SELECT {ATTEMPT_COLUMNS} FROM payment_attempt WHERE workspace_id = $1 AND attempt_id = $2
"""
_SELECT_ATTEMPTS: Final = f"""
SELECT {ATTEMPT_COLUMNS} FROM payment_attempt WHERE workspace_id = $1 AND invoice_id = $2
ORDER BY created_at, attempt_id
"""
_SELECT_ACTIVE: Final = f"""
SELECT {ATTEMPT_COLUMNS} FROM payment_attempt
WHERE workspace_id = $1 AND invoice_id = $2 AND state = ANY ($3::text[]) ORDER BY created_at, attempt_id
"""
_SELECT_KNOWN: Final = """
SELECT intent_id FROM payment_attempt WHERE workspace_id = $1 AND account_id = $2 AND intent_id = ANY ($3::text[])
"""
_SELECT_ENTRIES: Final = """
SELECT entry_id, invoice_id, kind, source_id, currency, amount_minor, attempt_id, reference, occurred_at
FROM ledger_entry WHERE workspace_id = $1 AND invoice_id = $2 ORDER BY booked_at, entry_id
"""
_REFUND_COLUMNS: Final = """
r.refund_id, r.invoice_id, r.attempt_id, r.amount_minor, r.state, r.source_id, r.failure, r.created_at,
(SELECT a.currency FROM payment_attempt a
 WHERE a.workspace_id = r.workspace_id AND a.attempt_id = r.attempt_id) AS currency
"""
_SELECT_REFUND: Final = f"""
SELECT {_REFUND_COLUMNS} FROM payment_refund r WHERE r.workspace_id = $1 AND r.refund_id = $2
"""
_SELECT_REFUNDS: Final = f"""
SELECT {_REFUND_COLUMNS} FROM payment_refund r WHERE r.workspace_id = $1 AND r.invoice_id = $2
ORDER BY r.created_at, r.refund_id
"""


async def load_policy() -> PaymentPolicy:
    """Return what the bound workspace has decided about payments; Missing("workspace.not_found")."""
    settings = await load_payment_settings()
    return PaymentPolicy(is_live=settings.is_live, takes_parts=settings.takes_parts)


async def load_offer(processor: PaymentProcessor, invoice_id: InvoiceId, *, clock: Clock) -> Offer:
    """Return whether and of which amounts a card payment of an invoice can be made; Missing("invoice.not_found")."""
    found = await load_invoice(invoice_id)
    return make_offer(
        PayableInvoice(found.status, found.total, found.paid, found.held, found.is_disputed),
        Gate(processor.is_live, await processor.find_account(), processor.find_limits(found.total.currency)),
        await load_policy(),
        await list_active_attempts(invoice_id),
        now=clock.now(),
    )


async def load_attempt(attempt_id: AttemptId) -> Attempt:
    """Return an attempt; Missing("payment.not_found")."""
    row = await fetch_one(_SELECT_ATTEMPT, current_workspace(), attempt_id)
    if row is None:
        raise missing_payment()
    return read_attempt(row)


async def list_attempts(invoice_id: InvoiceId) -> tuple[Attempt, ...]:
    """Return all attempts to pay an invoice, the oldest first."""
    rows = await fetch(_SELECT_ATTEMPTS, current_workspace(), invoice_id)
    return tuple(read_attempt(row) for row in rows)


async def list_active_attempts(invoice_id: InvoiceId) -> tuple[Attempt, ...]:
    """Return the attempts to pay an invoice that are under way, the oldest first."""
    active = [state.value for state in ACTIVE]
    return tuple(
        read_attempt(row) for row in await fetch(_SELECT_ACTIVE, current_workspace(), invoice_id, active)
    )


async def find_known_intents(account_id: str, intent_ids: Collection[str]) -> frozenset[str]:
    """Return those of an account's payments at the provider that the workspace has attempts of."""
    rows = await fetch(_SELECT_KNOWN, current_workspace(), account_id, list(intent_ids))
    return frozenset(row["intent_id"] for row in rows)


async def list_entries(invoice_id: InvoiceId) -> tuple[Entry, ...]:
    """Return the ledger of an invoice in the order of booking."""
    return tuple(
        Entry(
            entry_id=LedgerEntryId(row["entry_id"]),
            invoice_id=InvoiceId(row["invoice_id"]),
            kind=EntryKind(row["kind"]),
            source_id=row["source_id"],
            amount=Money(row["amount_minor"], find_currency(row["currency"])),
            attempt_id=None if row["attempt_id"] is None else AttemptId(row["attempt_id"]),
            reference=row["reference"],
            occurred_at=row["occurred_at"],
        )
        for row in await fetch(_SELECT_ENTRIES, current_workspace(), invoice_id)
    )


async def load_refund(refund_id: RefundId) -> Refund:
    """Return a refund that the workspace asked for; Missing("refund.not_found")."""
    row = await fetch_one(_SELECT_REFUND, current_workspace(), refund_id)
    if row is None:
        raise Missing("refund.not_found", "There is no such refund.")
    return _read_refund(row)


async def list_refunds(invoice_id: InvoiceId) -> tuple[Refund, ...]:
    """Return the refunds that the workspace asked for, the oldest first."""
    rows = await fetch(_SELECT_REFUNDS, current_workspace(), invoice_id)
    return tuple(_read_refund(row) for row in rows)


def read_attempt(row: Any) -> Attempt:
    """Return the value of a row with `ATTEMPT_COLUMNS`."""
    code = row["failure_code"]
    return Attempt(
        attempt_id=AttemptId(row["attempt_id"]),
        invoice_id=InvoiceId(row["invoice_id"]),
        account_id=row["account_id"],
        intent_id=row["intent_id"],
        amount=Money(row["amount_minor"], find_currency(row["currency"])),
        state=AttemptState(row["state"]),
        method_type=row["method_type"],
        failure=PaymentFailure(code, row["decline_code"]) if code else None,
        is_redirect=row["is_redirect"],
        is_late=row["is_late"],
        is_unreachable=row["is_unreachable"],
        payer_kind=row["payer_kind"],
        payer_id=row["payer_id"],
        payer_name=row["payer_name"],
        created_at=row["created_at"],
        age=row["age"],
        expires_in=row["expires_in"],
        checks=row["checks"],
    )


def missing_payment() -> Missing:
    """Return the error for an attempt that does not exist."""
    return Missing("payment.not_found", "There is no such payment.")


def _read_refund(row: Any) -> Refund:
    return Refund(
        refund_id=RefundId(row["refund_id"]),
        invoice_id=InvoiceId(row["invoice_id"]),
        attempt_id=AttemptId(row["attempt_id"]),
        amount=Money(row["amount_minor"], find_currency(row["currency"])),
        state=RefundState(row["state"]),
        source_id=row["source_id"],
        failure=row["failure"],
        created_at=row["created_at"],
    )
