"""Refunds: by the API, or in Stripe's dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.sandbox.stripe.accounts import EventSink
from ops.sandbox.stripe.bodies import write_charge, write_refund
from ops.sandbox.stripe.currencies import check_step, read_positive
from ops.sandbox.stripe.methods import RefundOutcome
from ops.sandbox.stripe.refusals import refuse_v1
from ops.sandbox.stripe.store import (
    Account,
    Charge,
    IntentStatus,
    MovementKind,
    Refund,
    Store,
    new_id,
    refuse_missing,
)


class Refunds:
    """The verbs on refunds."""

    def __init__(self, store: Store, events: EventSink) -> None:
        self._store = store
        self._events = events

    def create(self, account: Account, parameters: Mapping[str, Any]) -> Refund:
        """Refund a charge by the parameters of POST /v1/refunds."""
        charge = _find_charge(account, parameters)
        if charge.is_charged_back:
            message = f"Charge {charge.id} has been charged back; cannot issue a refund."
            raise refuse_v1(400, "charge_disputed", message)
        left = charge.amount - charge.amount_refunded
        if not left:
            message = f"Charge {charge.id} has already been refunded."
            raise refuse_v1(400, "charge_already_refunded", message)
        amount = read_positive(parameters.get("amount", left), "amount")
        if amount > left:
            message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            raise refuse_v1(400, None, message, param="amount")
        check_step(amount, charge.currency)
        return self._open(account, charge, amount, parameters)

    def _open(self, account: Account, charge: Charge, amount: int, parameters: Mapping[str, Any]) -> Refund:
        outcome = charge.method.test.refund
        refund = Refund(
            id=new_id("re"),
            created=self._store.read_time(),
            charge=charge.id,
            intent=charge.intent,
            amount=amount,
            currency=charge.currency,
            status="pending" if outcome is RefundOutcome.PENDING else "succeeded",
            metadata={str(key): str(value) for key, value in (parameters.get("metadata") or {}).items()},
            reason=parameters.get("reason"),
        )
        movement = self._store.record(
            account,
            MovementKind.REFUND,
            refund.id,
            intent=charge.intent,
            amount=-amount,
            currency=charge.currency,
        )
        refund.balance_transaction = movement.id
        account.refunds[refund.id] = refund
        charge.amount_refunded += amount
        body = write_refund(refund)
        self._events.emit_snapshot("refund.created", account.account_id, body)
        self._events.emit_snapshot("charge.refunded", account.account_id, write_charge(charge))
        return refund

    def settle(self, account: Account, refund: Refund) -> None:
        """Let a pending refund reach the payer."""
        if refund.status == "pending":
            refund.status = "succeeded"
            self._emit_change(account, refund)

    def fail(self, account: Account, refund: Refund, *, reason: str = "unknown") -> None:
        """Let the payer's bank send a refund back: its money returns to the balance."""
        if refund.status not in {"pending", "succeeded"}:
            return
        refund.status, refund.failure_reason = "failed", reason
        self._return_money(account, refund)
        self._emit_change(account, refund)
        self._events.emit_snapshot("refund.failed", account.account_id, write_refund(refund))

    def cancel(self, account: Account, refund: Refund) -> Refund:
        """Cancel a refund that is pending."""
        if refund.status != "pending":
            message = f"Refund {refund.id} has status {refund.status}, so it cannot be canceled."
            raise refuse_v1(400, None, message)
        refund.status = "canceled"
        self._return_money(account, refund)
        self._emit_change(account, refund)
        return refund

    def _return_money(self, account: Account, refund: Refund) -> None:
        movement = self._store.record(
            account,
            MovementKind.REFUND_FAILED,
            refund.id,
            intent=refund.intent,
            amount=refund.amount,
            currency=refund.currency,
        )
        refund.failure_balance_transaction = movement.id
        account.charges[refund.charge].amount_refunded -= refund.amount

    def _emit_change(self, account: Account, refund: Refund) -> None:
        body = write_refund(refund)
        self._events.emit_snapshot("refund.updated", account.account_id, body)
        self._events.emit_snapshot("charge.refund.updated", account.account_id, body)


def _find_charge(account: Account, parameters: Mapping[str, Any]) -> Charge:
    if parameters.get("charge"):
        charge = account.find_charge(str(parameters["charge"]))
    elif parameters.get("payment_intent"):
        intent_id = str(parameters["payment_intent"])
        intent = account.intents.get(intent_id)
        if intent is None:
            raise refuse_missing("payment_intent", intent_id, param="payment_intent")
        if intent.status is not IntentStatus.SUCCEEDED:
            message = f"This PaymentIntent ({intent_id}) does not have a successful charge to refund."
            raise refuse_v1(400, None, message)
        charge = account.charges[intent.latest_charge]
    else:
        message = "One of the following params should be provided for this request: payment_intent or charge."
        raise refuse_v1(400, "parameter_missing", message)
    if charge.status != "succeeded":
        message = f"Charge {charge.id} is not succeeded; it cannot be refunded."
        raise refuse_v1(400, "charge_not_refundable", message)
    return charge
