"""An invoice goes only where its life leads, and its page says the right word on the way."""

from __future__ import annotations

import datetime as dt
from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kernel.errors import Conflict, Invalid
from kernel.money import Money, find_currency
from tenants.invoices.status import (
    InvoiceStatus,
    PaymentState,
    check_transition,
    compute_amount_due,
    derive_payment_state,
)

EUR = find_currency("EUR")
DUE = dt.date(2026, 3, 31)
ALLOWED = {("draft", "issued"), ("issued", "void"), ("issued", "written_off")}


def build_euros(minor: int) -> Money:
    return Money(minor, EUR)


@pytest.mark.parametrize(("current", "wanted"), list(product(InvoiceStatus, InvoiceStatus)))
def test_every_step_is_legal_or_a_conflict(current: InvoiceStatus, wanted: InvoiceStatus) -> None:
    if (current.value, wanted.value) in ALLOWED:
        assert check_transition(current, wanted) is wanted
        return
    with pytest.raises(Conflict) as refused:
        check_transition(current, wanted)
    assert refused.value.code == "invoice.status"
    assert refused.value.data == {"current": current.value, "wanted": wanted.value}


def derive(
    status: str, amounts: tuple[int, int, int], *, days: int = 0, is_disputed: bool = False
) -> PaymentState:
    total, paid, processing = amounts
    return derive_payment_state(
        InvoiceStatus(status),
        total=build_euros(total),
        paid=build_euros(paid),
        processing=build_euros(processing),
        is_disputed=is_disputed,
        due_date=DUE,
        today=DUE + dt.timedelta(days=days),
    )


@pytest.mark.parametrize(
    ("status", "amounts", "day", "word"),
    [
        ("draft", (100, 0, 0), 40, "draft"),
        ("issued", (100, 0, 0), 0, "due"),
        ("issued", (100, 0, 0), 1, "overdue"),
        ("issued", (100, 40, 0), 0, "partly_paid"),
        ("issued", (100, 40, 0), 1, "overdue"),
        ("issued", (100, 40, 60), 1, "processing"),
        ("issued", (100, 0, 60), 0, "due"),
        ("issued", (100, 0, 60), 1, "overdue"),
        ("issued", (100, 100, 0), 1, "paid"),
        ("issued", (100, 120, 30), 1, "overpaid"),
        ("issued", (0, 0, 0), 1, "paid"),
        ("issued", (0, 1, 0), 1, "overpaid"),
        ("issued", (-50, 0, 0), 1, "paid"),
        ("issued", (100, -5, 0), 0, "due"),
        ("void", (100, 0, 0), 1, "void"),
        ("void", (100, 100, 0), 1, "void"),
        ("written_off", (100, 40, 0), 1, "written_off"),
        ("written_off", (100, 0, 100), 1, "written_off"),
        ("written_off", (0, 0, 0), 1, "written_off"),
        ("written_off", (100, 100, 0), 1, "paid"),
        ("written_off", (100, 101, 0), 1, "overpaid"),
    ],
)
def test_the_word_for_an_invoice(status: str, amounts: tuple[int, int, int], day: int, word: str) -> None:
    assert derive(status, amounts, days=day) == word


@pytest.mark.parametrize(
    ("status", "word"),
    [("draft", "draft"), ("issued", "disputed"), ("written_off", "disputed"), ("void", "void")],
)
def test_a_dispute_says_more_than_the_amounts_unless_the_invoice_is_void(status: str, word: str) -> None:
    for amounts in ((100, 0, 0), (100, 100, 0), (100, 120, 0), (100, 0, 100)):
        assert derive(status, amounts, days=1, is_disputed=True) == word


def test_an_invoice_without_a_due_date_is_never_overdue() -> None:
    state = derive_payment_state(
        InvoiceStatus.ISSUED,
        total=build_euros(1),
        paid=build_euros(0),
        processing=build_euros(0),
        is_disputed=False,
        due_date=None,
        today=dt.date.max,
    )
    assert state is PaymentState.DUE


def test_less_than_nothing_is_never_processed() -> None:
    with pytest.raises(Invalid) as refused:
        derive("issued", (1, 0, -1))
    assert refused.value.code == "invoice.processing_negative"


