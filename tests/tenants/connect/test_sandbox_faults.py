"""Faults between us and Stripe: no request is carried out twice, and what is known afterwards is the truth."""

from __future__ import annotations

import pytest

from kernel.errors import Unavailable
from ops.sandbox.stripe.faults import Fault, FaultKind
from tenants.payments.processor import ProviderStatus
from tests.fakes.sandbox_payments import Stage

REPEATED = (
    FaultKind.RATE_LIMIT,
    FaultKind.LOCK_TIMEOUT,
    FaultKind.ERROR_BEFORE,
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
)
CREATE, CONFIRM, REFUND = "POST /v1/payment_intents", "POST /v1/payment_intents/*/confirm", "POST /v1/refunds"


@pytest.mark.parametrize("kind", REPEATED)
@pytest.mark.parametrize("match", [CREATE, CONFIRM])
async def test_a_payment_is_made_once_through_any_fault_that_passes(
    stage: Stage, kind: FaultKind, match: str
) -> None:
    stage.sandbox.control.add_fault(Fault(kind, match))
    paid = await stage.pay()
    assert paid.status is ProviderStatus.SUCCEEDED
    books = stage.sandbox.books.read(stage.account_id)
    assert {intent_id: sums.charged for intent_id, sums in books.items()} == {paid.intent_id: 1234}


@pytest.mark.parametrize("kind", REPEATED)
async def test_a_refund_is_made_once_through_any_fault_that_passes(stage: Stage, kind: FaultKind) -> None:
    paid = await stage.pay()
    stage.sandbox.control.add_fault(Fault(kind, REFUND))
    await stage.refund(paid, "2.00")
    assert stage.sandbox.books.read(stage.account_id)[paid.intent_id].refunded == 200


@pytest.mark.parametrize("kind", [FaultKind.ERROR_STORED, FaultKind.ERROR_AFTER])
async def test_an_error_that_stripe_replays_is_unknown_until_the_payment_is_read(
    stage: Stage, kind: FaultKind
) -> None:
    payment = await stage.create()
    stage.sandbox.control.add_fault(Fault(kind, CONFIRM))
    token = stage.type_card()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await stage.confirm(payment, token=token)
    known = await stage.load(payment)
    is_done = kind is FaultKind.ERROR_AFTER
    assert known.status is (ProviderStatus.SUCCEEDED if is_done else ProviderStatus.UNCONFIRMED)
    assert (known.charge is not None) is is_done
