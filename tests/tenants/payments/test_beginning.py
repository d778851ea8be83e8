"""Clicks on "pay": whatever happens between the click and the answer, a debt is paid at most once."""

from __future__ import annotations

import asyncio

import pytest

from kernel.errors import Conflict, Denied, Invalid, Missing, Unavailable
from kernel.ids import new_id
from kernel.money import Money, find_currency
from kernel.store import execute
from tenants.ids import AttemptId, InvoiceId
from tenants.invoices import actions as invoices
from tenants.payments.actions import cancel_payment, check_payment, follow, record_payment, restart_checks
from tenants.payments.processor import PaymentFailure
from tenants.payments.states import AttemptState
from tenants.payments.values import ProgressState, Settlement
from tests.fakes.interrupted_processor import Pause
from tests.fakes.payment_scenes import (
    CANCEL,
    CONFIRM,
    CREATE,
    DECLINED,
    NEEDS_ACTION,
    OTHER_PAYER,
    REDIRECTS,
    TAKES_DAYS,
    PaymentScene,
)
from tests.fakes.sample_workspaces import build_content, euros


async def test_a_payment_is_booked_when_the_page_is_answered(scene: PaymentScene) -> None:
    progress = await scene.pay()
    assert (progress.state, progress.client_secret) == (ProgressState.SUCCEEDED, "")
    found = await scene.load_invoice()
    assert (found.paid, found.held, found.processing) == (euros("119"), euros("0"), euros("0"))
    assert await scene.list_moves() == [("charge", euros("119"))]


async def test_a_double_click_is_one_payment(scene: PaymentScene) -> None:
    first = await scene.pay(nonce="click")
    second = await scene.pay(nonce="click")
    assert (second.attempt_id, second.state) == (first.attempt_id, ProgressState.SUCCEEDED)
    assert scene.count_intents() == 1


async def test_two_clicks_at_the_same_moment_are_one_payment(scene: PaymentScene) -> None:
    progress = await asyncio.gather(*(scene.pay(nonce="click") for _ in range(4)))
    assert len({each.attempt_id for each in progress}) == 1
    assert await scene.list_moves() == [("charge", euros("119"))]


async def test_a_nonce_is_of_one_amount(scene: PaymentScene) -> None:
    await scene.pay("50", nonce="click")
    with pytest.raises(Conflict) as caught:
        await scene.pay("60", nonce="click")
    assert caught.value.code == "payment.nonce_used"


@pytest.mark.parametrize("payers", [2, 4])
async def test_of_several_payers_at_once_one_pays(scene: PaymentScene, payers: int) -> None:
    results = await asyncio.gather(*(scene.pay() for _ in range(payers)), return_exceptions=True)
    refused = [each for each in results if isinstance(each, Conflict)]
    assert len(refused) == payers - 1
    assert {each.data["blocker"] for each in refused} <= {"under_way", "nothing_due"}
    assert (await scene.load_invoice()).paid == euros("119")


async def test_parts_of_two_payers_fit_beside_each_other(scene: PaymentScene) -> None:
    await asyncio.gather(scene.pay("100"), scene.pay("19", payer=OTHER_PAYER), return_exceptions=True)
    paid = (await scene.load_invoice()).paid
    assert paid in {euros("100"), euros("119"), euros("19")}
    await scene.pay(euros("119") - paid) if paid < euros("119") else None
    assert (await scene.load_invoice()).paid == euros("119")


async def test_who_holds_the_amount_can_be_taken_over_from(scene: PaymentScene) -> None:
    waiting = await scene.pay(method=NEEDS_ACTION)
    with pytest.raises(Conflict) as refused:
        await scene.pay(payer=OTHER_PAYER)
    assert refused.value.data["blocker"] == "under_way"
    progress = await scene.pay(payer=OTHER_PAYER, take_over=True)
    assert progress.state is ProgressState.SUCCEEDED
    assert (await scene.load_attempt(waiting.attempt_id)).state is AttemptState.CANCELED


async def test_who_takes_over_twice_with_one_click_does_not_cancel_oneself(scene: PaymentScene) -> None:
    await scene.pay(method=NEEDS_ACTION)
    first = await scene.pay(payer=OTHER_PAYER, take_over=True, nonce="click", method=NEEDS_ACTION)
    again = await scene.pay(payer=OTHER_PAYER, take_over=True, nonce="click", method=NEEDS_ACTION)
    assert (again.attempt_id, again.state) == (first.attempt_id, ProgressState.REQUIRES_ACTION)


