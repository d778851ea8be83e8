"""Cancel payments that are under way: at the provider first, and only then is the amount free again."""

from __future__ import annotations

from kernel.errors import Conflict, Denied
from tenants.ids import AttemptId, InvoiceId
from tenants.invoices.actions.rows import lock_invoice
from tenants.payments.actions.context import PaymentContext
from tenants.payments.actions.rows import lock_attempt, move_attempt
from tenants.payments.actions.settling import settle
from tenants.payments.queries import list_active_attempts, load_attempt, missing_payment
from tenants.payments.states import IN_HAND, AttemptState
from tenants.payments.values import Attempt


async def cancel_payment(
    context: PaymentContext,
    invoice_id: InvoiceId,
    attempt_id: AttemptId,
) -> Attempt:
    """Cancel one payment of an invoice, and return what has become of it.

    Missing("payment.not_found"), Conflict("payment.in_hand") while money may be moving; and as
    `cancel_attempt`.
    """
    async with context.scope():
        attempt = await load_attempt(attempt_id)
    if attempt.invoice_id != invoice_id:
        raise missing_payment()
    if attempt.state in IN_HAND:
        raise Conflict("payment.in_hand", "The payment is being processed and cannot be cancelled.")
    return await cancel_attempt(context, attempt)


async def cancel_open_payments(
    context: PaymentContext,
    invoice_id: InvoiceId,
) -> None:
    """Cancel the payments of an invoice that can still be cancelled; what is in hand stays.

    Raises what `cancel_attempt` raises.
    """
    async with context.scope():
        attempts = await list_active_attempts(invoice_id)
    for attempt in attempts:
        if attempt.state not in IN_HAND:
            await cancel_attempt(context, attempt)


async def cancel_attempt(
    context: PaymentContext,
    attempt: Attempt,
) -> Attempt:
    """Cancel an attempt at the provider, outside any unit of work, and apply what it is afterwards.

    It may have succeeded meanwhile. Unavailable("payment.provider_unavailable"): nothing is known, and it stays held;
    Denied("payment.account_revoked"): it stays held as unreachable.
    """
    if attempt.intent_id is None:
        attempt = await _release_reserved(context, attempt)
    if attempt.intent_id is None or not attempt.is_active:
        return attempt
    try:
        payment = await context.processor.cancel_payment(attempt.account_id, attempt.intent_id)
    except Denied:
        await mark_unreachable(context, attempt)
        raise
    async with context.scope():
        await settle(payment, account_id=attempt.account_id, clock=context.clock, timings=context.timings)
        return await load_attempt(attempt.attempt_id)


async def mark_unreachable(context: PaymentContext, attempt: Attempt) -> None:
    """Remember that the provider does not show an attempt; its amount stays held until it can be seen again."""
    async with context.scope():
        await lock_invoice(attempt.invoice_id)
        found = await lock_attempt(attempt.attempt_id)
        if found.is_active:
            await move_attempt(
                found, found.state, clock=context.clock, timings=context.timings, is_unreachable=True
            )


async def _release_reserved(context: PaymentContext, attempt: Attempt) -> Attempt:
    """Cancel an attempt whose payment at the provider, if there is any, nobody can confirm without this row.

    It is only confirmed after the row has left this state. So there is nothing to cancel at the provider first.
    """
    async with context.scope():
        await lock_invoice(attempt.invoice_id)
        found = await lock_attempt(attempt.attempt_id)
        if found.state is AttemptState.RESERVED:
            await move_attempt(found, AttemptState.CANCELED, clock=context.clock, timings=context.timings)
        return await load_attempt(attempt.attempt_id)
