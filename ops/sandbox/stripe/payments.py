"""What the pages of the sandbox ask of its payments: implements `payments_port`."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ops.sandbox.stripe.bodies import write_intent, write_token
from ops.sandbox.stripe.intents import Intents
from ops.sandbox.stripe.methods import find_method
from ops.sandbox.stripe.payments_port import BankRow
from ops.sandbox.stripe.refunds import Refunds
from ops.sandbox.stripe.store import Account, Intent, Store, refuse_missing


class Payments:
    """Payments, as a browser, the bank and Stripe's dashboard may use and move them."""

    def __init__(self, store: Store, intents: Intents, refunds: Refunds) -> None:
        self._store = store
        self._intents = intents
        self._refunds = refunds
        self.base_url = ""

    def create_page_token(
        self, account_id: str, *, method: str, number: str, return_url: str
    ) -> dict[str, Any]:
        """Make a confirmation token of what was typed: a card's number, or an IBAN. Returns its JSON."""
        test = find_method(number if method in {"card", "sepa_debit"} else method)
        token = self._intents.create_token(self._store.open(account_id), test, return_url=return_url)
        return write_token(token)

    def read_by_secret(self, account_id: str, intent_id: str, client_secret: str) -> dict[str, Any]:
        """Return the JSON of a payment intent."""
        account, intent = self._find(account_id, intent_id, client_secret)
        return write_intent(intent, self.base_url, account.account_id)

    def confirm_by_secret(
        self, account_id: str, intent_id: str, client_secret: str, *, confirmation_token: str, return_url: str
    ) -> dict[str, Any]:
        """Confirm a payment intent from the browser, and return its JSON."""
        account, intent = self._find(account_id, intent_id, client_secret)
        given = {"confirmation_token": confirmation_token, "return_url": return_url}
        self._intents.confirm(account, intent, given)
        return write_intent(intent, self.base_url, account.account_id)

    def finish_action(self, account_id: str, intent_id: str, *, is_approved: bool) -> None:
        """Let the payer approve or refuse what the bank asked."""
        account = self._store.open(account_id)
        self._intents.finish_action(account, account.find_intent(intent_id), is_approved=is_approved)

    def list_bank_rows(self) -> Sequence[BankRow]:
        """Return all payment intents, the newest first."""
        rows = [
            _make_row(account, intent)
            for account in self._store.accounts.values()
            for intent in account.intents.values()
        ]
        return sorted(rows, key=lambda row: row.created_at, reverse=True)

    def settle(self, intent_id: str) -> None:
        """Let a payment that is processing, or that waits for the payer, succeed."""
        self._intents.settle(*self._store.find_intent(intent_id))

    def fail(self, intent_id: str) -> None:
        """Let it fail."""
        self._intents.fail(*self._store.find_intent(intent_id))

    def refund(self, charge_id: str, amount: int | None = None) -> str:
        """Give money back in Stripe's dashboard, and return the refund's id; all that is left by default."""
        account, charge = self._store.find_charge(charge_id)
        wanted = {"charge": charge.id} | ({} if amount is None else {"amount": amount})
        return self._refunds.create(account, wanted).id

    def settle_refund(self, refund_id: str) -> None:
        """Let a refund that is pending reach the payer."""
        self._move_refund(refund_id, is_failed=False)

    def fail_refund(self, refund_id: str) -> None:
        """Let the payer's bank send a refund back."""
        self._move_refund(refund_id, is_failed=True)

    def _move_refund(self, refund_id: str, *, is_failed: bool) -> None:
        for account in self._store.accounts.values():
            if refund_id in account.refunds:
                move = self._refunds.fail if is_failed else self._refunds.settle
                move(account, account.refunds[refund_id])
                return
        raise refuse_missing("refund", refund_id, param="id")

    def _find(self, account_id: str, intent_id: str, client_secret: str) -> tuple[Account, Intent]:
        account = self._store.open(account_id)
        intent = account.find_intent(intent_id)
        if not secrets.compare_digest(intent.client_secret.encode(), client_secret.encode()):
            raise refuse_missing("payment_intent", intent_id, param="intent")
        return account, intent


def _make_row(account: Account, intent: Intent) -> BankRow:
    charge = account.charges.get(intent.latest_charge)
    dispute = next((one for one in account.disputes.values() if charge and one.charge == charge.id), None)
    method = charge.method if charge else intent.method
    return BankRow(
        account_id=account.account_id,
        intent_id=intent.id,
        created_at=datetime.fromtimestamp(intent.created, UTC),
        amount=intent.amount,
        currency=intent.currency,
        status=intent.status.value,
        description=intent.description,
        method=method.test.type if method else "",
        charge_id=charge.id if charge and charge.status == "succeeded" else "",
        refunded=charge.amount_refunded if charge else 0,
        dispute_id=dispute.id if dispute else "",
        dispute_status=str(dispute.status) if dispute else "",
    )
