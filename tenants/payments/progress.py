"""How far a payment is, in the words of its payer's page."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from tenants.payments.processor import ProviderPayment
from tenants.payments.states import AttemptState
from tenants.payments.values import Attempt, PaymentProgress, ProgressState

_STATES: Final = MappingProxyType(
    {
        AttemptState.RESERVED: ProgressState.UNKNOWN,
        AttemptState.OPEN: ProgressState.UNKNOWN,
        AttemptState.CONFIRMING: ProgressState.UNKNOWN,
        AttemptState.REQUIRES_ACTION: ProgressState.REQUIRES_ACTION,
        AttemptState.PROCESSING: ProgressState.PROCESSING,
        AttemptState.SUCCEEDED: ProgressState.SUCCEEDED,
        AttemptState.FAILED: ProgressState.DECLINED,
        AttemptState.CANCELED: ProgressState.CANCELED,
    }
)


def describe_progress(attempt: Attempt, payment: ProviderPayment | None) -> PaymentProgress:
    """Return how far an attempt is; without the provider's picture an action that is required cannot be taken."""
    is_declined = attempt.state is AttemptState.OPEN and attempt.failure is not None
    state = ProgressState.DECLINED if is_declined else _STATES[attempt.state]
    needs_secret = state is ProgressState.REQUIRES_ACTION and payment is not None
    return PaymentProgress(
        attempt_id=attempt.attempt_id,
        state=state,
        amount=attempt.amount,
        intent_id=attempt.intent_id or "",
        client_secret=payment.client_secret if needs_secret and payment is not None else "",
        failure=attempt.failure if state is ProgressState.DECLINED else None,
    )
