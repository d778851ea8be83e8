"""Disputes of the Stripe sandbox, asked by the real SDK."""

from typing import Any

import pytest
import stripe

from ops.sandbox.stripe.methods import DisputeKind
from tests.fakes.stripe_payments import PaymentStage

OPENED = ["charge.dispute.created", "charge.dispute.funds_withdrawn"]


async def _pay(stage: PaymentStage, method: str = "pm_card_visa") -> tuple[str, str]:
    """Pay 5000, and return the ids of the intent and of the charge."""
    intent = await stage.pay(method)
    return intent.id, str(intent.latest_charge)


async def _read(stage: PaymentStage, dispute_id: str) -> stripe.Dispute:
    return await stage.client.v1.disputes.retrieve_async(dispute_id, {}, stage.options())


async def _list(stage: PaymentStage, **filters: Any) -> list[stripe.Dispute]:
    parameters: Any = filters
    return (await stage.client.v1.disputes.list_async(parameters, stage.options())).data


async def _answer(stage: PaymentStage, dispute_id: str, text: str, **changes: Any) -> stripe.Dispute:
    parameters: Any = {"evidence": {"uncategorized_text": text}, **changes}
    return await stage.client.v1.disputes.update_async(dispute_id, parameters, stage.options())


async def _list_dispute_events(stage: PaymentStage) -> list[str]:
    return [one for one in await stage.list_types() if one.startswith("charge.dispute")]


def _net(stage: PaymentStage, intent_id: str) -> int:
    return stage.sandbox.books.read(stage.account)[intent_id].net


async def test_an_opened_dispute_takes_the_money_and_its_fee_at_once(stage: PaymentStage) -> None:
    intent_id, charge_id = await _pay(stage)

    dispute = await _read(stage, stage.sandbox.control.open_dispute(charge_id))

    (movement,) = dispute.balance_transactions
    assert (dispute.status, dispute.amount, dispute.charge) == ("needs_response", 5000, charge_id)
    assert (dispute.payment_intent, dispute.is_charge_refundable) == (intent_id, False)
    assert (movement.amount, movement.type, movement.reporting_category) == (-5000, "adjustment", "dispute")
    assert movement.net < -5000
    assert movement.source == dispute.id
    assert (await stage.read_charge(intent_id)).disputed is True
    assert await _list_dispute_events(stage) == OPENED
    assert _net(stage, intent_id) == 0


async def test_the_event_of_a_new_dispute_says_that_nothing_has_moved_yet(stage: PaymentStage) -> None:
    _, charge_id = await _pay(stage)
    stage.sandbox.control.open_dispute(charge_id)

    page = await stage.client.v1.events.list_async({"types": OPENED}, stage.options())

    moved = {event.type: len(event.data.object["balance_transactions"]) for event in page.data}
    assert moved == {OPENED[0]: 0, OPENED[1]: 1}


async def test_an_inquiry_moves_no_money_and_the_charge_can_be_refunded(stage: PaymentStage) -> None:
    intent_id, charge_id = await _pay(stage)

    dispute = await _read(stage, stage.sandbox.control.open_dispute(charge_id, funds=False))

    assert (dispute.status, dispute.balance_transactions) == ("warning_needs_response", [])
    assert dispute.is_charge_refundable is True
    assert await _list_dispute_events(stage) == OPENED[:1]
    assert (await stage.refund(intent_id, amount=1000)).status == "succeeded"
    assert _net(stage, intent_id) == 4000


async def test_a_disputed_charge_cannot_be_refunded(stage: PaymentStage) -> None:
    intent_id, charge_id = await _pay(stage)
    stage.sandbox.control.open_dispute(charge_id)

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.refund(intent_id)

    assert refusal.value.code == "charge_disputed"


async def test_a_won_dispute_gives_the_money_back(stage: PaymentStage) -> None:
    intent_id, charge_id = await _pay(stage)
    dispute_id = stage.sandbox.control.open_dispute(charge_id)

    stage.sandbox.control.win_dispute(dispute_id)

    dispute = await _read(stage, dispute_id)
    assert dispute.status == "won"
    assert [one.amount for one in dispute.balance_transactions] == [-5000, 5000]
    assert dispute.balance_transactions[1].reporting_category == "dispute_reversal"
    closed = [*OPENED, "charge.dispute.funds_reinstated", "charge.dispute.closed"]
    assert await _list_dispute_events(stage) == closed
    assert _net(stage, intent_id) == 5000


async def test_a_charge_can_be_refunded_after_a_won_dispute(stage: PaymentStage) -> None:
    intent_id, charge_id = await _pay(stage)
    dispute_id = stage.sandbox.control.open_dispute(charge_id)
    stage.sandbox.control.win_dispute(dispute_id)

    await stage.refund(intent_id)

    assert (await _read(stage, dispute_id)).is_charge_refundable is True
    assert (await stage.read_charge(intent_id)).disputed is True
    assert _net(stage, intent_id) == 0


