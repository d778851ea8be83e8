"""Refunds: never more than was captured, once at the provider, and in the ledger as the provider has them."""

from __future__ import annotations

import asyncio

import pytest

from kernel.errors import Conflict, Denied, Invalid, Missing, Unavailable
from kernel.ids import new_id
from kernel.store import fetch_value
from tenants.ids import AttemptId, RefundId
from tenants.payments.actions import request_refund, send_refund
from tenants.payments.processor import RefundStatus
from tenants.payments.queries import list_refunds
from tenants.payments.values import RefundState
from tests.fakes.payment_scenes import NEEDS_ACTION, REFUND, PaymentScene
from tests.fakes.sample_workspaces import euros


async def ask(scene: PaymentScene, attempt_id: AttemptId, amount: str) -> RefundId:
    async with scene.context.scope():
        return await request_refund(scene.invoice_id, attempt_id, euros(amount))


async def test_a_refund_is_a_row_and_a_job_and_then_an_entry(scene: PaymentScene) -> None:
    progress = await scene.pay()
    refund_id = await ask(scene, progress.attempt_id, "19")
    async with scene.context.scope():
        assert await fetch_value("SELECT count(*) FROM job WHERE kind = 'payments.refund_payment'") == 1
        (refund,) = await list_refunds(scene.invoice_id)
    assert (refund.refund_id, refund.state) == (refund_id, RefundState.REQUESTED)
    assert (await scene.load_invoice()).paid == euros("119")
    refund = await send_refund(scene.context, refund_id)
    assert (refund.state, refund.amount) == (RefundState.SUCCEEDED, euros("19"))
    assert (await scene.load_invoice()).paid == euros("100")


async def test_a_refund_whose_answer_was_lost_is_sent_again_and_made_once(scene: PaymentScene) -> None:
    progress = await scene.pay()
    refund_id = await ask(scene, progress.attempt_id, "19")
    scene.lose_answer(REFUND)
    with pytest.raises(Unavailable):
        await send_refund(scene.context, refund_id)
    for _ in range(2):
        assert (await send_refund(scene.context, refund_id)).state is RefundState.SUCCEEDED
    assert await scene.list_moves() == [("charge", euros("119")), ("refund", euros("-19"))]


async def test_a_refund_that_is_sent_again_after_its_key_was_forgotten_is_made_once(
    scene: PaymentScene,
) -> None:
    progress = await scene.pay()
    refund_id = await ask(scene, progress.attempt_id, "19")
    scene.lose_answer(REFUND)
    with pytest.raises(Unavailable):
        await send_refund(scene.context, refund_id)
    scene.sandbox.idempotency.forget()
    assert (await send_refund(scene.context, refund_id)).state is RefundState.SUCCEEDED
    assert (await scene.load_invoice()).paid == euros("100")


async def test_a_refund_that_was_made_is_not_refused_because_its_answer_cannot_be_read(
    scene: PaymentScene,
) -> None:
    progress = await scene.pay()
    refund_id = await ask(scene, progress.attempt_id, "19")
    scene.processor.errors["after", "refund"] = Invalid("payment.unknown_value", "A new kind of refund.")
    assert (await send_refund(scene.context, refund_id)).state is RefundState.SUCCEEDED


@pytest.mark.parametrize("method", ["load", "refund"])
async def test_a_refund_from_an_account_that_is_closed_to_us_waits(scene: PaymentScene, method: str) -> None:
    progress = await scene.pay()
    refund_id = await ask(scene, progress.attempt_id, "19")
    scene.processor.errors["before", method] = Denied("payment.account_revoked", "No access.")
    assert (await send_refund(scene.context, refund_id)).state is RefundState.REQUESTED
    assert (await send_refund(scene.context, refund_id)).state is RefundState.SUCCEEDED
    assert await scene.list_moves() == [("charge", euros("119")), ("refund", euros("-19"))]


async def test_what_was_asked_for_and_what_was_refunded_lower_the_ceiling(scene: PaymentScene) -> None:
    progress = await scene.pay()
    await ask(scene, progress.attempt_id, "60")
    scene.refund(progress.intent_id, "30")
    await scene.settle(progress.intent_id)
    with pytest.raises(Conflict) as caught:
        await ask(scene, progress.attempt_id, "29.01")
    assert (caught.value.code, caught.value.data["refundable"]) == ("refund.too_large", "29.00 EUR")
    await ask(scene, progress.attempt_id, "29")


async def test_of_refunds_asked_for_at_once_no_more_than_was_captured_is_taken(scene: PaymentScene) -> None:
    progress = await scene.pay()
    results = await asyncio.gather(
        *(ask(scene, progress.attempt_id, "50") for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(each, Conflict) for each in results) == 2


async def test_the_provider_has_the_last_word_on_what_is_left(scene: PaymentScene) -> None:
    progress = await scene.pay()
    refund_id = await ask(scene, progress.attempt_id, "100")
    scene.refund(progress.intent_id, "30")
    refund = await send_refund(scene.context, refund_id)
    assert (refund.state, refund.failure) == (RefundState.REFUSED, "payment.refund_too_large")
    assert (await send_refund(scene.context, refund_id)).state is RefundState.REFUSED


async def test_a_refund_that_failed_later_is_money_that_came_back(scene: PaymentScene) -> None:
    progress = await scene.pay()
    refund_id = await ask(scene, progress.attempt_id, "19")
    refund = await send_refund(scene.context, refund_id)
    assert refund.source_id is not None
    before = await scene.load_picture(progress.intent_id)
    scene.sandbox.control.fail_refund(refund.source_id)
    await scene.settle(progress.intent_id)
    assert (await scene.load_invoice()).paid == euros("119")
    assert before.refunds[0].status is RefundStatus.SUCCEEDED
    await ask(scene, progress.attempt_id, "119")
    async with scene.context.scope():
        states = [each.state for each in await list_refunds(scene.invoice_id)]
    assert states == [RefundState.FAILED, RefundState.REQUESTED]


async def test_only_what_was_captured_is_refunded(scene: PaymentScene) -> None:
    progress = await scene.pay(method=NEEDS_ACTION)
    other = await scene.workspace.issue_invoice()
    codes = []
    for invoice_id, attempt_id, amount in (
        (scene.invoice_id, progress.attempt_id, "1"),
        (scene.invoice_id, AttemptId(new_id()), "1"),
        (other, progress.attempt_id, "1"),
    ):
        async with scene.context.scope():
            with pytest.raises((Conflict, Missing)) as caught:
                await request_refund(invoice_id, attempt_id, euros(amount))
        codes.append(caught.value.code)
    assert codes == ["refund.not_captured", "payment.not_found", "payment.not_found"]


@pytest.mark.parametrize("amount", ["0", "-1"])
async def test_a_refund_is_more_than_nothing(scene: PaymentScene, amount: str) -> None:
    progress = await scene.pay()
    with pytest.raises(Invalid):
        await ask(scene, progress.attempt_id, amount)
