"""Lists, expanded fields and events of the Stripe sandbox; each test is named by the behaviour that it checks."""

from datetime import timedelta

import pytest
import stripe

from tests.fakes.stripe_payments import PaymentStage


async def test_lists_come_a_page_at_a_time_newest_first(stage: PaymentStage) -> None:
    made = [(await stage.create()).id for _ in range(5)]

    first = await stage.client.v1.payment_intents.list_async({"limit": 2}, stage.options())
    walked = [one.id async for one in first.auto_paging_iter()]

    assert ([one.id for one in first.data], first.has_more) == (made[:2:-1], True)
    assert walked == made[::-1]
    back = await stage.client.v1.payment_intents.list_async(
        {"limit": 2, "ending_before": made[0]}, stage.options()
    )
    assert [one.id for one in back.data] == [made[2], made[1]]


async def test_page_holds_at_most_100(stage: PaymentStage) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.client.v1.payment_intents.list_async({"limit": 101}, stage.options())

    assert refusal.value.param == "limit"


async def test_page_after_nothing_known_is_refused(stage: PaymentStage) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.client.v1.refunds.list_async({"starting_after": "re_unknown"}, stage.options())

    assert refusal.value.param == "starting_after"


async def test_fields_are_ids_until_expanded(stage: PaymentStage) -> None:
    intent = await stage.pay()

    assert isinstance(intent.latest_charge, str)
    assert isinstance(intent.payment_method, str)
    found = await stage.read(intent.id, "latest_charge.balance_transaction", "payment_method")
    assert isinstance(found.latest_charge, stripe.Charge)
    assert isinstance(found.latest_charge.balance_transaction, stripe.BalanceTransaction)
    assert isinstance(found.payment_method, stripe.PaymentMethod)


async def test_unknown_field_cannot_be_expanded(stage: PaymentStage) -> None:
    intent = await stage.create()

    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        await stage.read(intent.id, "amount")


async def test_each_change_is_an_event(stage: PaymentStage) -> None:
    intent = await stage.create()
    with pytest.raises(stripe.CardError):
        await stage.confirm(intent.id, "pm_card_chargeDeclined")
    await stage.confirm(intent.id)
    await stage.refund(intent.id, amount=100)

    assert await stage.list_types() == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
        "charge.succeeded",
        "payment_intent.succeeded",
        "refund.created",
        "charge.refunded",
    ]


async def test_waiting_and_processing_are_events(stage: PaymentStage) -> None:
    asked = await stage.pay("4000002500003155")
    await stage.client.v1.payment_intents.cancel_async(asked.id, None, stage.options())
    debit = await stage.pay("DE89370400440532013000")
    stage.sandbox.control.fail(debit.id)

    assert [name for name in await stage.list_types() if not name.endswith("created")] == [
        "payment_intent.requires_action",
        "payment_intent.canceled",
        "charge.pending",
        "payment_intent.processing",
        "charge.failed",
        "payment_intent.payment_failed",
    ]


async def test_failed_refund_is_an_event(stage: PaymentStage) -> None:
    intent = await stage.pay("pm_card_refundFail")
    refund = await stage.refund(intent.id)

    stage.sandbox.control.fail_refund(refund.id)

    assert (await stage.list_types())[-3:] == ["refund.updated", "charge.refund.updated", "refund.failed"]


async def test_event_shows_the_object_as_it_was(stage: PaymentStage) -> None:
    intent = await stage.pay()
    await stage.refund(intent.id)

    events = await stage.client.v1.events.list_async({"type": "charge.succeeded"}, stage.options())

    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        await stage.client.v1.events.list_async(
            {"expand": ["data.data.object.balance_transaction"]}, stage.options()
        )
    told = events.data[0].data.object
    assert (told["id"], told["amount_refunded"]) == (intent.latest_charge, 0)
    assert (await stage.read_charge(intent.id)).amount_refunded == 5000


async def test_events_are_found_by_type_and_time(stage: PaymentStage) -> None:
    await stage.pay()
    stage.now[0] += timedelta(hours=1)
    since = int(stage.now[0].timestamp())
    late = await stage.pay()

    found = await stage.client.v1.events.list_async(
        {"types": ["payment_intent.succeeded", "payment_intent.canceled"], "created": {"gte": since}},
        stage.options(),
    )

    assert [(one.type, one.data.object["id"]) for one in found.data] == [
        ("payment_intent.succeeded", late.id)
    ]
    again = await stage.client.v1.events.retrieve_async(found.data[0].id, None, stage.options())
    assert (again.created, again.api_version) == (since, stripe.api_version)


async def test_balance_holds_each_movement_once(stage: PaymentStage) -> None:
    intent = await stage.pay("pm_card_refundFail")
    refund = await stage.refund(intent.id, amount=2000)
    stage.sandbox.control.fail_refund(refund.id)

    moved = await stage.client.v1.balance_transactions.list_async(None, stage.options())

    assert [(one.type, one.amount, one.source) for one in reversed(moved.data)] == [
        ("charge", 5000, intent.latest_charge),
        ("refund", -2000, refund.id),
        ("refund_failure", 2000, refund.id),
    ]
