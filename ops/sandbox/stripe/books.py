"""The truth about money at the sandbox, to compare a ledger with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ops.sandbox.stripe.store import Movement, MovementKind, Store


@dataclass(frozen=True, slots=True)
class IntentBooks:
    """What moved for one payment intent, in Stripe's units; all sums are positive."""

    currency: str
    charged: int = 0
    refunded: int = 0
    """All refunds, also those that failed later."""
    refund_failed: int = 0
    withdrawn: int = 0
    reinstated: int = 0

    @property
    def taken_by_disputes(self) -> int:
        """What disputes hold or have taken."""
        return self.withdrawn - self.reinstated

    @property
    def net(self) -> int:
        """What is left of the payment."""
        return self.charged - self.refunded + self.refund_failed - self.taken_by_disputes


class Books:
    """Reads the balances of all accounts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list_movements(self, account_id: str) -> Sequence[Movement]:
        """Return each movement of an account once, the oldest first."""
        return tuple(self._store.open(account_id).movements.values())

    def read(self, account_id: str) -> dict[str, IntentBooks]:
        """Return the sums for each intent of an account that money was moved for."""
        found: dict[str, dict[MovementKind, int]] = {}
        currencies: dict[str, str] = {}
        for movement in self.list_movements(account_id):
            sums = found.setdefault(movement.intent, dict.fromkeys(MovementKind, 0))
            sums[movement.kind] += abs(movement.amount)
            currencies[movement.intent] = movement.currency
        return {
            intent_id: IntentBooks(
                currency=currencies[intent_id],
                charged=sums[MovementKind.CHARGE],
                refunded=sums[MovementKind.REFUND],
                refund_failed=sums[MovementKind.REFUND_FAILED],
                withdrawn=sums[MovementKind.DISPUTE_WITHDRAWN],
                reinstated=sums[MovementKind.DISPUTE_REINSTATED],
            )
            for intent_id, sums in found.items()
        }