def test_money_of_another_currency_never_pays() -> None:
    with pytest.raises(Invalid) as refused:
        compute_amount_due(build_euros(100), Money(100, find_currency("USD")))
    assert refused.value.code == "money.currency"


class InvoiceMachine(RuleBasedStateMachine):
    """An invoice with its payments, voids, refunds and days, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.total, self.paid, self.processing = 0, 0, 0
        self.day = DUE - dt.timedelta(days=2)
        self.status = InvoiceStatus.DRAFT
        self.history = [self.status]

    @initialize(total=st.integers(-200, 500))
    def write(self, total: int) -> None:
        self.total = total

    def move(self, wanted: InvoiceStatus) -> None:
        self.status = check_transition(self.status, wanted)
        self.history.append(self.status)

    @precondition(lambda self: self.status is InvoiceStatus.DRAFT)
    @rule()
    def issue(self) -> None:
        self.move(InvoiceStatus.ISSUED)

    @precondition(lambda self: self.status in {InvoiceStatus.ISSUED, InvoiceStatus.WRITTEN_OFF})
    @rule(amount=st.integers(1, 300))
    def begin_payment(self, amount: int) -> None:
        self.processing = min(amount, max(self.total - self.paid, 0))

    @precondition(lambda self: self.processing > 0)
    @rule(succeeds=st.booleans())
    def end_payment(self, *, succeeds: bool) -> None:
        self.paid += self.processing if succeeds else 0
        self.processing = 0

    @precondition(lambda self: self.paid > 0)
    @rule(amount=st.integers(1, 300))
    def refund(self, amount: int) -> None:
        self.paid -= min(amount, self.paid)

    @precondition(lambda self: self.status is InvoiceStatus.ISSUED)
    @rule(ending=st.sampled_from([InvoiceStatus.VOID, InvoiceStatus.WRITTEN_OFF]))
    def give_up(self, ending: InvoiceStatus) -> None:
        self.move(ending)

    @rule(wanted=st.sampled_from(InvoiceStatus))
    def try_any_step(self, wanted: InvoiceStatus) -> None:
        if (self.status.value, wanted.value) in ALLOWED:
            return
        with pytest.raises(Conflict):
            check_transition(self.status, wanted)

    @rule()
    def next_day(self) -> None:
        self.day += dt.timedelta(days=1)

    @invariant()
    def the_history_has_allowed_transitions(self) -> None:
        assert self.history[0] is InvoiceStatus.DRAFT
        assert InvoiceStatus.DRAFT not in self.history[1:]
        assert InvoiceStatus.VOID not in self.history[:-1]

    @invariant()
    def the_payment_state_matches_the_amounts(self) -> None:
        word = derive_payment_state(
            self.status,
            total=build_euros(self.total),
            paid=build_euros(self.paid),
            processing=build_euros(self.processing),
            is_disputed=False,
            due_date=DUE,
            today=self.day,
        )
        left = self.total - self.paid
        assert compute_amount_due(build_euros(self.total), build_euros(self.paid)) == build_euros(
            max(left, 0)
        )
        if self.status in {InvoiceStatus.DRAFT, InvoiceStatus.VOID}:
            assert word.value == self.status.value
            return
        assert (word is PaymentState.OVERPAID) == (self.paid > max(self.total, 0))
        if word is PaymentState.OVERPAID:
            return
        if self.status is InvoiceStatus.WRITTEN_OFF:
            is_paid = bool(self.paid) and left <= 0
            assert word is (PaymentState.PAID if is_paid else PaymentState.WRITTEN_OFF)
            return
        assert (word is PaymentState.PAID) == (left <= 0)
        assert (word is PaymentState.PROCESSING) == (left > 0 and self.processing >= left)
        assert word is not PaymentState.OVERDUE or self.day > DUE
        assert word is not PaymentState.DUE or (self.paid == 0 and self.day <= DUE)
        assert word is not PaymentState.PARTLY_PAID or 0 < self.paid < self.total


TestInvoiceMachine = InvoiceMachine.TestCase
TestInvoiceMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
