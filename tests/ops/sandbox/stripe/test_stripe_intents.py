"""Payment intents of the Stripe sandbox; each test is named by the behaviour that it checks."""

from datetime import timedelta

import pytest
import stripe

from ops.sandbox.stripe.accounts import CapabilityStatus
from tests.fakes.stripe_payments import RETURN_URL, PaymentStage


async def test_new_intent_waits_for_a_method(stage: PaymentStage) -> None:
    intent = await stage.create(metadata={"attempt_id": "7"}, description="Invoice 12")

    assert (intent.status, intent.amount, intent.currency) == ("requires_payment_method", 5000, "eur")
    assert (intent.latest_charge, intent.payment_method, intent.livemode) == (None, None, False)
    assert intent.metadata["attempt_id"] == "7"
    assert (intent.client_secret or "").startswith(f"{intent.id}_secret_")


async def test_unknown_parameter_is_refused(stage: PaymentStage) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.create(colour="red")

    assert (refusal.value.http_status, refusal.value.code) == (400, "parameter_unknown")
    assert refusal.value.param == "colour"


async def test_missing_parameter_is_refused(stage: PaymentStage) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.client.v1.payment_intents.create_async({"amount": 100}, stage.options())  # type: ignore[typeddict-item]

    assert (refusal.value.code, refusal.value.param) == ("parameter_missing", "currency")


async def test_intent_of_nobody_is_missing(stage: PaymentStage) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.read("pi_of_nobody")

    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")


async def test_confirmed_card_is_charged(stage: PaymentStage) -> None:
    intent = await stage.create()

    paid = await stage.confirm(intent.id, expand=["latest_charge.balance_transaction", "payment_method"])

    charge = paid.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert isinstance(charge.balance_transaction, stripe.BalanceTransaction)
    assert (paid.status, paid.amount_received, paid.last_payment_error) == ("succeeded", 5000, None)
    assert (charge.status, charge.captured, charge.amount_captured, charge.paid) == (
        "succeeded",
        True,
        5000,
        True,
    )
    movement = charge.balance_transaction
    assert (movement.amount, movement.type, movement.source) == (5000, "charge", charge.id)
    assert movement.net == 5000 - movement.fee


async def test_succeeded_intent_cannot_be_confirmed_again(stage: PaymentStage) -> None:
    intent = await stage.pay()

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.confirm(intent.id)

    assert refusal.value.code == "payment_intent_unexpected_state"
    assert refusal.value.error is not None
    assert refusal.value.error.payment_intent is not None
    assert refusal.value.error.payment_intent.status == "succeeded"
    assert stage.sandbox.books.read(stage.account)[intent.id].charged == 5000


async def test_confirming_needs_a_method(stage: PaymentStage) -> None:
    intent = await stage.create()

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.client.v1.payment_intents.confirm_async(
            intent.id, {"return_url": RETURN_URL}, stage.options()
        )

    assert refusal.value.code == "payment_intent_unexpected_state"


async def test_confirming_needs_a_return_url(stage: PaymentStage) -> None:
    intent = await stage.create()

    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        await stage.client.v1.payment_intents.confirm_async(
            intent.id, {"confirmation_token": stage.token()}, stage.options()
        )

    without = await stage.create(automatic_payment_methods={"enabled": True, "allow_redirects": "never"})
    paid = await stage.client.v1.payment_intents.confirm_async(
        without.id, {"confirmation_token": stage.token()}, stage.options()
    )
    assert paid.status == "succeeded"


async def test_token_works_once(stage: PaymentStage) -> None:
    token = stage.token()
    first, second = await stage.create(), await stage.create()
    await stage.confirm(first.id, confirmation_token=token)

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.confirm(second.id, confirmation_token=token)

    assert refusal.value.param == "confirmation_token"
    assert (await stage.read(second.id)).status == "requires_payment_method"
    used = await stage.client.v1.confirmation_tokens.retrieve_async(token, None, stage.options())
    assert used.payment_intent == first.id


async def test_token_expires_after_12_hours(stage: PaymentStage) -> None:
    intent, token = await stage.create(), stage.token()
    stage.now[0] += timedelta(hours=12)

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.confirm(intent.id, confirmation_token=token)

    assert refusal.value.param == "confirmation_token"


