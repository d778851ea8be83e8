"""Settle: bring attempt and ledger up to date with the provider's full picture of a payment.

Return page, webhook, reconciler and refund job all meet here: whatever came first, twice or never, what is written
follows from the picture alone.
"""

from __future__ import annotations

from typing import Any, Final

from kernel.clock import Clock
from kernel.ids import new_id
from kernel.money import Money
from kernel.store import current_workspace, fetch_one
from tenants.activity.actions import emit
from tenants.ids import InvoiceId
from tenants.invoices.actions.rows import lock_invoice
from tenants.invoices.status import InvoiceStatus
from tenants.payments.actions.booking import book_movement
from tenants.payments.actions.rows import enqueue_check, find_attempt_by_intent, lock_attempt, move_attempt
from tenants.payments.events import DisputeChanged, RefundEnded
from tenants.payments.processor import (
    DisputeMovement,
    ProviderDispute,
    ProviderPayment,
    ProviderRefund,
    RefundStatus,
)
from tenants.payments.states import ACTIVE, TIMINGS, AttemptState, Timings, derive_state
from tenants.payments.stream import append_disputed
from tenants.payments.values import Attempt, EntryKind, RefundState, Settlement

_UPSERT_DISPUTE: Final = """
WITH before AS (SELECT status FROM payment_dispute WHERE workspace_id = $1 AND source_id = $5)
INSERT INTO payment_dispute AS d (workspace_id, dispute_id, invoice_id, attempt_id, source_id, amount_minor, status,
                                  reason, opened_at, evidence_due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (workspace_id, source_id) DO UPDATE
SET status = excluded.status, amount_minor = excluded.amount_minor, reason = excluded.reason,
    evidence_due_at = excluded.evidence_due_at, changed_at = clock_timestamp()
WHERE d.attempt_id = excluded.attempt_id
  -- A picture that was loaded earlier opens nothing again.
  AND NOT (d.status IN ('won', 'lost', 'closed') AND excluded.status IN ('inquiry', 'open'))
  AND NOT (d.status = 'open' AND excluded.status = 'inquiry')
  AND (d.status, d.amount_minor, d.evidence_due_at)
      IS DISTINCT FROM (excluded.status, excluded.amount_minor, excluded.evidence_due_at)
RETURNING d.dispute_id, (SELECT status FROM before) AS before
"""
# The refund's id comes from the provider's metadata: it counts only for the attempt that it is of.
_UPDATE_REFUND: Final = """
UPDATE payment_refund
SET state = $4, source_id = $5, failure = $6, changed_at = clock_timestamp()
WHERE workspace_id = $1 AND refund_id = $2 AND attempt_id = $3 AND (source_id IS NULL OR source_id = $5)
  AND (state, source_id) IS DISTINCT FROM ($4, $5)
  -- A picture that was loaded earlier undoes nothing.
  AND state NOT IN ('failed', 'canceled') AND NOT (state = 'succeeded' AND $4 = 'pending')
RETURNING refund_id
"""
_MOVES_MONEY: Final = frozenset({RefundStatus.PENDING, RefundStatus.SUCCEEDED})
_RETURNS_MONEY: Final = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED})
_ENDED: Final = frozenset({RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CANCELED})


async def settle(
    payment: ProviderPayment, *, account_id: str, clock: Clock, timings: Timings = TIMINGS
) -> Settlement:
    """Apply a payment's picture, loaded before the open unit of work, to its attempt; returns what changed.

    Every movement that is not booked yet is booked, whatever the state of attempt and invoice: the ledger follows the
    money. A declined attempt stays held until a check has cancelled it at the provider.
    """
    found = await find_attempt_by_intent(account_id, payment.intent_id)
    if found is None:
        return Settlement.NOT_OURS
    invoice = await lock_invoice(found.invoice_id)
    attempt = await lock_attempt(found.attempt_id)
    has_failure = payment.failure is not None or attempt.failure is not None
    state = derive_state(attempt.state, payment.status, has_failure=has_failure)
    has_succeeded = state is AttemptState.SUCCEEDED and attempt.state is not AttemptState.SUCCEEDED
    is_late = has_succeeded and (attempt.state not in ACTIVE or invoice.status is InvoiceStatus.VOID)
    is_moved = await move_attempt(
        attempt,
        state,
        clock=clock,
        timings=timings,
        method_type=payment.method_type or None,
        is_redirect=payment.is_redirect,
        failure=payment.failure,
        is_late=is_late,
    )
    if is_moved and state is AttemptState.OPEN:
        await enqueue_check(attempt.attempt_id, timings=timings, is_now=True)
    is_booked = await _book_movements(attempt, payment, is_late=attempt.is_late or is_late)
    if is_late:
        return Settlement.LATE
    return Settlement.APPLIED if is_moved or is_booked else Settlement.UNCHANGED