@pytest.mark.parametrize(("amount", "version"), [("119.01", 1), ("119", 2)])
async def test_who_could_not_pay_anyway_takes_nothing_over(
    scene: PaymentScene, amount: str, version: int
) -> None:
    waiting = await scene.pay(method=NEEDS_ACTION)
    with pytest.raises((Conflict, Invalid)):
        await scene.pay(amount, payer=OTHER_PAYER, take_over=True, version=version)
    assert (await scene.load_attempt(waiting.attempt_id)).state is AttemptState.REQUIRES_ACTION


async def test_who_takes_over_a_part_that_is_free_cancels_nobody(scene: PaymentScene) -> None:
    waiting = await scene.pay("60", method=NEEDS_ACTION)
    await scene.pay("59", payer=OTHER_PAYER, take_over=True)
    assert (await scene.load_attempt(waiting.attempt_id)).state is AttemptState.REQUIRES_ACTION


@pytest.mark.parametrize("nonce", ["", "\0", "\ud800", "ü", "n" * 101])
async def test_what_is_no_nonce_is_refused(scene: PaymentScene, nonce: str) -> None:
    with pytest.raises(Invalid) as caught:
        await scene.pay(nonce=nonce)
    assert caught.value.code == "payment.nonce"
    assert await scene.list_attempts() == ()


async def test_nobody_takes_over_while_money_may_be_moving(scene: PaymentScene) -> None:
    moving = await scene.pay(method=TAKES_DAYS)
    with pytest.raises(Conflict) as refused:
        await scene.pay(payer=OTHER_PAYER, take_over=True)
    assert refused.value.data["blocker"] == "under_way"
    with pytest.raises(Conflict) as caught:
        await cancel_payment(scene.context, scene.invoice_id, moving.attempt_id)
    assert caught.value.code == "payment.in_hand"


async def test_who_is_overtaken_between_creating_and_recording_pays_nothing(scene: PaymentScene) -> None:
    pause = scene.processor.pauses["create"] = Pause()
    slow = asyncio.create_task(scene.pay())
    await pause.entered.wait()
    scene.processor.pauses.clear()
    quick = await scene.pay(payer=OTHER_PAYER, take_over=True)
    pause.released.set()
    with pytest.raises(Conflict) as caught:
        await slow
    assert caught.value.code == "payment.changed"
    assert quick.state is ProgressState.SUCCEEDED
    assert await scene.list_moves() == [("charge", euros("119"))]


async def test_a_lost_answer_of_a_success_is_shown_as_processing_and_found_by_the_check(
    scene: PaymentScene,
) -> None:
    scene.lose_answer(CONFIRM)
    progress = await scene.pay()
    assert progress.state is ProgressState.UNKNOWN
    found = await scene.load_invoice()
    assert (found.paid, found.held, found.processing) == (euros("0"), euros("119"), euros("119"))
    assert await scene.check(progress.attempt_id) is Settlement.APPLIED
    found = await scene.load_invoice()
    assert (found.paid, found.held, found.processing) == (euros("119"), euros("0"), euros("0"))


async def test_a_confirmation_that_never_arrived_is_cancelled_when_its_time_is_over(
    scene: PaymentScene,
) -> None:
    scene.refuse(CONFIRM)
    progress = await scene.pay()
    assert await scene.check(progress.attempt_id) is Settlement.UNCHANGED
    assert (await scene.load_attempt(progress.attempt_id)).state is AttemptState.CONFIRMING
    await scene.expire(progress.attempt_id)
    assert await scene.check(progress.attempt_id) is Settlement.APPLIED
    assert (await scene.load_attempt(progress.attempt_id)).state is AttemptState.CANCELED
    assert (await scene.load_invoice()).held == euros("0")


@pytest.mark.parametrize("fault", ["before", "after"])
async def test_without_an_answer_to_creating_nothing_is_held(scene: PaymentScene, fault: str) -> None:
    if fault == "before":
        scene.refuse(CREATE)
    else:
        scene.lose_answer(CREATE)
    with pytest.raises(Unavailable):
        await scene.pay()
    assert (await scene.load_invoice()).held == euros("0")
    assert (await scene.pay()).state is ProgressState.SUCCEEDED
    assert await scene.list_moves() == [("charge", euros("119"))]


