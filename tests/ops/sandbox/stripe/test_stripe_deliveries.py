"""The deliveries of the Stripe sandbox, received over HTTP and verified by the real SDK."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from ops.sandbox.stripe.deliveries import DeliveryPlan, Signing
from tests.fakes.stripe_hooks import HookReceiver, open_receiver
from tests.fakes.stripe_payments import PaymentStage, open_stage

CONNECT, NEXT_CONNECT, ACCOUNT = "whsec_connect", "whsec_connect_next", "whsec_account"
PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


@pytest.fixture
async def receiver() -> AsyncIterator[HookReceiver]:
    async with open_receiver() as opened:
        yield opened


@pytest.fixture
async def stage(receiver: HookReceiver) -> AsyncIterator[PaymentStage]:
    async with open_stage(
        hooks_url=receiver.base_url,
        connect_secrets=(CONNECT, NEXT_CONNECT),
        account_secrets=(ACCOUNT,),
    ) as opened:
        yield opened


async def test_events_of_a_connected_account_name_it_and_carry_the_object(
    stage: PaymentStage, receiver: HookReceiver
) -> None:
    intent = await stage.pay()

    await stage.sandbox.control.deliver_pending()

    assert receiver.list_types() == PAID
    last = receiver.received[-1]
    assert (last.path, last.event["account"], last.event["livemode"]) == (
        "/stripe/connect",
        stage.account,
        False,
    )
    assert (last.event["data"]["object"]["id"], last.event["data"]["object"]["status"]) == (
        intent.id,
        "succeeded",
    )
    assert last.headers["content-type"] == "application/json; charset=utf-8"


async def test_while_a_secret_is_replaced_both_sign(stage: PaymentStage, receiver: HookReceiver) -> None:
    await stage.create()

    await stage.sandbox.control.deliver_pending()

    (delivery,) = receiver.received
    assert delivery.is_signed_by(CONNECT)
    assert delivery.is_signed_by(NEXT_CONNECT)
    assert not delivery.is_signed_by(ACCOUNT)


async def test_account_events_are_thin_and_go_to_the_other_destination(
    stage: PaymentStage, receiver: HookReceiver
) -> None:
    stage.sandbox.control.set_capability(stage.account, "restricted")

    await stage.sandbox.control.deliver_pending()

    (delivery,) = receiver.received
    assert delivery.path == "/stripe/account"
    assert delivery.is_signed_by(ACCOUNT)
    assert delivery.event["related_object"]["id"] == stage.account
    assert "data" not in delivery.event


async def test_a_refused_delivery_is_sent_again_with_the_same_event(
    stage: PaymentStage, receiver: HookReceiver
) -> None:
    receiver.answers = [500]
    await stage.create()

    first = await stage.sandbox.control.deliver_pending()
    second = await stage.sandbox.control.deliver_pending()

    assert ([one.status for one in first], [one.status for one in second]) == ([500], [200])
    assert len({one.event["id"] for one in receiver.received}) == 1
    assert await stage.sandbox.control.deliver_pending() == []


async def test_a_delivery_that_nobody_answers_stays(stage: PaymentStage) -> None:
    stage.sandbox.deliveries.hooks_url = "http://127.0.0.1:9"
    await stage.create()

    (result,) = await stage.sandbox.control.deliver_pending()

    assert (result.status, result.is_taken, len(stage.sandbox.pending)) == (0, False, 1)


async def test_dropped_events_are_lost_and_can_be_listed_and_resent(
    stage: PaymentStage, receiver: HookReceiver
) -> None:
    stage.sandbox.control.plan_deliveries(DeliveryPlan(drop=True))
    await stage.pay()
    assert await stage.sandbox.control.deliver_pending() == []
    assert await stage.list_types() == PAID

    stage.sandbox.control.resend_dropped()
    await stage.sandbox.control.deliver_pending()

    assert receiver.list_types() == PAID


async def test_doubled_events_have_the_same_id(stage: PaymentStage, receiver: HookReceiver) -> None:
    stage.sandbox.control.plan_deliveries(DeliveryPlan(copies=2))
    await stage.create()

    await stage.sandbox.control.deliver_pending()

    first, second = receiver.received
    assert first.event == second.event


async def test_delayed_events_miss_rounds(stage: PaymentStage, receiver: HookReceiver) -> None:
    stage.sandbox.control.plan_deliveries(DeliveryPlan(delay=1))
    await stage.create()
    stage.sandbox.control.plan_deliveries(DeliveryPlan())
    await stage.refund((await stage.pay()).id)

    await stage.sandbox.control.deliver_pending()
    assert receiver.list_types() == [*PAID, "refund.created", "charge.refunded"]
    await stage.sandbox.control.deliver_pending()
    assert receiver.list_types()[-1] == "payment_intent.created"


async def test_shuffled_events_overtake_each_other_and_all_arrive(
    stage: PaymentStage, receiver: HookReceiver
) -> None:
    stage.sandbox.control.plan_deliveries(DeliveryPlan(is_shuffled=True))
    for _ in range(4):
        await stage.pay()

    assert await stage.sandbox.control.deliver_all()

    arrived = [one.event["id"] for one in receiver.received]
    happened = list(stage.sandbox.store.open(stage.account).events)
    assert sorted(arrived) == sorted(happened)
    assert arrived != happened


@pytest.mark.parametrize("signing", [Signing.WRONG_SECRET, Signing.OLD])
async def test_a_badly_signed_delivery_is_valid_the_next_time(
    stage: PaymentStage, receiver: HookReceiver, signing: Signing
) -> None:
    stage.sandbox.control.plan_deliveries(DeliveryPlan(signing=signing))
    receiver.answers = [400]
    await stage.create()

    await stage.sandbox.control.deliver_all()

    assert [one.is_signed_by(CONNECT) for one in receiver.received] == [False, True]


async def test_a_delivery_from_the_future_has_a_time_ahead_and_a_good_signature(
    stage: PaymentStage, receiver: HookReceiver
) -> None:
    stage.sandbox.control.plan_deliveries(DeliveryPlan(signing=Signing.FUTURE))
    await stage.create()

    await stage.sandbox.control.deliver_pending()

    (delivery,) = receiver.received
    signed_at = int(delivery.headers["stripe-signature"].split(",")[0].removeprefix("t="))
    assert signed_at - int(stage.now[0].timestamp()) == 3600
    assert delivery.is_signed_by(CONNECT)


async def test_thin_events_of_payments_leave_the_object_out(
    stage: PaymentStage, receiver: HookReceiver
) -> None:
    stage.sandbox.control.plan_deliveries(DeliveryPlan(is_thin=True))
    intent = await stage.create()

    await stage.sandbox.control.deliver_pending()

    event = receiver.received[0].event
    assert (event["type"], event["context"]) == ("v1.payment_intent.created", stage.account)
    assert event["related_object"]["id"] == intent.id
    assert "data" not in event


async def test_the_sandbox_can_deliver_by_itself(stage: PaymentStage, receiver: HookReceiver) -> None:
    task = asyncio.create_task(stage.sandbox.deliveries.run())
    try:
        await stage.pay()
        await receiver.wait(len(PAID))
    finally:
        task.cancel()
    assert receiver.list_types() == PAID
