"""Give back payments: a row and a job; the job asks the provider, and the ledger follows the picture it shows."""

from __future__ import annotations

from typing import Final

from kernel.errors import Conflict, Denied, Invalid, PortalError
from kernel.ids import new_id
from kernel.jobs import enqueue
from kernel.money import Money
from kernel.store import current_workspace, execute, fetch_one, fetch_value
from tenants.activity.actions import emit
from tenants.ids import AttemptId, InvoiceId, RefundId
from tenants.invoices.actions.rows import lock_invoice
from tenants.payments.actions.context import PaymentContext
from tenants.payments.actions.rows import lock_attempt
from tenants.payments.actions.settling import settle
from tenants.payments.events import RefundEnded, RefundRequested
from tenants.payments.jobs import RefundPayment
from tenants.payments.processor import ProviderPayment
from tenants.payments.queries import load_attempt, load_refund, missing_payment
from tenants.payments.states import AttemptState
from tenants.payments.values import Attempt, Refund, RefundState

# What was captured, less what the provider has refunded, less what it has not been asked for yet.
_SUM_REFUNDABLE: Final = """
SELECT (SELECT coalesce(sum(amount_minor), 0) FROM ledger_entry
        WHERE workspace_id = $1 AND invoice_id = $2 AND attempt_id = $3
          AND kind IN ('charge', 'refund', 'refund_failed'))::bigint
     - (SELECT coalesce(sum(amount_minor), 0) FROM payment_refund
        WHERE workspace_id = $1 AND attempt_id = $3
          AND (state = 'requested' OR state = 'pending' AND NOT EXISTS (
              SELECT FROM ledger_entry e WHERE e.workspace_id = $1 AND e.kind = 'refund'
                AND e.source_id = payment_refund.source_id)))::bigint
"""
_INSERT: Final = """
INSERT INTO payment_refund (workspace_id, refund_id, invoice_id, attempt_id, amount_minor, state)
VALUES ($1, $2, $3, $4, $5, 'requested')
"""
_REFUSE: Final = """
UPDATE payment_refund SET state = 'refused', failure = $3, changed_at = clock_timestamp()
WHERE workspace_id = $1 AND refund_id = $2 AND state = 'requested' RETURNING invoice_id
"""


async def request_refund(invoice_id: InvoiceId, attempt_id: AttemptId, amount: Money) -> RefundId:
    """Ask for a part of a payment to be given back; a job sends it to the provider.

    Missing (`invoice.not_found`, `payment.not_found`), Invalid (`payment.zero`, `money.currency`), Conflict
    (`refund.not_captured`, `refund.too_large` with what is `refundable`).
    """
    await lock_invoice(invoice_id)
    attempt = await lock_attempt(attempt_id)
    if attempt.invoice_id != invoice_id:
        raise missing_payment()
    if attempt.state is not AttemptState.SUCCEEDED:
        raise Conflict("refund.not_captured", "Nothing was captured with this payment.")
    if amount <= Money.zero(attempt.amount.currency):
        raise Invalid("payment.zero", "A refund is more than nothing.")
    workspace_id = current_workspace()
    left = Money(
        await fetch_value(_SUM_REFUNDABLE, workspace_id, invoice_id, attempt_id), attempt.amount.currency
    )
    if amount > left:
        message = f"Only {left} of this payment can be refunded."
        raise Conflict("refund.too_large", message, refundable=str(left))
    refund_id = RefundId(new_id())
    await execute(_INSERT, workspace_id, refund_id, invoice_id, attempt_id, amount.minor)
    await enqueue(RefundPayment(refund_id=refund_id))
    await emit(
        RefundRequested(
            invoice_id=invoice_id,
            refund_id=refund_id,
            attempt_id=attempt_id,
            currency=amount.currency.code,
            amount_minor=amount.minor,
        )
    )
    return refund_id


async def send_refund(
    context: PaymentContext,
    refund_id: RefundId,
) -> Refund:
    """Send a refund to the provider and book what it shows then; repeated, it makes no second one.

    To be called outside any unit of work. While we have no access to the account it stays requested: it is sent when
    the account is connected again. Missing("refund.not_found"), Unavailable("payment.provider_unavailable"): to be
    repeated.
    """
    async with context.scope():
        refund = await load_refund(refund_id)
        attempt = await load_attempt(refund.attempt_id)
    if attempt.intent_id is None or refund.state is RefundState.REFUSED:
        return refund
    refusal: PortalError | None = None
    try:
        # The provider forgets idempotency keys after a day, and a job may be repeated later than that.
        payment = await context.processor.load_payment(attempt.account_id, attempt.intent_id)
        if refund.state is RefundState.REQUESTED and not _is_made(refund, payment):
            refusal = await _create(context, attempt, refund)
            payment = await context.processor.load_payment(attempt.account_id, attempt.intent_id)
    except Denied:
        return refund
    async with context.scope():
        await settle(payment, account_id=attempt.account_id, clock=context.clock, timings=context.timings)
        if refusal is not None and not _is_made(refund, payment):
            await _refuse(refund_id, refusal)
        return await load_refund(refund_id)


async def _create(context: PaymentContext, attempt: Attempt, refund: Refund) -> PortalError | None:
    """Ask the provider for a refund, and return its refusal: whether one was made, only its picture can tell."""
    if attempt.intent_id is None:
        return None
    try:
        await context.processor.create_refund(
            attempt.account_id, attempt.intent_id, refund_id=refund.refund_id, amount=refund.amount
        )
    except (Conflict, Invalid) as error:
        return error
    return None


def _is_made(refund: Refund, payment: ProviderPayment) -> bool:
    return any(each.refund_id == refund.refund_id for each in payment.refunds)


async def _refuse(refund_id: RefundId, error: PortalError) -> None:
    row = await fetch_one(_REFUSE, current_workspace(), refund_id, error.code)
    if row is not None:
        await emit(
            RefundEnded(
                invoice_id=row["invoice_id"],
                refund_id=refund_id,
                state=RefundState.REFUSED.value,
                failure=error.code,
            )
        )
