"""What the sandbox knows of payments: everything belongs to one account, and no account sees another's."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from ops.sandbox.stripe.dispute_values import Dispute
from ops.sandbox.stripe.methods import TestMethod
from ops.sandbox.stripe.refusals import ApiRefusal, refuse_v1


class IntentStatus(StrEnum):
    """The states of a payment intent that this sandbox knows (there is no manual capture)."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class MovementKind(StrEnum):
    """Why money moved on the balance of an account."""

    CHARGE = "charge"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    DISPUTE_WITHDRAWN = "dispute_withdrawn"
    DISPUTE_REINSTATED = "dispute_reinstated"


class Stored(Protocol):
    """Anything that can be listed: it has an id and the time it was made."""

    id: str
    created: int


@dataclass(slots=True)
class Method:
    """A payment method: what was typed, and how it behaves."""

    id: str
    created: int
    test: TestMethod


@dataclass(slots=True)
class Token:
    """A confirmation token: what the browser collected."""

    id: str
    created: int
    test: TestMethod
    return_url: str
    payment_intent: str = ""
    """The intent that it confirmed; empty as long as it is not used."""


@dataclass(slots=True)
class Intent:
    """A payment intent."""

    id: str
    created: int
    client_secret: str
    amount: int
    currency: str
    status: IntentStatus
    metadata: dict[str, str]
    description: str
    fee: int
    """The application fee; 0 for none."""
    automatic: bool
    redirects: bool
    """Whether methods that lead the payer to another site are allowed."""
    types: tuple[str, ...] = ("card",)
    method: Method | None = None
    return_url: str = ""
    uses_script: bool = False
    """Whether Stripe.js asks the payer, in place of a page that the payer is led to."""
    error: dict[str, Any] | None = None
    latest_charge: str = ""
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    receipt_email: str | None = None


@dataclass(slots=True)
class Charge:
    """An attempt to move the money of an intent."""

    id: str
    created: int
    intent: str
    amount: int
    currency: str
    status: str
    method: Method
    description: str
    fee: int
    metadata: dict[str, str] = field(default_factory=dict)
    amount_refunded: int = 0
    balance_transaction: str = ""
    is_disputed: bool = False
    """Whether there is, or was, a dispute that is more than an inquiry."""
    is_charged_back: bool = False
    """Whether a dispute has taken the money and not given it back."""
    error: dict[str, Any] | None = None


@dataclass(slots=True)
class Refund:
    """Money that goes back to the payer."""

    id: str
    created: int
    charge: str
    intent: str
    amount: int
    currency: str
    status: str
    metadata: dict[str, str]
    reason: str | None = None
    failure_reason: str | None = None
    balance_transaction: str = ""
    failure_balance_transaction: str = ""


@dataclass(frozen=True, slots=True)
class Movement:
    """A movement of money on the balance: a balance transaction."""

    id: str
    created: int
    kind: MovementKind
    source: str
    """The charge, refund or dispute."""
    intent: str
    amount: int
    """Signed, in Stripe's units."""
    currency: str
    fee: int = 0


@dataclass(slots=True)
class Account:
    """What belongs to one account; the key of each table is an id, and new entries come last."""

    account_id: str
    intents: dict[str, Intent] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    movements: dict[str, Movement] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    methods: dict[str, Method] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)

    def find_intent(self, intent_id: str) -> Intent:
        """Return an intent of this account."""
        found = self.intents.get(intent_id)
        if found is None:
            raise refuse_missing("payment_intent", intent_id, param="intent")
        return found

    def find_charge(self, charge_id: str, *, param: str = "charge") -> Charge:
        """Return a charge of this account."""
        found = self.charges.get(charge_id)
        if found is None:
            raise refuse_missing("charge", charge_id, param=param)
        return found


class Store:
    """All accounts, and the ids and times of what is new."""

    def __init__(self, *, read_clock: Callable[[], datetime]) -> None:
        self._read_clock = read_clock
        self.accounts: dict[str, Account] = {}

    def open(self, account_id: str) -> Account:
        """Return what belongs to an account."""
        return self.accounts.setdefault(account_id, Account(account_id))

    def read_time(self) -> int:
        """Return the time, in seconds as v1 has it."""
        return int(self._read_clock().timestamp())

    def find_intent(self, intent_id: str) -> tuple[Account, Intent]:
        """Return an intent and its account, for the control alone: the API knows the account."""
        for account in self.accounts.values():
            if intent_id in account.intents:
                return account, account.intents[intent_id]
        raise refuse_missing("payment_intent", intent_id, param="intent")

    def find_charge(self, charge_id: str) -> tuple[Account, Charge]:
        """Return a charge and its account, for the control alone."""
        for account in self.accounts.values():
            if charge_id in account.charges:
                return account, account.charges[charge_id]
        raise refuse_missing("charge", charge_id, param="charge")

    def record(
        self,
        account: Account,
        kind: MovementKind,
        source: str,
        *,
        intent: str,
        amount: int,
        currency: str,
        fee: int = 0,
    ) -> Movement:
        """Write a movement on the balance of an account."""
        movement = Movement(new_id("txn"), self.read_time(), kind, source, intent, amount, currency, fee)
        account.movements[movement.id] = movement
        return movement


def new_id(prefix: str) -> str:
    """Return a new id in Stripe's form."""
    return f"{prefix}_{secrets.token_hex(12)}"


def refuse_missing(name: str, object_id: str, *, param: str, status: int = 404) -> ApiRefusal:
    """Return the refusal of an id that the account does not have."""
    return refuse_v1(status, "resource_missing", f"No such {name}: '{object_id}'", param=param)
