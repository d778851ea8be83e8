"""Charges: how the money of an intent moves, or does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ops.sandbox.stripe.accounts import EventSink
from ops.sandbox.stripe.bodies import write_charge, write_intent, write_method
from ops.sandbox.stripe.methods import DisputeKind, describe
from ops.sandbox.stripe.store import (
    Account,
    Charge,
    Intent,
    IntentStatus,
    Method,
    MovementKind,
    Store,
    new_id,
)


class Charges:
    """The bank's side of a payment."""

    def __init__(
        self, store: Store, events: EventSink, *, dispute: Callable[[Account, Charge, DisputeKind], object]
    ) -> None:
        self._store = store
        self._events = events
        self._dispute = dispute

    def attempt(self, account: Account, intent: Intent, method: Method) -> None:
        """Try to move the money of an intent."""
        test = method.test
        charge = Charge(
            id=new_id("py" if test.type != "card" else "ch"),
            created=self._store.read_time(),
            intent=intent.id,
            amount=intent.amount,
            currency=intent.currency,
            status="pending",
            method=method,
            description=intent.description,
            fee=intent.fee,
            metadata=dict(intent.metadata),
        )
        account.charges[charge.id] = charge
        intent.latest_charge = charge.id
        if test.code:
            self.decline(account, intent, test.code, test.decline_code)
        elif test.is_delayed:
            self._events.emit_snapshot("charge.pending", account.account_id, write_charge(charge))
            self.set_status(account, intent, IntentStatus.PROCESSING)
        else:
            self.move_money(account, intent, charge)
            if test.dispute is not None:
                self._dispute(account, charge, test.dispute)

    def move_money(self, account: Account, intent: Intent, charge: Charge) -> None:
        """Let a charge succeed: its amount is on the account's balance."""
        charge.status = "succeeded"
        movement = self._store.record(
            account,
            MovementKind.CHARGE,
            charge.id,
            intent=intent.id,
            amount=charge.amount,
            currency=charge.currency,
            fee=charge.amount * 15 // 1000,
        )
        charge.balance_transaction = movement.id
        intent.error = None
        self._events.emit_snapshot("charge.succeeded", account.account_id, write_charge(charge))
        self.set_status(account, intent, IntentStatus.SUCCEEDED)

    def decline(self, account: Account, intent: Intent, code: str, decline_code: str = "") -> None:
        """Let the payment fail; the intent keeps the error, and takes another method."""
        charge = account.charges.get(intent.latest_charge)
        is_card = intent.method is not None and intent.method.test.type == "card"
        is_declined = is_card and code != "payment_intent_authentication_failure"
        error: dict[str, Any] = {
            "code": code,
            "message": describe(code, decline_code),
            "type": "card_error" if is_declined else "invalid_request_error",
        }
        if decline_code:
            error["decline_code"] = decline_code
        if charge is not None and charge.status == "pending":
            error["charge"] = charge.id
            charge.status, charge.error = "failed", dict(error)
            self._events.emit_snapshot("charge.failed", account.account_id, write_charge(charge))
        if intent.method is not None:
            error["payment_method"] = write_method(intent.method)
            error["payment_method_type"] = intent.method.test.type
        intent.error, intent.method = error, None
        intent.status = IntentStatus.REQUIRES_PAYMENT_METHOD
        self.emit(account, intent, "payment_failed")

    def set_status(self, account: Account, intent: Intent, status: IntentStatus) -> None:
        """Change the status of an intent, and say so."""
        intent.status = status
        self.emit(account, intent, status.value)

    def emit(self, account: Account, intent: Intent, change: str) -> None:
        """Say what happened to an intent."""
        body = write_intent(intent, account_id=account.account_id)
        self._events.emit_snapshot(f"payment_intent.{change}", account.account_id, body)