async def test_token_of_another_account_is_missing(stage: PaymentStage) -> None:
    other = stage.sandbox.control.create_account()
    token = stage.sandbox.control.create_confirmation_token(other)
    intent = await stage.create()

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.confirm(intent.id, confirmation_token=token)

    assert (refusal.value.code, refusal.value.param) == ("resource_missing", "confirmation_token")


async def test_token_of_the_test_helper_pays(stage: PaymentStage) -> None:
    token = await stage.client.v1.test_helpers.confirmation_tokens.create_async(
        {"payment_method": "pm_card_mastercard", "return_url": RETURN_URL}, stage.options()
    )
    intent = await stage.create()

    paid = await stage.client.v1.payment_intents.confirm_async(
        intent.id, {"confirmation_token": token.id}, stage.options()
    )

    charge = await stage.read_charge(paid.id)
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    assert (charge.payment_method_details.card.brand, charge.payment_method_details.card.last4) == (
        "mastercard",
        "4444",
    )


async def test_unpaid_intent_can_be_cancelled(stage: PaymentStage) -> None:
    intent = await stage.create()

    gone = await stage.client.v1.payment_intents.cancel_async(
        intent.id, {"cancellation_reason": "abandoned"}, stage.options()
    )

    assert (gone.status, gone.cancellation_reason) == ("canceled", "abandoned")
    assert gone.canceled_at == int(stage.now[0].timestamp())


async def test_cancelled_intent_cannot_be_confirmed(stage: PaymentStage) -> None:
    intent = await stage.create()
    await stage.client.v1.payment_intents.cancel_async(intent.id, None, stage.options())

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.confirm(intent.id)

    assert refusal.value.code == "payment_intent_unexpected_state"
    assert stage.sandbox.books.read(stage.account) == {}


@pytest.mark.parametrize("method", ["pm_card_visa", "DE89370400440532013000"])
async def test_paid_or_processing_intent_cannot_be_cancelled(stage: PaymentStage, method: str) -> None:
    intent = await stage.pay(method)

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.client.v1.payment_intents.cancel_async(intent.id, None, stage.options())

    assert refusal.value.code == "payment_intent_unexpected_state"
    assert (await stage.read(intent.id)).status == intent.status


async def test_cancelling_twice_is_refused(stage: PaymentStage) -> None:
    intent = await stage.create()
    await stage.client.v1.payment_intents.cancel_async(intent.id, None, stage.options())

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.client.v1.payment_intents.cancel_async(intent.id, None, stage.options())

    assert refusal.value.code == "payment_intent_unexpected_state"


async def test_amount_may_change_before_payment_only(stage: PaymentStage) -> None:
    intent = await stage.create(5000)
    changed = await stage.client.v1.payment_intents.update_async(intent.id, {"amount": 700}, stage.options())
    assert (await stage.confirm(intent.id)).amount_received == changed.amount == 700

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.client.v1.payment_intents.update_async(intent.id, {"amount": 900}, stage.options())

    assert refusal.value.code == "payment_intent_unexpected_state"


async def test_metadata_is_merged_by_key(stage: PaymentStage) -> None:
    intent = await stage.create(metadata={"kept": "1", "gone": "2"})

    changed = await stage.client.v1.payment_intents.update_async(
        intent.id, {"metadata": {"gone": "", "new": "3"}}, stage.options()
    )

    assert changed.metadata.to_dict() == {"kept": "1", "new": "3"}


async def test_fee_above_the_amount_is_refused(stage: PaymentStage) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.create(500, application_fee_amount=501)

    assert refusal.value.param == "application_fee_amount"
    assert (await stage.create(500, application_fee_amount=500)).application_fee_amount == 500


async def test_account_without_cards_takes_no_payment(stage: PaymentStage) -> None:
    intent = await stage.create()
    stage.sandbox.control.set_capability(stage.account, CapabilityStatus.RESTRICTED)

    with pytest.raises(stripe.InvalidRequestError, match="No valid payment method types"):
        await stage.create()
    with pytest.raises(stripe.InvalidRequestError, match="No valid payment method types"):
        await stage.confirm(intent.id)
