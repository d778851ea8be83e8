"""Stripe's objects as values of the port. What this release does not know is refused, never guessed."""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from kernel.errors import Invalid
from tenants.connect.currencies import from_stripe_units
from tenants.ids import AttemptId, RefundId
from tenants.payments.processor import (
    Charge,
    DisputeMovement,
    DisputeStatus,
    PaymentFailure,
    ProviderDispute,
    ProviderPayment,
    ProviderRefund,
    ProviderStatus,
    RefundStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import stripe

#: The keys of our ids in the metadata of Stripe's objects.
ATTEMPT_KEY: Final = "attempt_id"
REFUND_KEY: Final = "refund_id"

_T = TypeVar("_T")

_STATUSES: Final[Mapping[str, ProviderStatus]] = MappingProxyType(
    {
        "requires_payment_method": ProviderStatus.UNCONFIRMED,
        "requires_confirmation": ProviderStatus.UNCONFIRMED,
        "requires_action": ProviderStatus.REQUIRES_ACTION,
        "processing": ProviderStatus.PROCESSING,
        "succeeded": ProviderStatus.SUCCEEDED,
        "canceled": ProviderStatus.CANCELED,
    }
)
_REFUND_STATUSES: Final[Mapping[str, RefundStatus]] = MappingProxyType(
    {each.value: each for each in RefundStatus}
)
_DISPUTE_STATUSES: Final[Mapping[str, DisputeStatus]] = MappingProxyType(
    {
        "warning_needs_response": DisputeStatus.INQUIRY,
        "warning_under_review": DisputeStatus.INQUIRY,
        "warning_closed": DisputeStatus.CLOSED,
        "needs_response": DisputeStatus.OPEN,
        "under_review": DisputeStatus.OPEN,
        "appeal_needs_response": DisputeStatus.OPEN,
        "appeal_under_review": DisputeStatus.OPEN,
        "won": DisputeStatus.WON,
        "lost": DisputeStatus.LOST,
        # Refunded before the bank withdrew anything.
        "prevented": DisputeStatus.CLOSED,
    }
)


def read_payment(
    intent: stripe.PaymentIntent,
    *,
    refunds: Sequence[stripe.Refund] = (),
    disputes: Sequence[stripe.Dispute] = (),
) -> ProviderPayment:
    """Return a payment intent, with its charge if that is expanded.

    Invalid("payment.unknown_value") for a value that this release does not know, and as `from_stripe_units` does.
    """
    charge = intent.latest_charge
    method_type = _find_method_type(intent)
    return ProviderPayment(
        intent_id=intent.id,
        status=_read_value(_STATUSES, "payment_intent.status", intent.status),
        amount=from_stripe_units(intent.amount, intent.currency),
        is_live=intent.livemode,
        created_at=_read_time(intent.created),
        attempt_id=_read_id(intent.metadata, ATTEMPT_KEY, AttemptId),
        client_secret=intent.client_secret or "",
        method_type=method_type,
        is_redirect=_is_redirect(intent, method_type),
        failure=_read_failure(intent),
        charge=None if charge is None or isinstance(charge, str) else _read_charge(charge),
        refunds=tuple(read_refund(refund) for refund in refunds),
        disputes=tuple(_read_dispute(dispute) for dispute in disputes),
    )


def read_refund(refund: stripe.Refund) -> ProviderRefund:
    """Return a refund; Invalid as `read_payment` raises it."""
    return ProviderRefund(
        source_id=refund.id,
        amount=from_stripe_units(refund.amount, refund.currency),
        status=_read_value(_REFUND_STATUSES, "refund.status", refund.status),
        occurred_at=_read_time(refund.created),
        refund_id=_read_id(refund.metadata, REFUND_KEY, RefundId),
        failure=getattr(refund, "failure_reason", None) or "",
    )


def _read_charge(charge: stripe.Charge) -> Charge | None:
    """Return the money that was captured; None for a charge that failed, or of which a bank has yet to decide."""
    if charge.status != "succeeded" or not charge.captured:
        return None
    return Charge(
        source_id=charge.id,
        amount=from_stripe_units(charge.amount_captured, charge.currency),
        occurred_at=_read_time(charge.created),
    )


def _read_dispute(dispute: stripe.Dispute) -> ProviderDispute:
    due_by = getattr(dispute.evidence_details, "due_by", None)
    return ProviderDispute(
        source_id=dispute.id,
        amount=from_stripe_units(dispute.amount, dispute.currency),
        status=_read_value(_DISPUTE_STATUSES, "dispute.status", dispute.status),
        reason=dispute.reason,
        opened_at=_read_time(dispute.created),
        evidence_due_at=None if due_by is None else _read_time(due_by),
        # One of a fee alone moves nothing of the payment.
        movements=tuple(
            _read_movement(dispute, entry) for entry in dispute.balance_transactions if entry.amount
        ),
    )


def _read_movement(dispute: stripe.Dispute, entry: stripe.BalanceTransaction) -> DisputeMovement:
    """Return a movement in the currency of the payment, without the dispute's fee.

    Balance transactions are in the currency that the account settles in. Where that is another one, the movement is the
    disputed amount, by the sign of the transaction.
    """
    if entry.currency == dispute.currency:
        amount = from_stripe_units(entry.amount, entry.currency)
    else:
        amount = from_stripe_units(dispute.amount, dispute.currency)
        amount = -amount if entry.amount < 0 else amount
    return DisputeMovement(source_id=entry.id, amount=amount, occurred_at=_read_time(entry.created))


def _read_failure(intent: stripe.PaymentIntent) -> PaymentFailure | None:
    error = intent.last_payment_error
    if error is None:
        return None
    return PaymentFailure(
        code=str(getattr(error, "code", None) or "unknown"),
        decline_code=str(getattr(error, "decline_code", None) or ""),
    )


def _find_method_type(intent: stripe.PaymentIntent) -> str:
    charge, method = intent.latest_charge, intent.payment_method
    if charge is not None and not isinstance(charge, str) and charge.payment_method_details is not None:
        return charge.payment_method_details.type
    if method is not None and not isinstance(method, str):
        return method.type
    return ""


def _is_redirect(intent: stripe.PaymentIntent, method_type: str) -> bool:
    action = intent.next_action
    return action is not None and "redirect" in action.type and method_type != "card"


def _read_value(known: Mapping[str, _T], field: str, value: str | None) -> _T:
    found = known.get(value or "")
    if found is None:
        message = f"Stripe's {field} has a value that this release does not know."
        raise Invalid("payment.unknown_value", message, field=field, value=str(value)[:60])
    return found


def _read_id(metadata: Any, key: str, make: Callable[[UUID], _T]) -> _T | None:
    """Return our id in the metadata of an object; None if it is missing or no id: anybody may write there."""
    text = metadata[key] if metadata is not None and key in metadata else ""
    try:
        return make(UUID(text))
    except (ValueError, AttributeError, TypeError):
        return None


def _read_time(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
