"""Begin a payment: reserve its amount, create it at the provider, record it, and only then confirm it.

Create-and-confirm in one call would let two payers at once, or a time-out, pay the same debt twice. No call of the
provider is made inside a transaction.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from kernel.actor import Actor
from kernel.clock import Clock
from kernel.errors import Conflict, Denied, Invalid, PortalError, Unavailable
from kernel.ids import WorkspaceId
from kernel.store import Database
from tenants.ids import AttemptId, InvoiceId
from tenants.invoices.actions.rows import LockedInvoice, lock_invoice
from tenants.payments.actions.cancelling import cancel_attempt, cancel_open_payments, mark_unreachable
from tenants.payments.actions.context import PaymentContext
from tenants.payments.actions.rows import find_attempt_by_nonce, insert_attempt, lock_attempt, move_attempt
from tenants.payments.actions.settling import settle
from tenants.payments.offer import Blocker, Gate, PayableInvoice, make_offer
from tenants.payments.processor import (
    NewPayment,
    PaymentAccount,
    PaymentFailure,
    PaymentProcessor,
    ProviderPayment,
)
from tenants.payments.progress import describe_progress
from tenants.payments.queries import list_active_attempts, load_attempt, load_policy, missing_payment
from tenants.payments.states import TIMINGS, AttemptState, Timings
from tenants.payments.values import Attempt, PaymentProgress, PaymentRequest

_NONCE: Final = re.compile(r"[!-~]{1,100}")


async def begin(
    database: Database,
    processor: PaymentProcessor,
    workspace_id: WorkspaceId,
    invoice_id: InvoiceId,
    request: PaymentRequest,
    *,
    payer: Actor,
    clock: Clock,
    timings: Timings = TIMINGS,
) -> PaymentProgress:
    """Pay an amount of an invoice, and return how far the payment is; to be called outside any unit of work.

    The same nonce again returns how far the payment is that it made. A decline is a progress, and not an error.
    Missing("invoice.not_found"), Conflict (`payment.changed`: reload the page; `payment.blocked` with the `blocker`;
    `payment.nonce_used`), Invalid (`payment.amount`, `payment.amount_too_small`, `payment.refused`, `payment.nonce`),
    Denied("payment.account_revoked"), Unavailable("payment.provider_unavailable"): nothing was paid.
    """
    if not _NONCE.fullmatch(request.nonce):
        raise Invalid("payment.nonce", "A nonce has 1 to 100 printable characters of ASCII.")
    context = PaymentContext(database, processor, workspace_id, clock, payer, timings)
    if request.take_over and await _needs_others_cancelled(context, invoice_id, request):
        await cancel_open_payments(context, invoice_id)
    fee = 0
    async with context.scope():
        invoice = await lock_invoice(invoice_id)
        attempt = await find_attempt_by_nonce(invoice_id, request.nonce)
        is_repeated = attempt is not None
        if attempt is None:
            account = await _pass_gate(context, invoice, request)
            fee = account.application_fee_bp
            attempt = await insert_attempt(
                invoice_id,
                request.amount,
                account_id=account.account_id,
                nonce=request.nonce,
                payer=payer,
                timings=timings,
            )
    if is_repeated:
        if attempt.amount != request.amount:
            raise Conflict("payment.nonce_used", "This click has made another payment.")
        return await follow(context, invoice_id, attempt.attempt_id)
    new = NewPayment(attempt.attempt_id, workspace_id, invoice_id, invoice.number or "", attempt.amount, fee)
    work = _Payment(context, attempt)
    intent = await work.create(new)
    await work.record(intent)
    return await work.confirm(intent, request)


async def follow(context: PaymentContext, invoice_id: InvoiceId, attempt_id: AttemptId) -> PaymentProgress:
    """Ask the provider how far a payment is, apply the answer and return it: for the return page and repeated clicks.

    Missing("payment.not_found"). When the provider cannot be asked, it is what is stored.
    """
    async with context.scope():
        attempt = await load_attempt(attempt_id)
    if attempt.invoice_id != invoice_id:
        raise missing_payment()
    if attempt.intent_id is None:
        return describe_progress(attempt, None)
    try:
        payment = await context.processor.load_payment(attempt.account_id, attempt.intent_id)
    except Unavailable:
        return describe_progress(attempt, None)
    except Denied:
        await mark_unreachable(context, attempt)
        return describe_progress(attempt, None)
    return await _apply_result(context, attempt, payment)


async def _apply_result(
    context: PaymentContext, attempt: Attempt, payment: ProviderPayment
) -> PaymentProgress:
    """Settle a picture of a payment; one that was declined is cancelled at once, so that its amount is free again."""
    async with context.scope():
        await settle(payment, account_id=attempt.account_id, clock=context.clock, timings=context.timings)
        settled = await load_attempt(attempt.attempt_id)
    if settled.is_to_be_cancelled and settled.failure is not None:
        try:
            settled = await cancel_attempt(context, settled)
        except (Unavailable, Denied):
            # A check cancels it later; until then its amount is held.
            return describe_progress(settled, payment)
    return describe_progress(settled, payment)


async def _needs_others_cancelled(
    context: PaymentContext, invoice_id: InvoiceId, request: PaymentRequest
) -> bool:
    """Tell whether only what others hold keeps the request from being paid.

    Not for a click that is repeated, whose own payment may be waiting for the bank, and not for a request that will be
    refused anyway.
    """
    async with context.scope():
        invoice = await lock_invoice(invoice_id)
        if await find_attempt_by_nonce(invoice_id, request.nonce) is not None:
            return False
        try:
            await _pass_gate(context, invoice, request)
        except (Conflict, Invalid):
            await _pass_gate(context, replace(invoice, held=invoice.processing), request)
            return True
        return False


async def _pass_gate(
    context: PaymentContext, invoice: LockedInvoice, request: PaymentRequest
) -> PaymentAccount:
    """Return the account to pay to, of an invoice that is locked; raises if the request cannot be paid now."""
    if invoice.version != request.version or invoice.total.currency != request.amount.currency:
        raise Conflict("payment.changed", "The invoice has changed: reload the page.")
    processor = context.processor
    account = await processor.find_account()
    offer = make_offer(
        PayableInvoice(invoice.status, invoice.total, invoice.paid, invoice.held, invoice.is_disputed),
        Gate(processor.is_live, account, processor.find_limits(invoice.total.currency)),
        await load_policy(),
        await list_active_attempts(invoice.invoice_id),
        now=context.clock.now(),
    )
    if account is None or offer.amounts is None:
        blocker = offer.blocker or Blocker.NOT_CONNECTED
        raise Conflict("payment.blocked", "This invoice cannot be paid by card now.", blocker=blocker.value)
    if not offer.amounts.includes(request.amount):
        raise Invalid("payment.amount", "This amount cannot be paid.", free=str(offer.free))
    return account


class _Payment:
    """The steps of one new payment between its transactions."""

    def __init__(self, context: PaymentContext, attempt: Attempt) -> None:
        self._context = context
        self._attempt = attempt

    async def create(self, new: NewPayment) -> ProviderPayment:
        """Create the payment at the provider; on any error the amount is free again, since nothing was confirmed."""
        try:
            return await self._context.processor.create_payment(self._attempt.account_id, new)
        except PortalError as error:
            await self._end_reserved(error)
            raise

    async def record(self, intent: ProviderPayment) -> None:
        """Note the payment's id in the reserved attempt; Conflict("payment.changed") if it was cancelled meanwhile."""
        async with self._context.scope():
            await lock_invoice(self._attempt.invoice_id)
            found = await lock_attempt(self._attempt.attempt_id)
            is_reserved = found.state is AttemptState.RESERVED
            if is_reserved:
                await move_attempt(
                    found,
                    AttemptState.CONFIRMING,
                    intent_id=intent.intent_id,
                    clock=self._context.clock,
                    timings=self._context.timings,
                )
                self._attempt = await load_attempt(self._attempt.attempt_id)
        if not is_reserved:
            # Nobody has its secret: it could not be confirmed even if this fails.
            await self._context.processor.cancel_payment(self._attempt.account_id, intent.intent_id)
            raise Conflict("payment.changed", "The payment was cancelled meanwhile: reload the page.")

    async def confirm(self, intent: ProviderPayment, request: PaymentRequest) -> PaymentProgress:
        """Confirm the payment and settle the result; an unknown one is left to the checks."""
        attempt = self._attempt
        try:
            payment = await self._context.processor.confirm_payment(
                attempt.account_id,
                intent.intent_id,
                attempt_id=attempt.attempt_id,
                confirmation_token=request.confirmation_token,
                return_url=request.return_url,
            )
        except Unavailable:
            return describe_progress(attempt, None)
        except Denied:
            await mark_unreachable(self._context, attempt)
            raise
        except (Conflict, Invalid) as error:
            await self._cancel(attempt, error)
            raise
        return await _apply_result(self._context, attempt, payment)

    async def _cancel(self, attempt: Attempt, error: PortalError) -> None:
        """Cancel what the provider refused to confirm; if that fails, a check does it later."""
        async with self._context.scope():
            await lock_invoice(attempt.invoice_id)
            found = await lock_attempt(attempt.attempt_id)
            if found.state is AttemptState.CONFIRMING:
                failure = None if isinstance(error, Conflict) else PaymentFailure(error.code)
                await move_attempt(
                    found,
                    AttemptState.OPEN,
                    failure=failure,
                    clock=self._context.clock,
                    timings=self._context.timings,
                )
        try:
            await cancel_attempt(self._context, attempt)
        except (Unavailable, Denied):
            return

    async def _end_reserved(self, error: PortalError) -> None:
        is_refused = isinstance(error, Invalid)
        async with self._context.scope():
            await lock_invoice(self._attempt.invoice_id)
            found = await lock_attempt(self._attempt.attempt_id)
            if found.state is AttemptState.RESERVED:
                await move_attempt(
                    found,
                    AttemptState.FAILED if is_refused else AttemptState.CANCELED,
                    failure=PaymentFailure(error.code) if is_refused else None,
                    clock=self._context.clock,
                    timings=self._context.timings,
                )
