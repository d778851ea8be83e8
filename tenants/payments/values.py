"""What payments are asked for, and what reads and actions of them return."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum

from kernel.money import Money
from tenants.ids import AttemptId, InvoiceId, LedgerEntryId, RefundId
from tenants.payments.processor import PaymentFailure
from tenants.payments.states import ACTIVE, AttemptState


class EntryKind(StrEnum):
    """What moved money; stored."""

    CHARGE = "charge"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    DISPUTE_WITHDRAWN = "dispute_withdrawn"
    DISPUTE_REINSTATED = "dispute_reinstated"
    MANUAL = "manual"
    CREDIT = "credit"


class RefundState(StrEnum):
    """The state of a refund that the workspace asked for; stored."""

    REQUESTED = "requested"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    REFUSED = "refused"
    """The provider did not take it."""


class Settlement(StrEnum):
    """What a picture of a payment at the provider changed."""

    NOT_OURS = "not_ours"
    """No attempt of the workspace has this intent and account: nothing was booked."""
    UNCHANGED = "unchanged"
    APPLIED = "applied"
    LATE = "late"
    """Money came after the attempt was given up, or for a void invoice: it is booked and flagged."""


class ProgressState(StrEnum):
    """How far a payment is, as the page of its payer shows it."""

    SUCCEEDED = "succeeded"
    PROCESSING = "processing"
    UNKNOWN = "unknown"
    """It was sent, and its result is not known yet: shown as being processed."""
    REQUIRES_ACTION = "requires_action"
    DECLINED = "declined"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What the payer's page sends. `nonce` is of the click: the same one again makes no second payment.

    `version` is the invoice's that the payer has seen. `take_over` cancels other payments that are under way first.
    """

    amount: Money
    version: int
    nonce: str
    confirmation_token: str = field(repr=False)
    return_url: str
    take_over: bool = False


@dataclass(frozen=True, slots=True)
class PaymentProgress:
    """How far a payment is. `client_secret` is for the payer's browser alone, where an action is required."""

    attempt_id: AttemptId
    state: ProgressState
    amount: Money
    intent_id: str = ""
    client_secret: str = field(default="", repr=False)
    failure: PaymentFailure | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to pay as it is stored."""

    attempt_id: AttemptId
    invoice_id: InvoiceId
    account_id: str
    intent_id: str | None
    amount: Money
    state: AttemptState
    method_type: str
    failure: PaymentFailure | None
    is_redirect: bool
    is_late: bool
    is_unreachable: bool
    payer_kind: str
    payer_id: str
    payer_name: str
    created_at: dt.datetime
    age: dt.timedelta
    """By the database's clock, as the next."""
    expires_in: dt.timedelta | None
    """Zero or below once it has expired; None if it never does."""
    checks: int
    """The number of its latest check."""

    @property
    def is_active(self) -> bool:
        """Whether its amount is held."""
        return self.state in ACTIVE

    @property
    def is_to_be_cancelled(self) -> bool:
        """Whether it has expired, or was declined and is still open at the provider."""
        is_expired = self.expires_in is not None and self.expires_in <= dt.timedelta(0)
        is_declined = self.state is AttemptState.OPEN and self.failure is not None
        return self.is_active and (is_expired or is_declined)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the ledger; what came in is positive."""

    entry_id: LedgerEntryId
    invoice_id: InvoiceId
    kind: EntryKind
    source_id: str
    amount: Money
    attempt_id: AttemptId | None
    reference: str
    occurred_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund that the workspace asked for."""

    refund_id: RefundId
    invoice_id: InvoiceId
    attempt_id: AttemptId
    amount: Money
    state: RefundState
    source_id: str | None
    failure: str
    created_at: dt.datetime