@pytest.mark.parametrize("method", ["create", "confirm"])
async def test_a_process_that_dies_at_the_provider_leaves_an_amount_that_a_check_releases(
    scene: PaymentScene, method: str
) -> None:
    pause = scene.processor.pauses[method] = Pause()
    dying = asyncio.create_task(scene.pay())
    await pause.entered.wait()
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    scene.processor.pauses.clear()
    (attempt,) = await scene.list_attempts()
    assert attempt.state is (AttemptState.RESERVED if method == "create" else AttemptState.CONFIRMING)
    assert (await scene.load_invoice()).held == euros("119")
    await scene.expire(attempt.attempt_id)
    await scene.check(attempt.attempt_id)
    assert (await scene.load_attempt(attempt.attempt_id)).state is AttemptState.CANCELED
    assert (await scene.pay()).state is ProgressState.SUCCEEDED


async def test_a_process_that_dies_after_confirming_leaves_a_payment_that_a_check_books(
    scene: PaymentScene,
) -> None:
    scene.lose_answer(CONFIRM)
    progress = await scene.pay()
    # Its check was lost with it.
    async with scene.context.scope():
        await execute("UPDATE job SET state = 'dead', ended_at = now(), lease = NULL, lease_until = NULL")
        assert await restart_checks() == 1
        assert await restart_checks() == 0
    await scene.check(progress.attempt_id)
    assert (await scene.load_invoice()).paid == euros("119")


async def test_a_decline_frees_the_amount_at_once_and_says_why(scene: PaymentScene) -> None:
    progress = await scene.pay(method=DECLINED)
    assert progress.state is ProgressState.DECLINED
    assert progress.failure == PaymentFailure("card_declined", "generic_decline")
    assert (await scene.load_attempt(progress.attempt_id)).state is AttemptState.FAILED
    assert (await scene.pay()).state is ProgressState.SUCCEEDED


async def test_a_decline_that_cannot_be_cancelled_now_is_cancelled_by_the_check(scene: PaymentScene) -> None:
    scene.refuse(CANCEL)
    progress = await scene.pay(method=DECLINED)
    assert progress.state is ProgressState.DECLINED
    assert (await scene.load_invoice()).held == euros("119")
    await scene.check(progress.attempt_id)
    assert (await scene.load_invoice()).held == euros("0")


async def test_a_refused_token_pays_nothing_and_holds_nothing(scene: PaymentScene) -> None:
    with pytest.raises(Invalid) as caught:
        await scene.pay(token="nonsense")
    assert caught.value.code == "payment.refused"
    (attempt,) = await scene.list_attempts()
    assert (attempt.state, (await scene.load_invoice()).held) == (AttemptState.FAILED, euros("0"))


async def test_an_action_of_the_payer_is_followed_with_the_secret_for_it(scene: PaymentScene) -> None:
    progress = await scene.pay(method=NEEDS_ACTION, nonce="click")
    assert progress.state is ProgressState.REQUIRES_ACTION
    assert progress.client_secret.startswith(f"{progress.intent_id}_secret_")
    again = await scene.pay(method=NEEDS_ACTION, nonce="click")
    assert again == progress
    scene.settle_at_bank(progress.intent_id)
    done = await follow(scene.context, scene.invoice_id, progress.attempt_id)
    assert (done.state, done.client_secret) == (ProgressState.SUCCEEDED, "")


async def test_an_abandoned_action_is_cancelled_after_its_time(scene: PaymentScene) -> None:
    card = await scene.pay("50", method=NEEDS_ACTION)
    bank = await scene.pay("50", method=REDIRECTS)
    limits = [(await scene.load_attempt(each.attempt_id)).expires_in for each in (card, bank)]
    assert limits[0] is not None
    assert limits[1] is not None
    assert limits[0] * 3 < limits[1]
    await scene.expire(card.attempt_id)
    await scene.check(card.attempt_id)
    await scene.check(bank.attempt_id)
    states = [each.state for each in await scene.list_attempts()]
    assert states == [AttemptState.CANCELED, AttemptState.REQUIRES_ACTION]
    assert (await scene.load_invoice()).held == euros("50")


@pytest.mark.parametrize("succeeds", [True, False])
async def test_a_bank_debit_is_processing_until_the_bank_has_decided(
    scene: PaymentScene, *, succeeds: bool
) -> None:
    progress = await scene.pay(method=TAKES_DAYS)
    assert progress.state is ProgressState.PROCESSING
    await scene.expire(progress.attempt_id)
    assert await scene.check(progress.attempt_id) is Settlement.UNCHANGED
    assert (await scene.load_invoice()).processing == euros("119")
    if succeeds:
        scene.settle_at_bank(progress.intent_id)
    else:
        scene.sandbox.control.fail(progress.intent_id)
    await scene.check(progress.attempt_id)
    found = await scene.load_invoice()
    assert (found.paid, found.held) == (euros("119") if succeeds else euros("0"), euros("0"))


