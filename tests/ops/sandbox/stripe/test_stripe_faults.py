"""The faults of the Stripe sandbox, met by the real SDK."""

from typing import Any

import pytest
import stripe

from ops.sandbox.stripe.faults import Fault, FaultKind
from tests.fakes.stripe_payments import RETURN_URL, PaymentStage

CREATE = "POST /v1/payment_intents"
INTENT: Any = {"amount": 5000, "currency": "eur", "automatic_payment_methods": {"enabled": True}}


def _count_intents(stage: PaymentStage) -> int:
    return len(stage.sandbox.store.open(stage.account).intents)


async def _create(stage: PaymentStage, key: str = "att:1:create") -> stripe.PaymentIntent:
    return await stage.client.v1.payment_intents.create_async(INTENT, stage.options(key))


@pytest.mark.parametrize(
    ("kind", "code"), [(FaultKind.RATE_LIMIT, "rate_limit"), (FaultKind.LOCK_TIMEOUT, "lock_timeout")]
)
async def test_a_429_did_nothing_and_the_same_key_may_be_used_again(
    stage: PaymentStage, kind: FaultKind, code: str
) -> None:
    stage.sandbox.control.add_fault(Fault(kind, CREATE))

    with pytest.raises(stripe.RateLimitError) as refusal:
        await _create(stage)

    assert refusal.value.error is not None
    assert (refusal.value.http_status, refusal.value.error.code) == (429, code)
    # What the SDK has as the code of the exception is another matter: the product must not read that.
    assert refusal.value.code is None
    assert _count_intents(stage) == 0
    assert (await _create(stage)).status == "requires_payment_method"


async def test_a_503_did_nothing_and_is_not_remembered(stage: PaymentStage) -> None:
    stage.sandbox.control.add_fault(Fault(FaultKind.ERROR_BEFORE, CREATE))

    with pytest.raises(stripe.APIError) as refusal:
        await _create(stage)

    assert (refusal.value.http_status, _count_intents(stage)) == (503, 0)
    assert (await _create(stage)).amount == 5000


async def test_a_500_is_replayed_for_its_key(stage: PaymentStage) -> None:
    stage.sandbox.control.add_fault(Fault(FaultKind.ERROR_STORED, CREATE))

    statuses, replayed = [], []
    for _ in range(2):
        with pytest.raises(stripe.APIError) as refusal:
            await _create(stage)
        headers: Any = refusal.value.headers
        statuses.append(refusal.value.http_status)
        replayed.append(headers.get("idempotent-replayed"))
        assert headers["stripe-should-retry"] == "false"

    assert (statuses, replayed, _count_intents(stage)) == ([500, 500], [None, "true"], 0)
    assert (await _create(stage, "att:2:create")).amount == 5000


async def test_a_500_may_have_done_what_was_asked(stage: PaymentStage) -> None:
    intent = await stage.create()
    stage.sandbox.control.add_fault(Fault(FaultKind.ERROR_AFTER, f"{CREATE}/*/confirm"))

    with pytest.raises(stripe.APIError):
        await stage.confirm(intent.id)

    assert (await stage.read(intent.id)).status == "succeeded"


async def test_a_connection_that_ends_before_the_request_did_nothing(stage: PaymentStage) -> None:
    stage.sandbox.control.add_fault(Fault(FaultKind.DROP_BEFORE, CREATE))

    with pytest.raises(stripe.APIConnectionError):
        await _create(stage)

    assert _count_intents(stage) == 0


async def test_a_time_out_after_success_is_answered_by_its_key(stage: PaymentStage) -> None:
    stage.sandbox.control.add_fault(Fault(FaultKind.DROP_AFTER, CREATE))

    with pytest.raises(stripe.APIConnectionError):
        await _create(stage)

    again = await _create(stage)
    assert (_count_intents(stage), again.id in stage.sandbox.store.open(stage.account).intents) == (1, True)


async def test_a_confirmation_whose_answer_is_lost_charges_once(stage: PaymentStage) -> None:
    intent = await stage.create()
    stage.sandbox.control.add_fault(Fault(FaultKind.DROP_AFTER, f"{CREATE}/*/confirm"))
    parameters: Any = {"confirmation_token": stage.token(), "return_url": RETURN_URL}
    confirm = stage.client.v1.payment_intents.confirm_async

    with pytest.raises(stripe.APIConnectionError):
        await confirm(intent.id, parameters, stage.options("att:1:confirm"))
    again = await confirm(intent.id, parameters, stage.options("att:1:confirm"))

    assert again.status == "succeeded"
    assert stage.sandbox.books.read(stage.account)[intent.id].charged == 5000


async def test_a_slow_answer_comes_after_the_work(stage: PaymentStage) -> None:
    stage.sandbox.control.add_fault(Fault(FaultKind.SLOW, CREATE, seconds=0.01))

    assert (await _create(stage)).id
    assert stage.sandbox.faults.met == 1


async def test_a_fault_meets_only_what_matches_and_only_so_often(stage: PaymentStage) -> None:
    other = stage.sandbox.control.create_account()
    stage.sandbox.control.add_fault(Fault(FaultKind.RATE_LIMIT, CREATE, times=2, account_id=stage.account))

    await stage.client.v1.payment_intents.create_async(INTENT, stage.options(account=other))
    await stage.client.v1.payment_intents.list_async({}, stage.options())
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            await stage.create()

    assert (await stage.create()).amount == 5000
    assert stage.sandbox.faults.waiting == []