async def test_a_lost_dispute_moves_no_further_money(stage: PaymentStage) -> None:
    intent_id, charge_id = await _pay(stage)
    dispute_id = stage.sandbox.control.open_dispute(charge_id)

    stage.sandbox.control.lose_dispute(dispute_id)

    dispute = await _read(stage, dispute_id)
    assert (dispute.status, len(dispute.balance_transactions)) == ("lost", 1)
    assert await _list_dispute_events(stage) == [*OPENED, "charge.dispute.closed"]
    assert _net(stage, intent_id) == 0


async def test_an_inquiry_is_closed_or_becomes_a_dispute(stage: PaymentStage) -> None:
    (intent_id, first), (_, second) = await _pay(stage), await _pay(stage)
    control = stage.sandbox.control
    escalated, closed = (control.open_dispute(charge, funds=False) for charge in (first, second))

    control.escalate_dispute(escalated)
    control.win_dispute(closed)

    assert (await _read(stage, escalated)).status == "needs_response"
    assert (await _read(stage, closed)).status == "warning_closed"
    assert (await _read(stage, closed)).balance_transactions == []
    assert _net(stage, intent_id) == 0


async def test_a_part_of_a_charge_can_be_disputed(stage: PaymentStage) -> None:
    intent_id, charge_id = await _pay(stage)

    dispute = await _read(stage, stage.sandbox.control.open_dispute(charge_id, amount=1200))

    assert (dispute.amount, _net(stage, intent_id)) == (1200, 3800)


@pytest.mark.parametrize(
    ("method", "status", "reason"),
    [
        ("pm_card_createDispute", "needs_response", "fraudulent"),
        ("pm_card_createDisputeProductNotReceived", "needs_response", "product_not_received"),
        ("pm_card_createDisputeInquiry", "warning_needs_response", "fraudulent"),
    ],
)
async def test_some_cards_succeed_and_are_disputed(
    stage: PaymentStage, method: str, status: str, reason: str
) -> None:
    intent_id, charge_id = await _pay(stage, method)

    (dispute,) = await _list(stage, charge=charge_id)

    assert (dispute.status, dispute.reason, dispute.payment_intent) == (status, reason, intent_id)
    assert (await stage.read(intent_id)).status == "succeeded"


@pytest.mark.parametrize(
    ("text", "status", "reviewed"),
    [
        ("winning_evidence", "won", 5000),
        ("losing_evidence", "lost", 0),
        ("The parcel was delivered.", "under_review", 0),
    ],
)
async def test_evidence_of_the_test_mode_decides(
    stage: PaymentStage, text: str, status: str, reviewed: int
) -> None:
    intent_id, charge_id = await _pay(stage)

    dispute = await _answer(stage, stage.sandbox.control.open_dispute(charge_id), text)

    assert (dispute.status, dispute.evidence_details.submission_count) == (status, 1)
    assert dispute.evidence.uncategorized_text == text
    assert _net(stage, intent_id) == reviewed


async def test_evidence_that_is_staged_decides_nothing(stage: PaymentStage) -> None:
    _, charge_id = await _pay(stage)

    dispute = await _answer(
        stage, stage.sandbox.control.open_dispute(charge_id), "winning_evidence", submit=False
    )

    assert (dispute.status, dispute.evidence_details.has_evidence) == ("needs_response", True)


async def test_evidence_that_loses_closes_an_inquiry_without_a_chargeback(stage: PaymentStage) -> None:
    intent_id, charge_id = await _pay(stage)
    dispute_id = stage.sandbox.control.open_dispute(charge_id, funds=False)

    dispute = await _answer(stage, dispute_id, "losing_evidence")

    assert (dispute.status, dispute.balance_transactions) == ("warning_closed", [])
    assert _net(stage, intent_id) == 5000


async def test_an_inquiry_can_be_escalated_by_evidence(stage: PaymentStage) -> None:
    intent_id, charge_id = await _pay(stage)
    dispute_id = stage.sandbox.control.open_dispute(charge_id, funds=False)

    dispute = await _answer(stage, dispute_id, "escalate_inquiry_evidence")

    assert (dispute.status, _net(stage, intent_id)) == ("needs_response", 0)


async def test_closing_a_dispute_is_losing_it_for_good(stage: PaymentStage) -> None:
    _, charge_id = await _pay(stage)
    dispute_id = stage.sandbox.control.open_dispute(charge_id)

    closed = await stage.client.v1.disputes.close_async(dispute_id, {}, stage.options())

    assert closed.status == "lost"
    with pytest.raises(stripe.InvalidRequestError):
        await stage.client.v1.disputes.close_async(dispute_id, {}, stage.options())
    with pytest.raises(stripe.InvalidRequestError):
        await _answer(stage, dispute_id, "winning_evidence")


async def test_disputes_are_listed_by_intent_within_their_account(stage: PaymentStage) -> None:
    (first, charge), (_, other_charge) = await _pay(stage), await _pay(stage)
    dispute_id = stage.sandbox.control.open_dispute(charge)
    stage.sandbox.control.open_dispute(other_charge, kind=DisputeKind.NOT_RECEIVED)
    stranger = stage.sandbox.control.create_account()

    assert [one.id for one in await _list(stage, payment_intent=first)] == [dispute_id]
    assert len(await _list(stage)) == 2
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.client.v1.disputes.retrieve_async(dispute_id, {}, stage.options(account=stranger))
    assert refusal.value.code == "resource_missing"
