"""Check payments that are under way at the provider, until each has ended."""

from __future__ import annotations

from kernel.errors import Denied, Missing, Unavailable
from tenants.ids import AttemptId
from tenants.payments.actions.cancelling import cancel_attempt, mark_unreachable
from tenants.payments.actions.context import PaymentContext
from tenants.payments.actions.rows import enqueue_check
from tenants.payments.actions.settling import settle
from tenants.payments.queries import load_attempt
from tenants.payments.values import Attempt, Settlement


async def check_payment(
    context: PaymentContext,
    attempt_id: AttemptId,
    number: int,
) -> Settlement:
    """Run the check of this number, if it is the attempt's latest, and enqueue the next; returns what it changed.

    An expired or declined attempt is cancelled at the provider, any other is compared with it. When the provider cannot
    be reached, or does not show the payment, the next check tries again. To be called outside any unit of work.
    Missing("payment.not_found").
    """
    async with context.scope():
        attempt = await load_attempt(attempt_id)
    if attempt.checks != number or not attempt.is_active:
        return Settlement.UNCHANGED
    outcome = Settlement.UNCHANGED
    try:
        outcome = await _compare(context, attempt)
    except (Denied, Missing):
        await mark_unreachable(context, attempt)
    except Unavailable:
        outcome = Settlement.UNCHANGED
    async with context.scope():
        await enqueue_check(attempt_id, timings=context.timings)
    return outcome


async def _compare(
    context: PaymentContext,
    attempt: Attempt,
) -> Settlement:
    if attempt.is_to_be_cancelled:
        ended = await cancel_attempt(context, attempt)
        return Settlement.UNCHANGED if ended.state is attempt.state else Settlement.APPLIED
    if attempt.intent_id is None:
        return Settlement.UNCHANGED
    payment = await context.processor.load_payment(attempt.account_id, attempt.intent_id)
    async with context.scope():
        outcome = await settle(
            payment, account_id=attempt.account_id, clock=context.clock, timings=context.timings
        )
        settled = await load_attempt(attempt.attempt_id)
    if settled.is_to_be_cancelled:
        await cancel_attempt(context, settled)
    return outcome
