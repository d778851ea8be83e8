"""Settle: whatever of a payment is seen, in whatever order and however often, the ledger is what moved."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from kernel.store import fetch
from tenants.invoices import actions as invoices
from tenants.payments.actions import record_payment
from tenants.payments.actions.settling import settle
from tenants.payments.processor import DisputeStatus, RefundStatus
from tenants.payments.states import AttemptState
from tenants.payments.values import ProgressState, Settlement
from tests.fakes.payment_scenes import (
    CONFIRM,
    NEEDS_ACTION,
    PAYS,
    TAKES_DAYS,
    PaymentScene,
    open_payment_scene,
)
from tests.fakes.sample_workspaces import SampleWorkspace, euros


async def test_an_event_that_comes_before_the_answer_books_the_same_once(scene: PaymentScene) -> None:
    scene.lose_answer(CONFIRM)
    progress = await scene.pay()
    (attempt,) = await scene.list_attempts()
    assert attempt.intent_id is not None
    assert await scene.settle(attempt.intent_id) is Settlement.APPLIED
    assert await scene.settle(attempt.intent_id) is Settlement.UNCHANGED
    assert await scene.check(progress.attempt_id) is Settlement.UNCHANGED
    assert await scene.list_moves() == [("charge", euros("119"))]


async def test_a_payment_that_nobody_began_here_is_not_ours(
    scene: PaymentScene, rival: SampleWorkspace
) -> None:
    progress = await scene.pay()
    picture = await scene.load_picture(progress.intent_id)
    assert await scene.apply(replace(picture, intent_id="pi_foreign")) is Settlement.NOT_OURS
    async with open_payment_scene(rival) as other:
        async with other.context.scope():
            # The account decides whose it is; the same picture in another workspace is nobody's.
            for account_id in (scene.account_id, other.account_id):
                outcome = await settle(picture, account_id=account_id, clock=scene.clock)
                assert outcome is Settlement.NOT_OURS
        assert await other.list_entries() == ()


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_pictures_in_any_order_and_twice_end_in_the_same_ledger(
    scene: PaymentScene, order: tuple[int, ...]
) -> None:
    progress = await scene.pay(method=TAKES_DAYS)
    pictures = [await scene.load_picture(progress.intent_id)]
    scene.settle_at_bank(progress.intent_id)
    pictures.append(await scene.load_picture(progress.intent_id))
    refund_id = scene.refund(progress.intent_id, "19")
    refunded = await scene.load_picture(progress.intent_id)
    (refund,) = refunded.refunds
    pictures.append(replace(refunded, refunds=(replace(refund, status=RefundStatus.PENDING),)))
    scene.sandbox.control.fail_refund(refund_id)
    pictures.append(await scene.load_picture(progress.intent_id))
    for place in (*order, *reversed(order)):
        await scene.apply(pictures[place])
    assert sorted(await scene.list_moves()) == [
        ("charge", euros("119")),
        ("refund", euros("-19")),
        ("refund_failed", euros("19")),
    ]
    assert (await scene.load_attempt(progress.attempt_id)).state is AttemptState.SUCCEEDED


async def test_money_that_comes_for_a_void_invoice_is_booked_and_flagged(scene: PaymentScene) -> None:
    progress = await scene.pay(method=NEEDS_ACTION)
    await scene.expire(progress.attempt_id)
    await scene.check(progress.attempt_id)
    async with scene.context.scope():
        await invoices.void(scene.invoice_id, clock=scene.clock)
    scene.succeed_late(progress.intent_id)
    assert await scene.settle(progress.intent_id) is Settlement.LATE
    assert await scene.settle(progress.intent_id) is Settlement.UNCHANGED
    attempt = await scene.load_attempt(progress.attempt_id)
    assert (attempt.state, attempt.is_late) == (AttemptState.SUCCEEDED, True)
    assert (await scene.load_invoice()).paid == euros("119")


async def test_money_that_comes_after_another_paid_is_flagged_and_shown_as_too_much(
    scene: PaymentScene,
) -> None:
    first = await scene.pay(method=NEEDS_ACTION)
    await scene.expire(first.attempt_id)
    await scene.check(first.attempt_id)
    assert (await scene.pay()).state is ProgressState.SUCCEEDED
    scene.succeed_late(first.intent_id)
    assert await scene.settle(first.intent_id) is Settlement.LATE
    assert (await scene.load_invoice()).paid == euros("238")


async def test_a_refund_made_at_the_provider_is_imported_while_another_pays(scene: PaymentScene) -> None:
    first = await scene.pay("50")
    other = await scene.pay("69", method=NEEDS_ACTION)
    scene.refund(first.intent_id, "20")
    await scene.settle(first.intent_id)
    found = await scene.load_invoice()
    assert (found.paid, found.held) == (euros("30"), euros("69"))
    scene.settle_at_bank(other.intent_id)
    await scene.settle(other.intent_id)
    assert (await scene.load_invoice()).paid == euros("99")


async def test_an_inquiry_moves_no_money_and_disputes_nothing(scene: PaymentScene) -> None:
    progress = await scene.pay()
    dispute_id = scene.open_dispute(progress.intent_id, funds=False)
    await scene.settle(progress.intent_id)
    # An inquiry that is answered well is closed.
    scene.sandbox.control.win_dispute(dispute_id)
    await scene.settle(progress.intent_id)
    found = await scene.load_invoice()
    assert (found.paid, found.is_disputed) == (euros("119"), False)


@pytest.mark.parametrize("ending", [DisputeStatus.WON, DisputeStatus.LOST])
async def test_a_dispute_moves_money_twice_if_it_is_won_and_once_if_it_is_lost(
    scene: PaymentScene, ending: DisputeStatus
) -> None:
    progress = await scene.pay()
    dispute_id = scene.open_dispute(progress.intent_id)
    opened = await scene.load_picture(progress.intent_id)
    await scene.settle(progress.intent_id)
    found = await scene.load_invoice()
    assert (found.paid, found.is_disputed) == (euros("0"), True)
    control = scene.sandbox.control
    end = control.win_dispute if ending is DisputeStatus.WON else control.lose_dispute
    end(dispute_id)
    await scene.settle(progress.intent_id)
    # A picture of before opens nothing again.
    await scene.apply(opened)
    found = await scene.load_invoice()
    expected = euros("119") if ending is DisputeStatus.WON else euros("0")
    assert (found.paid, found.is_disputed) == (expected, False)


async def test_readers_are_told_of_each_step_and_never_who_pays(scene: PaymentScene) -> None:
    progress = await scene.pay(method=NEEDS_ACTION)
    scene.settle_at_bank(progress.intent_id)
    await scene.settle(progress.intent_id)
    async with scene.context.scope():
        events = await fetch("SELECT kind, payload::text AS payload FROM live_event ORDER BY staff_seq")
    assert [(event["kind"], event["payload"]) for event in events] == [
        ("payment.changed", '{"state": "reserved"}'),
        ("payment.changed", '{"state": "confirming"}'),
        ("payment.changed", '{"state": "requires_action"}'),
        ("payment.changed", '{"state": "succeeded"}'),
        ("payment.booked", '{"entry": "charge"}'),
    ]


async def test_a_manual_payment_is_no_reason_to_book_a_card_payment_twice(scene: PaymentScene) -> None:
    progress = await scene.pay("60", method=PAYS)
    async with scene.context.scope():
        await record_payment(scene.invoice_id, euros("59"), clock=scene.clock)
    await scene.settle(progress.intent_id)
    assert (await scene.load_invoice()).paid == euros("119")
