"""The port to the payment processor: what it is asked, and its full picture of one payment.

All amounts are Money in ISO 4217 minor units; the adapter converts. Each call is one request over the network and must
not run inside a unit of work, except `find_account` and `find_limits`, which send none.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from kernel.money import Currency, Money
from tenants.ids import AttemptId, InvoiceId, RefundId
from tenants.payments.amounts import AmountLimits

if TYPE_CHECKING:
    from kernel.ids import WorkspaceId


class ProviderStatus(StrEnum):
    """The state of a payment at the provider."""

    UNCONFIRMED = "unconfirmed"
    """Nobody has confirmed it yet, or the last try was declined: it may be confirmed or cancelled."""
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class RefundStatus(StrEnum):
    """The state of a refund at the provider."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class DisputeStatus(StrEnum):
    """The state of a dispute; an inquiry moves no money."""

    INQUIRY = "inquiry"
    OPEN = "open"
    WON = "won"
    LOST = "lost"
    CLOSED = "closed"
    """An inquiry that ended without a dispute."""


@dataclass(frozen=True, slots=True)
class PaymentAccount:
    """The account that a workspace is paid to, as it was last read at the provider."""

    account_id: str
    is_live: bool
    is_active: bool
    """False when it was disconnected or its access revoked."""
    takes_cards: bool
    """Whether its capability to take card payments is active."""
    checked_at: dt.datetime
    """When the capability was last read."""
    application_fee_bp: int = 0
    """What the platform takes of each payment, in hundredths of a percent; a new payment carries it on."""


@dataclass(frozen=True, slots=True)
class Charge:
    """Money that was captured."""

    source_id: str
    amount: Money
    occurred_at: dt.datetime


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """A refund, ours or made in the provider's own dashboard."""

    source_id: str
    amount: Money
    status: RefundStatus
    occurred_at: dt.datetime
    refund_id: RefundId | None
    """Ours, from the metadata: a hint, to be checked against the row."""
    failure: str = ""
    """The provider's code, when it failed."""


@dataclass(frozen=True, slots=True)
class DisputeMovement:
    """Money that a dispute withdrew (negative) or reinstated (positive)."""

    source_id: str
    amount: Money
    occurred_at: dt.datetime


@dataclass(frozen=True, slots=True)
class ProviderDispute:
    """A dispute or inquiry about a charge."""

    source_id: str
    amount: Money
    status: DisputeStatus
    reason: str
    opened_at: dt.datetime
    evidence_due_at: dt.datetime | None
    movements: tuple[DisputeMovement, ...]


@dataclass(frozen=True, slots=True)
class PaymentFailure:
    """Why a payment failed: stable codes of the provider, never its text."""

    code: str
    decline_code: str = ""


@dataclass(frozen=True, slots=True)
class ProviderPayment:
    """The whole truth about one payment at the provider. Everything that was ever moved is in it."""

    intent_id: str
    status: ProviderStatus
    amount: Money
    is_live: bool
    created_at: dt.datetime
    attempt_id: AttemptId | None
    """From the metadata: a hint, to be checked against the row."""
    client_secret: str = field(default="", repr=False)
    """For the browser alone; never stored or logged."""
    method_type: str = ""
    """Such as card, sepa_debit, ideal; empty before a method was chosen."""
    is_redirect: bool = False
    """Whether the pending action leads to a bank's page."""
    failure: PaymentFailure | None = None
    charge: Charge | None = None
    refunds: tuple[ProviderRefund, ...] = ()
    disputes: tuple[ProviderDispute, ...] = ()


@dataclass(frozen=True, slots=True)
class NewPayment:
    """A payment to create. The attempt's id is the idempotency key."""

    attempt_id: AttemptId
    workspace_id: WorkspaceId
    invoice_id: InvoiceId
    invoice_number: str
    amount: Money
    application_fee_bp: int = 0
    """As the account has it."""


class PaymentProcessor(Protocol):
    """Takes payments to the accounts of workspaces.

    All methods that send a request raise Unavailable("payment.provider_unavailable") when the outcome is unknown or the
    provider refused for a moment (time-out, 5xx, 429 after the retries), Denied("payment.account_revoked") when we have
    no access to the account any more, and Missing("payment.not_at_provider").
    """

    @property
    def is_live(self) -> bool:
        """Whether the key moves real money."""
        ...

    def find_limits(self, currency: Currency) -> AmountLimits | None:
        """Return what a payment in a currency may amount to; None for a currency that is not charged."""
        ...

    async def find_account(self) -> PaymentAccount | None:
        """Return the account of the bound workspace, from the database; None when none is connected."""
        ...

    async def create_payment(self, account_id: str, payment: NewPayment) -> ProviderPayment:
        """Create an unconfirmed payment, or return the one that an earlier call created.

        Invalid (`payment.amount_too_small`, `payment.refused`).
        """
        ...

    async def confirm_payment(
        self,
        account_id: str,
        intent_id: str,
        *,
        attempt_id: AttemptId,
        confirmation_token: str,
        return_url: str,
    ) -> ProviderPayment:
        """Confirm with what the browser has collected; a decline is a result with `failure`, not an error.

        Conflict("payment.changed") when it was cancelled meanwhile, Invalid("payment.refused").
        """
        ...

    async def load_payment(self, account_id: str, intent_id: str) -> ProviderPayment:
        """Read a payment with its charge, all refunds, and all disputes with their movements."""
        ...

    async def cancel_payment(self, account_id: str, intent_id: str) -> ProviderPayment:
        """Cancel a payment; returns what it is afterwards, also when it could not be cancelled any more."""
        ...

    async def create_refund(
        self, account_id: str, intent_id: str, *, refund_id: RefundId, amount: Money
    ) -> ProviderRefund:
        """Give back a part of a payment, or return the refund that an earlier call made.

        Conflict("payment.refund_too_large") when less is left of the charge at the provider.
        """
        ...
