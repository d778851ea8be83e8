"""Accounts and idempotency of the Stripe sandbox; each test is named by the behaviour that it checks."""

import asyncio

import pytest
import stripe
from stripe.params.v2.core import AccountCreateParams

from ops.sandbox.stripe.idempotency import Idempotency
from ops.sandbox.stripe.refusals import ApiRefusal
from ops.sandbox.stripe.routing import Answer, Call
from tests.fakes.stripe_payments import PaymentStage

NEW = stripe.params.PaymentIntentCreateParams(
    amount=5000, currency="eur", automatic_payment_methods={"enabled": True}
)


async def create(stage: PaymentStage, key: str, **changes: object) -> stripe.PaymentIntent:
    parameters: stripe.params.PaymentIntentCreateParams = {**NEW, **changes}  # type: ignore[typeddict-item]
    return await stage.client.v1.payment_intents.create_async(parameters, stage.options(key))


async def test_accounts_do_not_see_each_other(stage: PaymentStage) -> None:
    intent = await stage.pay()
    other = stage.options(account=stage.sandbox.control.create_account())

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.client.v1.payment_intents.retrieve_async(intent.id, None, other)
    with pytest.raises(stripe.InvalidRequestError) as refund:
        await stage.client.v1.refunds.create_async({"payment_intent": intent.id}, other)

    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")
    assert refund.value.code == "resource_missing"
    assert (await stage.client.v1.events.list_async(None, other)).data == []


async def test_revoked_account_is_refused(stage: PaymentStage) -> None:
    stage.sandbox.control.deauthorise(stage.account)

    with pytest.raises(stripe.PermissionError) as refusal:
        await stage.create()

    assert refusal.value.error is not None
    assert (refusal.value.http_status, refusal.value.error.code) == (403, "account_invalid")


async def test_same_key_makes_one_intent(stage: PaymentStage) -> None:
    first, again = await create(stage, "k"), await create(stage, "k")

    assert (first.id, first.client_secret) == (again.id, again.client_secret)
    assert first.last_response is not None
    assert again.last_response is not None
    assert "idempotent-replayed" not in first.last_response.headers
    assert again.last_response.headers["idempotent-replayed"] == "true"
    listed = await stage.client.v1.payment_intents.list_async(None, stage.options())
    assert len(listed.data) == 1


async def test_replay_is_the_first_answer_and_not_the_state(stage: PaymentStage) -> None:
    first = await create(stage, "k")
    await stage.confirm(first.id)

    assert (await create(stage, "k")).status == "requires_payment_method"


async def test_same_key_with_other_parameters_is_refused(stage: PaymentStage) -> None:
    await create(stage, "k")

    with pytest.raises(stripe.IdempotencyError) as refusal:
        await create(stage, "k", amount=6000)

    assert refusal.value.http_status == 400


async def test_same_key_at_another_endpoint_is_refused(stage: PaymentStage) -> None:
    intent = await create(stage, "k")

    with pytest.raises(stripe.IdempotencyError):
        await stage.confirm(intent.id, key="k")


async def test_same_key_of_another_account_is_another_key(stage: PaymentStage) -> None:
    first = await create(stage, "k")
    other = stage.options("k", account=stage.sandbox.control.create_account())

    second = await stage.client.v1.payment_intents.create_async(NEW, other)

    assert first.id != second.id


async def test_decline_is_replayed(stage: PaymentStage) -> None:
    intent, token = await create(stage, ""), stage.token("pm_card_chargeDeclined")
    with pytest.raises(stripe.CardError):
        await stage.confirm(intent.id, key="c", confirmation_token=token)

    with pytest.raises(stripe.CardError) as refusal:
        await stage.confirm(intent.id, key="c", confirmation_token=token)

    assert refusal.value.headers is not None
    assert refusal.value.headers["idempotent-replayed"] == "true"
    charges = await stage.client.v1.charges.list_async({"payment_intent": intent.id}, stage.options())
    assert len(charges.data) == 1


async def test_refused_parameters_keep_no_answer(stage: PaymentStage) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await create(stage, "k", colour="red")

    assert (await create(stage, "k")).status == "requires_payment_method"


async def test_key_in_use_is_refused() -> None:
    kept, gate = Idempotency(), asyncio.Event()
    call = Call("POST", "/v1/refunds", {"amount": "1"}, {"idempotency-key": "k", "stripe-account": "acct_1"})

    async def answer_late() -> Answer:
        await gate.wait()
        return Answer({"id": "re_1"})

    first = asyncio.create_task(kept.answer(call, answer_late))
    await asyncio.sleep(0)
    with pytest.raises(ApiRefusal) as refusal:
        await kept.answer(call, answer_late)
    gate.set()

    assert (refusal.value.status, refusal.value.body["error"]["code"]) == (409, "idempotency_key_in_use")
    assert (await first).body == (await kept.answer(call, answer_late)).body == {"id": "re_1"}


async def test_refused_account_keeps_no_answer(stage: PaymentStage) -> None:
    accounts = stage.client.v2.core.accounts
    merchant: AccountCreateParams = {
        "contact_email": "owner@example.com",
        "configuration": {"merchant": {"capabilities": {"card_payments": {"requested": True}}}},
    }
    with pytest.raises(stripe.InvalidRequestError):
        await accounts.create_async(merchant, {"idempotency_key": "con:1:create"})

    complete: AccountCreateParams = {**merchant, "identity": {"country": "de"}}
    made = await accounts.create_async(complete, {"idempotency_key": "con:1:create"})
    again = await accounts.create_async(complete, {"idempotency_key": "con:1:create"})

    assert made.id == again.id