async def _book_movements(attempt: Attempt, payment: ProviderPayment, *, is_late: bool) -> bool:
    booked = False
    charge = payment.charge
    if charge is not None:
        booked |= await book_movement(
            attempt.invoice_id,
            EntryKind.CHARGE,
            source_id=charge.source_id,
            amount=charge.amount,
            occurred_at=charge.occurred_at,
            attempt_id=attempt.attempt_id,
            is_late=is_late,
        )
    for refund in payment.refunds:
        booked |= await _book_refund(attempt, refund)
    for dispute in payment.disputes:
        booked |= await _apply_dispute(attempt, dispute)
    return booked


async def _book_refund(attempt: Attempt, refund: ProviderRefund) -> bool:
    booked = False
    if refund.status in _MOVES_MONEY | _RETURNS_MONEY:
        # One that failed is booked too: a picture of the time before, applied later, then finds it booked.
        booked |= await _book(attempt, EntryKind.REFUND, refund, -refund.amount)
    if refund.status in _RETURNS_MONEY:
        booked |= await _book(attempt, EntryKind.REFUND_FAILED, refund, refund.amount)
    return await _update_refund(attempt, refund) or booked


async def _update_refund(attempt: Attempt, refund: ProviderRefund) -> bool:
    """Write the state of a refund into the row of the workspace's own request; False if it has none or is as it was."""
    if refund.refund_id is None:
        return False
    is_pending = refund.status in {RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION}
    state = RefundState.PENDING if is_pending else RefundState(refund.status.value)
    changed = await fetch_one(
        _UPDATE_REFUND,
        current_workspace(),
        refund.refund_id,
        attempt.attempt_id,
        state.value,
        refund.source_id,
        refund.failure[:100],
    )
    if changed is not None and state in _ENDED:
        await emit(
            RefundEnded(
                invoice_id=attempt.invoice_id,
                refund_id=refund.refund_id,
                state=state.value,
                failure=refund.failure[:100],
            )
        )
    return changed is not None


async def _apply_dispute(attempt: Attempt, dispute: ProviderDispute) -> bool:
    row = await fetch_one(
        _UPSERT_DISPUTE,
        current_workspace(),
        new_id(),
        attempt.invoice_id,
        attempt.attempt_id,
        dispute.source_id,
        dispute.amount.minor,
        dispute.status.value,
        dispute.reason[:100],
        dispute.opened_at,
        dispute.evidence_due_at,
    )
    booked = row is not None
    for movement in dispute.movements:
        is_withdrawn = movement.amount.minor < 0
        kind = EntryKind.DISPUTE_WITHDRAWN if is_withdrawn else EntryKind.DISPUTE_REINSTATED
        booked |= await _book(attempt, kind, movement, movement.amount)
    if row is not None and row["before"] != dispute.status.value:
        await _tell_dispute(attempt.invoice_id, row, dispute)
    return booked


async def _tell_dispute(invoice_id: InvoiceId, row: Any, dispute: ProviderDispute) -> None:
    await append_disputed(invoice_id)
    await emit(
        DisputeChanged(
            invoice_id=invoice_id,
            dispute_id=row["dispute_id"],
            before=row["before"],
            after=dispute.status.value,
        )
    )


async def _book(
    attempt: Attempt, kind: EntryKind, movement: ProviderRefund | DisputeMovement, amount: Money
) -> bool:
    return await book_movement(
        attempt.invoice_id,
        kind,
        source_id=movement.source_id,
        amount=amount,
        occurred_at=movement.occurred_at,
        attempt_id=attempt.attempt_id,
    )
