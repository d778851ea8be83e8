"""The gate before a payment: whether a card payment is offered, of which amounts, and else why not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kernel.money import Money
from tenants.ids import AttemptId
from tenants.invoices.status import InvoiceStatus, compute_amount_due
from tenants.payments.amounts import AllowedAmounts, AmountLimits, find_allowed_amounts
from tenants.payments.processor import PaymentAccount
from tenants.payments.states import IN_HAND
from tenants.payments.values import Attempt

#: The capability of an account is not believed any longer after it was read.
MAX_ACCOUNT_AGE: Final = dt.timedelta(days=2)


class Blocker(StrEnum):
    """Why no card payment is offered, in the order in which it is looked for."""

    NOT_CONNECTED = "not_connected"
    DISCONNECTED = "disconnected"
    CARDS_INACTIVE = "cards_inactive"
    ACCOUNT_UNVERIFIED = "account_unverified"
    """The capability was read too long ago."""
    OTHER_MODE = "other_mode"
    """Key, account and workspace are not all live, or not all for tests."""
    NOT_PAYABLE = "not_payable"
    """The invoice is no issued one, or is disputed."""
    NOTHING_DUE = "nothing_due"
    CURRENCY = "currency"
    BELOW_MINIMUM = "below_minimum"
    """Only a bank transfer can pay what is due."""
    UNDER_WAY = "under_way"
    """Others are paying all that a payment could have."""


@dataclass(frozen=True, slots=True)
class PaymentPolicy:
    """What the workspace has decided about payments."""

    is_live: bool
    takes_parts: bool


@dataclass(frozen=True, slots=True)
class PayableInvoice:
    """What the gate looks at of an invoice."""

    status: InvoiceStatus
    total: Money
    paid: Money
    held: Money
    is_disputed: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate looks at of the processor: the key's mode, the workspace's account, the limits of the currency."""

    is_live: bool
    account: PaymentAccount | None
    limits: AmountLimits | None


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A payment that is under way: whose, and since when."""

    attempt_id: AttemptId
    payer_kind: str
    payer_id: str
    payer_name: str
    since: dt.datetime
    amount: Money
    is_in_hand: bool
    """Whether money may be moving, so that nobody can take over."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Whether a card payment can be made now, and of which amounts; `free` is neither paid nor held."""

    blocker: Blocker | None
    free: Money
    amounts: AllowedAmounts | None
    under_way: tuple[UnderWay, ...]

    @property
    def can_take_over(self) -> bool:
        """Whether cancelling what others began would let a payment begin."""
        return self.blocker is Blocker.UNDER_WAY and not all(each.is_in_hand for each in self.under_way)


def make_offer(
    invoice: PayableInvoice,
    gate: Gate,
    policy: PaymentPolicy,
    attempts: Sequence[Attempt],
    *,
    now: dt.datetime,
) -> Offer:
    """Return what may be paid by card now; `attempts` are those that are under way."""
    due = compute_amount_due(invoice.total, invoice.paid)
    free = max(due - invoice.held, Money.zero(due.currency))
    under_way = tuple(_describe(attempt) for attempt in attempts)
    blocker = _find_blocker_of_account(gate, policy, now) or _find_blocker_of_invoice(invoice, gate, due)
    if blocker is not None or gate.limits is None:
        return Offer(blocker or Blocker.CURRENCY, free, None, under_way)
    amounts = find_allowed_amounts(free, gate.limits, takes_parts=policy.takes_parts)
    if amounts is None:
        return Offer(Blocker.UNDER_WAY if invoice.held else Blocker.BELOW_MINIMUM, free, None, under_way)
    return Offer(None, free, amounts, under_way)


def _find_blocker_of_account(gate: Gate, policy: PaymentPolicy, now: dt.datetime) -> Blocker | None:
    account = gate.account
    if account is None:
        return Blocker.NOT_CONNECTED
    if not account.is_active:
        return Blocker.DISCONNECTED
    if not account.takes_cards:
        return Blocker.CARDS_INACTIVE
    if now - account.checked_at > MAX_ACCOUNT_AGE:
        return Blocker.ACCOUNT_UNVERIFIED
    if not gate.is_live == account.is_live == policy.is_live:
        return Blocker.OTHER_MODE
    return None


def _find_blocker_of_invoice(invoice: PayableInvoice, gate: Gate, due: Money) -> Blocker | None:
    if invoice.status is not InvoiceStatus.ISSUED or invoice.is_disputed:
        return Blocker.NOT_PAYABLE
    if not due:
        return Blocker.NOTHING_DUE
    if gate.limits is None:
        return Blocker.CURRENCY
    if due < gate.limits.minimum:
        return Blocker.BELOW_MINIMUM
    return None


def _describe(attempt: Attempt) -> UnderWay:
    return UnderWay(
        attempt_id=attempt.attempt_id,
        payer_kind=attempt.payer_kind,
        payer_id=attempt.payer_id,
        payer_name=attempt.payer_name,
        since=attempt.created_at,
        amount=attempt.amount,
        is_in_hand=attempt.state in IN_HAND,
    )
