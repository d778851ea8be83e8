"""Refunds of the Stripe sandbox; each test is named by the behaviour that it checks."""

import pytest
import stripe

from tests.fakes.stripe_payments import PaymentStage


async def test_part_refunds_add_up(stage: PaymentStage) -> None:
    intent = await stage.pay()

    first = await stage.refund(intent.id, amount=2000, metadata={"refund_id": "9"})
    partly = await stage.read_charge(intent.id)
    rest = await stage.refund(intent.id)

    assert (first.status, first.amount, first.charge) == ("succeeded", 2000, partly.id)
    assert first.metadata is not None
    assert first.metadata["refund_id"] == "9"
    assert (partly.amount_refunded, partly.refunded) == (2000, False)
    whole = await stage.read_charge(intent.id)
    assert (rest.amount, whole.amount_refunded, whole.refunded) == (3000, 5000, True)
    # The intent itself stays as it is.
    paid = await stage.read(intent.id)
    assert (paid.status, paid.amount_received) == ("succeeded", 5000)
    assert stage.sandbox.books.read(stage.account)[intent.id].net == 0


async def test_refund_above_what_is_left_is_refused(stage: PaymentStage) -> None:
    intent = await stage.pay()
    await stage.refund(intent.id, amount=2000)

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.refund(intent.id, amount=3001)

    assert (refusal.value.http_status, refusal.value.code, refusal.value.param) == (400, None, "amount")
    assert stage.sandbox.books.read(stage.account)[intent.id].refunded == 2000


async def test_refund_of_nothing_left_is_refused(stage: PaymentStage) -> None:
    intent = await stage.pay()
    await stage.refund(intent.id)

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.refund(intent.id, amount=1)

    assert refusal.value.code == "charge_already_refunded"


@pytest.mark.parametrize("method", ["", "DE89370400440532013000"])
async def test_only_succeeded_payments_are_refunded(stage: PaymentStage, method: str) -> None:
    intent = await stage.pay(method) if method else await stage.create()

    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        await stage.refund(intent.id)


async def test_refund_keeps_to_the_step_of_the_currency(stage: PaymentStage) -> None:
    intent = await stage.pay(currency="isk", amount=500_00)

    with pytest.raises(stripe.InvalidRequestError):
        await stage.refund(intent.id, amount=50)

    assert (await stage.refund(intent.id, amount=100_00)).amount == 100_00


async def test_failed_refund_returns_the_money(stage: PaymentStage) -> None:
    intent = await stage.pay("pm_card_refundFail")
    refund = await stage.refund(intent.id, amount=2000)
    assert refund.status == "succeeded"

    stage.sandbox.control.fail_refund(refund.id)

    failed = await stage.client.v1.refunds.retrieve_async(refund.id, None, stage.options())
    assert (failed.status, failed.failure_reason) == ("failed", "unknown")
    assert failed.failure_balance_transaction is not None
    books = stage.sandbox.books.read(stage.account)[intent.id]
    assert (books.refunded, books.refund_failed, books.net) == (2000, 2000, 5000)
    assert (await stage.refund(intent.id)).amount == 5000


async def test_pending_refund_succeeds_later(stage: PaymentStage) -> None:
    intent = await stage.pay("pm_card_pendingRefund")
    refund = await stage.refund(intent.id)
    assert (refund.status, (await stage.read_charge(intent.id)).refunded) == ("pending", True)

    stage.sandbox.control.settle_refund(refund.id)

    found = await stage.client.v1.refunds.list_async({"payment_intent": intent.id}, stage.options())
    assert [(one.id, one.status) for one in found.data] == [(refund.id, "succeeded")]


async def test_only_pending_refunds_can_be_cancelled(stage: PaymentStage) -> None:
    intent = await stage.pay("pm_card_pendingRefund")
    refund = await stage.refund(intent.id, amount=1000)

    gone = await stage.client.v1.refunds.cancel_async(refund.id, None, stage.options())

    assert gone.status == "canceled"
    assert (await stage.read_charge(intent.id)).amount_refunded == 0
    with pytest.raises(stripe.InvalidRequestError):
        await stage.client.v1.refunds.cancel_async(refund.id, None, stage.options())


async def test_refund_in_the_dashboard_is_listed(stage: PaymentStage) -> None:
    intent = await stage.pay()

    refund = stage.sandbox.control.refund(str(intent.latest_charge), 700)

    found = await stage.client.v1.refunds.list_async({"payment_intent": intent.id}, stage.options())
    assert [(one.id, one.amount) for one in found.data] == [(refund, 700)]
    assert "refund.created" in await stage.list_types()