@pytest.mark.parametrize(
    ("amount", "is_allowed"),
    [
        ("119", True),
        ("0.50", True),
        ("118.50", True),
        ("118.51", False),
        ("0.49", False),
        ("119.01", False),
        ("-119", False),
        ("0", False),
    ],
)
async def test_an_amount_that_was_tampered_with_is_refused(
    scene: PaymentScene, amount: str, *, is_allowed: bool
) -> None:
    if is_allowed:
        assert (await scene.pay(amount)).amount == euros(amount)
        return
    with pytest.raises(Invalid) as caught:
        await scene.pay(amount)
    assert caught.value.code == "payment.amount"
    assert scene.count_intents() == 0


async def test_another_version_or_currency_is_to_be_loaded_again(scene: PaymentScene) -> None:
    async with scene.context.scope():
        await invoices.add_version(scene.invoice_id, build_content("200"), clock=scene.clock)
    for values in ({}, {"amount": Money(11_900, find_currency("USD")), "version": 2}):
        with pytest.raises(Conflict) as caught:
            await scene.pay(**values)  # type: ignore[arg-type]
        assert caught.value.code == "payment.changed"
    assert (await scene.pay("238", version=2)).state is ProgressState.SUCCEEDED


async def test_a_bank_payment_that_arrives_while_a_card_pays_is_kept_and_shown_as_overpaid(
    scene: PaymentScene,
) -> None:
    progress = await scene.pay(method=NEEDS_ACTION)
    async with scene.context.scope():
        await record_payment(scene.invoice_id, euros("119"), reference="RF18", clock=scene.clock)
    scene.settle_at_bank(progress.intent_id)
    await scene.check(progress.attempt_id)
    assert (await scene.load_invoice()).paid == euros("238")


async def test_an_account_that_was_disconnected_leaves_the_payment_unknown_and_not_failed(
    scene: PaymentScene,
) -> None:
    progress = await scene.pay(method=NEEDS_ACTION)
    scene.sandbox.control.deauthorise(scene.account_id)
    await scene.expire(progress.attempt_id)
    await scene.check(progress.attempt_id)
    attempt = await scene.load_attempt(progress.attempt_id)
    assert (attempt.state, attempt.is_unreachable) == (AttemptState.REQUIRES_ACTION, True)
    scene.sandbox.control.authorise(scene.account_id)
    scene.settle_at_bank(progress.intent_id)
    await scene.check(progress.attempt_id)
    attempt = await scene.load_attempt(progress.attempt_id)
    assert (attempt.state, attempt.is_unreachable) == (AttemptState.SUCCEEDED, False)


async def test_a_payment_that_the_provider_does_not_have_any_more_stays_held_and_is_marked(
    scene: PaymentScene,
) -> None:
    progress = await scene.pay(method=NEEDS_ACTION)
    scene.sandbox.store.open(scene.account_id).intents.clear()
    await scene.expire(progress.attempt_id)
    await scene.check(progress.attempt_id)
    attempt = await scene.load_attempt(progress.attempt_id)
    assert (attempt.state, attempt.is_unreachable) == (AttemptState.REQUIRES_ACTION, True)


async def test_with_a_revoked_account_nothing_begins(scene: PaymentScene) -> None:
    scene.sandbox.control.deauthorise(scene.account_id)
    with pytest.raises(Denied):
        await scene.pay()
    assert (await scene.load_invoice()).held == euros("0")


async def test_a_payment_is_followed_on_its_own_invoice_only(scene: PaymentScene) -> None:
    progress = await scene.pay()
    other = await scene.workspace.issue_invoice()
    for invoice_id, attempt_id in (
        (other, progress.attempt_id),
        (scene.invoice_id, AttemptId(new_id())),
        (InvoiceId(new_id()), progress.attempt_id),
    ):
        for action in (follow, cancel_payment):
            with pytest.raises(Missing) as caught:
                await action(scene.context, invoice_id, attempt_id)
            assert caught.value.code == "payment.not_found"


async def test_a_check_that_is_not_the_latest_does_nothing(scene: PaymentScene) -> None:
    progress = await scene.pay(method=NEEDS_ACTION)
    scene.settle_at_bank(progress.intent_id)
    latest = (await scene.load_attempt(progress.attempt_id)).checks
    for number in (latest - 1, latest + 1):
        assert await check_payment(scene.context, progress.attempt_id, number) is Settlement.UNCHANGED
    assert await check_payment(scene.context, progress.attempt_id, latest) is Settlement.APPLIED
