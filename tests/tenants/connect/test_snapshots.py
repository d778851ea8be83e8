"""Stripe's objects become values of the port, or are refused when this release does not know them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import stripe

from kernel.errors import Invalid
from kernel.ids import new_id
from tenants.connect.snapshots import read_payment, read_refund
from tenants.payments.processor import DisputeStatus, ProviderPayment, ProviderStatus, RefundStatus
from tests.fakes.sample_workspaces import euros
from tests.fakes.stripe_bodies import (
    CREATED,
    build_charge,
    build_dispute,
    build_intent,
    build_movement,
    build_refund,
)

CREATED_AT = dt.datetime.fromtimestamp(CREATED, dt.UTC)


def read(
    refunds: list[Any] | None = None, disputes: list[Any] | None = None, **fields: Any
) -> ProviderPayment:
    return read_payment(
        stripe.PaymentIntent.construct_from(build_intent(**fields), "key"),
        refunds=[stripe.Refund.construct_from(each, "key") for each in refunds or ()],
        disputes=[stripe.Dispute.construct_from(each, "key") for each in disputes or ()],
    )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("requires_payment_method", ProviderStatus.UNCONFIRMED),
        ("requires_confirmation", ProviderStatus.UNCONFIRMED),
        ("requires_action", ProviderStatus.REQUIRES_ACTION),
        ("processing", ProviderStatus.PROCESSING),
        ("succeeded", ProviderStatus.SUCCEEDED),
        ("canceled", ProviderStatus.CANCELED),
    ],
)
def test_each_status_of_an_intent_is_known(status: str, expected: ProviderStatus) -> None:
    assert read(status=status).status is expected


def test_a_new_payment_has_no_movements() -> None:
    attempt_id = new_id()
    payment = read(metadata={"attempt_id": str(attempt_id)})
    assert (payment.intent_id, payment.amount, payment.attempt_id) == ("pi_1", euros("12.34"), attempt_id)
    assert (payment.charge, payment.refunds, payment.disputes, payment.failure) == (None, (), (), None)
    assert (payment.client_secret, payment.created_at) == ("pi_1_secret_x", CREATED_AT)


@pytest.mark.parametrize("text", ["", "not an id", "5"])
def test_what_stands_in_the_metadata_instead_of_an_id_is_ignored(text: str) -> None:
    assert read(metadata={"attempt_id": text}).attempt_id is None


def test_a_payment_has_the_money_that_was_captured() -> None:
    payment = read(status="succeeded", latest_charge=build_charge(amount_captured=1000))
    assert payment.charge is not None
    assert (payment.charge.source_id, payment.charge.amount) == ("ch_1", euros("10.00"))
    assert payment.method_type == "card"


@pytest.mark.parametrize("fields", [{"status": "pending"}, {"status": "failed"}, {"captured": False}])
def test_a_charge_that_has_moved_no_money_is_none(fields: dict[str, Any]) -> None:
    assert read(status="processing", latest_charge=build_charge(**fields)).charge is None


def test_a_decline_names_its_codes_and_never_stripes_text() -> None:
    error = {"code": "card_declined", "decline_code": "insufficient_funds", "message": "Your card …"}
    payment = read(last_payment_error=error)
    assert payment.failure is not None
    assert (payment.failure.code, payment.failure.decline_code) == ("card_declined", "insufficient_funds")
    assert "Your card" not in repr(payment)


@pytest.mark.parametrize(
    ("method", "action", "is_redirect"),
    [
        ("ideal", "redirect_to_url", True),
        ("card", "redirect_to_url", False),
        ("card", "use_stripe_sdk", False),
    ],
)
def test_only_a_banks_page_is_a_redirect(method: str, action: str, is_redirect: bool) -> None:  # noqa: FBT001
    payment = read(
        status="requires_action",
        payment_method={"id": "pm_1", "object": "payment_method", "type": method},
        next_action={"type": action},
    )
    assert (payment.method_type, payment.is_redirect) == (method, is_redirect)


@pytest.mark.parametrize("status", list(RefundStatus))
def test_each_status_of_a_refund_is_known(status: RefundStatus) -> None:
    refund_id = new_id()
    body = build_refund(
        status=status.value, metadata={"refund_id": str(refund_id)}, failure_reason="lost_card"
    )
    refund = read_refund(stripe.Refund.construct_from(body, "key"))
    assert (refund.status, refund.amount, refund.refund_id) == (status, euros("2.00"), refund_id)
    assert refund.failure == "lost_card"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("warning_needs_response", DisputeStatus.INQUIRY),
        ("warning_under_review", DisputeStatus.INQUIRY),
        ("warning_closed", DisputeStatus.CLOSED),
        ("needs_response", DisputeStatus.OPEN),
        ("under_review", DisputeStatus.OPEN),
        ("appeal_under_review", DisputeStatus.OPEN),
        ("prevented", DisputeStatus.CLOSED),
        ("won", DisputeStatus.WON),
        ("lost", DisputeStatus.LOST),
    ],
)
def test_each_status_of_a_dispute_is_known(status: str, expected: DisputeStatus) -> None:
    (dispute,) = read(disputes=[build_dispute(status=status)]).disputes
    assert (dispute.status, dispute.movements) == (expected, ())
    assert dispute.evidence_due_at == CREATED_AT + dt.timedelta(days=1)


def test_a_dispute_moves_the_disputed_amount_without_the_fee() -> None:
    movements = [build_movement(-1234), build_movement(1234, number=2)]
    (dispute,) = read(disputes=[build_dispute(status="won", balance_transactions=movements)]).disputes
    assert [(each.source_id, each.amount) for each in dispute.movements] == [
        ("txn_1", -euros("12.34")),
        ("txn_2", euros("12.34")),
    ]


def test_a_fee_alone_is_no_movement_of_a_dispute() -> None:
    movements = [build_movement(-1234), build_movement(0, number=2)]
    (dispute,) = read(disputes=[build_dispute(balance_transactions=movements)]).disputes
    assert [each.source_id for each in dispute.movements] == ["txn_1"]


def test_a_dispute_that_is_settled_in_another_currency_moves_the_amount_of_the_payment() -> None:
    movements = [build_movement(-1399, currency="usd"), build_movement(1388, number=2, currency="usd")]
    (dispute,) = read(disputes=[build_dispute(balance_transactions=movements)]).disputes
    assert [each.amount for each in dispute.movements] == [-euros("12.34"), euros("12.34")]


@pytest.mark.parametrize(
    "make",
    [
        lambda: read(status="requires_capture"),
        lambda: read(refunds=[build_refund(status="reversed")]),
        lambda: read(refunds=[build_refund(status=None)]),
        lambda: read(disputes=[build_dispute(status="arbitration")]),
    ],
)
def test_an_unknown_value_is_refused_and_not_guessed(make: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        make()
    assert refusal.value.code == "payment.unknown_value"
