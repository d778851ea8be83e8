"""The gate: a card payment is offered only when all holds, and else the first reason is named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kernel.errors import Conflict
from kernel.money import Money, find_currency
from tenants.connect.values import CardCapability
from tenants.invoices.status import InvoiceStatus
from tenants.payments.amounts import AmountLimits
from tenants.payments.offer import MAX_ACCOUNT_AGE, Gate, Offer, PayableInvoice, PaymentPolicy, make_offer
from tenants.payments.processor import PaymentAccount
from tenants.payments.queries import load_offer
from tests.fakes.payment_scenes import NEEDS_ACTION, PAYER, TAKES_DAYS, PaymentScene
from tests.fakes.sample_workspaces import euros

NOW = dt.datetime(2026, 3, 16, 9, 30, tzinfo=dt.UTC)
EUR = find_currency("EUR")
ACCOUNT = PaymentAccount("acct_1", is_live=True, is_active=True, takes_cards=True, checked_at=NOW)
LIMITS = AmountLimits(Money(50, EUR), Money(99_999_999, EUR), Money(1, EUR))
INVOICE = PayableInvoice(InvoiceStatus.ISSUED, euros("119"), euros("19"), euros("0"), is_disputed=False)
GATE = Gate(is_live=True, account=ACCOUNT, limits=LIMITS)
POLICY = PaymentPolicy(is_live=True, takes_parts=True)


def offer(invoice: PayableInvoice = INVOICE, gate: Gate = GATE, policy: PaymentPolicy = POLICY) -> Offer:
    return make_offer(invoice, gate, policy, (), now=NOW)


def test_when_all_holds_what_is_free_is_offered() -> None:
    made = offer()
    assert (made.blocker, made.free) == (None, euros("100"))
    assert made.amounts is not None
    assert (made.amounts.whole, made.amounts.smallest, made.amounts.largest) == (
        euros("100"),
        euros("0.50"),
        euros("99.50"),
    )


def account(**changes: Any) -> Callable[[], Offer]:
    return lambda: offer(gate=replace(GATE, account=replace(ACCOUNT, **changes)))


def invoice(**changes: Any) -> Callable[[], Offer]:
    return lambda: offer(replace(INVOICE, **changes))


@pytest.mark.parametrize(
    ("blocker", "make"),
    [
        ("not_connected", lambda: offer(gate=replace(GATE, account=None))),
        ("disconnected", account(is_active=False)),
        ("cards_inactive", account(takes_cards=False)),
        ("account_unverified", account(checked_at=NOW - MAX_ACCOUNT_AGE - dt.timedelta(seconds=1))),
        ("other_mode", account(is_live=False)),
        ("other_mode", lambda: offer(gate=replace(GATE, is_live=False))),
        ("other_mode", lambda: offer(policy=replace(POLICY, is_live=False))),
        ("not_payable", invoice(status=InvoiceStatus.VOID)),
        ("not_payable", invoice(status=InvoiceStatus.DRAFT)),
        ("not_payable", invoice(status=InvoiceStatus.WRITTEN_OFF)),
        ("not_payable", invoice(is_disputed=True)),
        ("nothing_due", invoice(paid=euros("119"))),
        ("nothing_due", invoice(paid=euros("200"))),
        ("currency", lambda: offer(gate=replace(GATE, limits=None))),
        ("below_minimum", invoice(paid=euros("118.51"))),
        ("under_way", invoice(held=euros("100"))),
        ("under_way", invoice(held=euros("99.51"))),
    ],
)
def test_what_does_not_hold_is_named(blocker: str, make: Callable[[], Offer]) -> None:
    made = make()
    assert (made.blocker, made.amounts) == (blocker, None)


async def test_who_pays_and_since_when_is_said_with_the_offer_to_take_over(scene: PaymentScene) -> None:
    progress = await scene.pay(method=NEEDS_ACTION)
    async with scene.context.scope():
        made = await load_offer(scene.processor, scene.invoice_id, clock=scene.clock)
    (under_way,) = made.under_way
    assert (made.blocker, made.can_take_over, made.free) == ("under_way", True, euros("0"))
    assert (under_way.payer_name, under_way.payer_kind) == (PAYER.name, PAYER.kind.value)
    assert under_way.since == (await scene.load_attempt(progress.attempt_id)).created_at


async def test_from_a_payment_in_hand_nobody_takes_over(scene: PaymentScene) -> None:
    await scene.pay(method=TAKES_DAYS)
    async with scene.context.scope():
        made = await load_offer(scene.processor, scene.invoice_id, clock=scene.clock)
    assert (made.blocker, made.can_take_over) == ("under_way", False)


async def test_the_gate_is_passed_again_when_the_payment_begins(scene: PaymentScene) -> None:
    await scene.record_account(CardCapability.PENDING)
    with pytest.raises(Conflict) as caught:
        await scene.pay()
    assert (caught.value.code, caught.value.data) == ("payment.blocked", {"blocker": "cards_inactive"})
    assert await scene.list_attempts() == ()
