"""The port's contract over the Stripe sandbox: payments from their creation to their refunds and disputes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kernel.errors import Conflict, Denied, Invalid, Missing
from kernel.ids import WorkspaceId, new_id
from kernel.money import Money, find_currency
from tenants.connect.currencies import to_stripe_units
from tenants.ids import AttemptId, InvoiceId, RefundId
from tenants.payments.processor import (
    DisputeStatus,
    NewPayment,
    ProviderStatus,
    RefundStatus,
)
from tests.fakes.sample_workspaces import euros
from tests.fakes.sandbox_payments import Stage

DECLINED = "4000000000000002"
ASKS_3DS = "4000002760003184"
IBAN = "DE89370400440532013000"
FAILING_REFUND = "4000000000005126"


async def test_a_payment_moves_no_money_before_it_is_confirmed(stage: Stage) -> None:
    payment = await stage.create()
    assert (payment.status, payment.charge) == (ProviderStatus.UNCONFIRMED, None)
    paid = await stage.confirm(payment)
    assert (paid.status, paid.method_type) == (ProviderStatus.SUCCEEDED, "card")
    assert paid.charge is not None
    assert paid.charge.amount == euros("12.34")
    loaded = await stage.load(payment)
    assert (loaded.charge, loaded.status, loaded.attempt_id) == (
        paid.charge,
        paid.status,
        payment.attempt_id,
    )


async def test_an_attempt_creates_one_payment_however_often_it_is_asked(stage: Stage) -> None:
    attempt_id, workspace_id, invoice_id = AttemptId(new_id()), WorkspaceId(new_id()), InvoiceId(new_id())
    new = NewPayment(attempt_id, workspace_id, invoice_id, "INV-7", euros("12.34"))
    first, second = [await stage.processor.create_payment(stage.account_id, new) for _ in range(2)]
    assert first.intent_id == second.intent_id


async def test_an_attempt_is_confirmed_once_whatever_is_typed_the_second_time(stage: Stage) -> None:
    payment = await stage.create()
    paid = await stage.confirm(payment)
    # Another token under the same key: Stripe refuses it, and no second charge is made.
    with pytest.raises(Invalid):
        await stage.confirm(payment)
    assert (await stage.load(payment)).charge == paid.charge
    assert stage.sandbox.books.read(stage.account_id)[payment.intent_id].charged == 1234


async def test_a_decline_leaves_the_payment_open_with_its_reason(stage: Stage) -> None:
    declined = await stage.pay(DECLINED)
    assert (declined.status, declined.charge) == (ProviderStatus.UNCONFIRMED, None)
    assert declined.failure is not None
    assert declined.failure.code == "card_declined"


async def test_a_bank_may_ask_and_then_decide(stage: Stage) -> None:
    asked = await stage.pay(ASKS_3DS)
    assert (asked.status, asked.is_redirect) == (ProviderStatus.REQUIRES_ACTION, False)
    stage.sandbox.control.settle(asked.intent_id)
    assert (await stage.load(asked)).status is ProviderStatus.SUCCEEDED
    refused = await stage.pay(ASKS_3DS)
    stage.sandbox.control.fail(refused.intent_id)
    failed = await stage.load(refused)
    assert (failed.status, failed.charge) == (ProviderStatus.UNCONFIRMED, None)
    assert failed.failure is not None


async def test_a_banks_page_is_a_redirect(stage: Stage) -> None:
    asked = await stage.pay("ideal")
    assert (asked.status, asked.is_redirect, asked.method_type) == (
        ProviderStatus.REQUIRES_ACTION,
        True,
        "ideal",
    )


async def test_a_cancelled_payment_cannot_be_confirmed_and_a_paid_one_not_cancelled(stage: Stage) -> None:
    payment = await stage.create()
    for _ in range(2):
        cancelled = await stage.processor.cancel_payment(stage.account_id, payment.intent_id)
        assert cancelled.status is ProviderStatus.CANCELED
    with pytest.raises(Conflict):
        await stage.confirm(payment)
    paid = await stage.pay()
    found = await stage.processor.cancel_payment(stage.account_id, paid.intent_id)
    assert (found.status, found.charge) == (ProviderStatus.SUCCEEDED, paid.charge)


async def test_refunds_are_in_the_picture_whoever_made_them(stage: Stage) -> None:
    paid = await stage.pay()
    assert paid.charge is not None
    refund_id = RefundId(new_id())
    ours = [await stage.refund(paid, "2.00", refund_id) for _ in range(2)]
    assert ours[0] == ours[1]
    stage.sandbox.control.refund(paid.charge.source_id, 300)
    loaded = await stage.load(paid)
    assert sorted(refund.amount for refund in loaded.refunds) == [euros("2.00"), euros("3.00")]
    assert {refund.refund_id for refund in loaded.refunds} == {refund_id, None}
    assert {refund.status for refund in loaded.refunds} == {RefundStatus.SUCCEEDED}
    with pytest.raises(Conflict) as caught:
        await stage.refund(paid, "7.35")
    assert caught.value.code == "payment.refund_too_large"


async def test_a_dispute_moves_money_and_an_inquiry_none(stage: Stage) -> None:
    paid, asked = await stage.pay(), await stage.pay()
    assert paid.charge is not None
    assert asked.charge is not None
    control = stage.sandbox.control
    dispute_id = control.open_dispute(paid.charge.source_id)
    control.open_dispute(asked.charge.source_id, funds=False)
    (inquiry,) = (await stage.load(asked)).disputes
    assert (inquiry.status, inquiry.movements) == (DisputeStatus.INQUIRY, ())
    (dispute,) = (await stage.load(paid)).disputes
    assert dispute.status is DisputeStatus.OPEN
    assert [each.amount for each in dispute.movements] == [-euros("12.34")]
    control.win_dispute(dispute_id)
    (won,) = (await stage.load(paid)).disputes
    assert won.status is DisputeStatus.WON
    assert [each.amount for each in won.movements] == [-euros("12.34"), euros("12.34")]


async def test_an_amount_below_the_minimum_is_refused(stage: Stage) -> None:
    with pytest.raises(Invalid) as caught:
        await stage.create(euros("0.49"))
    assert caught.value.code == "payment.amount_too_small"


@pytest.mark.parametrize(
    ("amount", "code"),
    [("500", "JPY"), ("1.230", "KWD"), ("500", "ISK"), ("5000", "UGX"), ("200.50", "HUF")],
)
async def test_each_kind_of_currency_keeps_its_amount(stage: Stage, amount: str, code: str) -> None:
    money = Money.from_decimal(Decimal(amount), find_currency(code))
    paid = await stage.pay(amount=money)
    assert paid.charge is not None
    assert paid.charge.amount == paid.amount == money
    books = stage.sandbox.books.read(stage.account_id)[paid.intent_id]
    assert books.charged == to_stripe_units(money)


async def test_a_payment_is_unknown_to_another_account_and_a_revoked_one_is_told_apart(stage: Stage) -> None:
    paid = await stage.pay()
    other = stage.sandbox.control.create_account()
    with pytest.raises(Missing):
        await stage.processor.load_payment(other, paid.intent_id)
    stage.sandbox.control.deauthorise(stage.account_id)
    with pytest.raises(Denied) as caught:
        await stage.load(paid)
    assert caught.value.code == "payment.account_revoked"


async def test_a_delayed_payment_is_processing_until_the_bank_has_decided(stage: Stage) -> None:
    pending = await stage.pay(IBAN)
    assert (pending.status, pending.charge, pending.method_type) == (
        ProviderStatus.PROCESSING,
        None,
        "sepa_debit",
    )
    stage.sandbox.control.settle(pending.intent_id)
    settled = await stage.load(pending)
    assert settled.status is ProviderStatus.SUCCEEDED
    assert settled.charge is not None
    other = await stage.pay(IBAN)
    stage.sandbox.control.fail(other.intent_id)
    failed = await stage.load(other)
    assert (failed.status, failed.charge) == (ProviderStatus.UNCONFIRMED, None)


async def test_a_refund_that_fails_stays_in_the_picture(stage: Stage) -> None:
    paid = await stage.pay(FAILING_REFUND)
    source_id = await stage.refund(paid, "2.00")
    stage.sandbox.control.fail_refund(source_id)
    (refund,) = (await stage.load(paid)).refunds
    assert (refund.status, refund.amount) == (RefundStatus.FAILED, euros("2.00"))
    assert refund.failure


async def test_the_platforms_fee_is_a_part_of_the_payment(stage: Stage) -> None:
    paid = await stage.confirm(await stage.create(euros("100.00"), fee_bp=150))
    assert paid.charge is not None
    assert paid.charge.amount == euros("100.00")
