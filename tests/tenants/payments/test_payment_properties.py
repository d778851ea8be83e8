"""Payers, bank, dashboard, faults and dying processes in any order, over the Stripe sandbox and real Postgres.

Whatever happens, the ledger is the truth at the sandbox once all is quiet; without attempts, money is taken twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kernel.ids import new_id
from kernel.money import Money
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store.roles import Urls
from ops.sandbox.stripe.faults import Fault, FaultKind
from tenants.ids import AttemptId
from tenants.payments.processor import NewPayment
from tenants.payments.states import ACTIVE, IN_HAND, AttemptState
from tenants.payments.values import Attempt, Entry, EntryKind
from tests.fakes.payment_world import EUR, METHODS, RETURN_URL, World

CREATE, CONFIRM = "POST /v1/payment_intents", "POST /v1/payment_intents/*/confirm"
FAULTS = (
    (FaultKind.DROP_AFTER, CONFIRM),
    (FaultKind.DROP_AFTER, CREATE),
    (FaultKind.ERROR_BEFORE, CONFIRM),
    (FaultKind.ERROR_STORED, CONFIRM),
    (FaultKind.ERROR_AFTER, CONFIRM),
    (FaultKind.RATE_LIMIT, CREATE),
    (FaultKind.LOCK_TIMEOUT, "POST /v1/payment_intents/*/cancel"),
    (FaultKind.DROP_AFTER, "POST /v1/refunds"),
)
DEATHS = [(when, method) for when in ("before", "after") for method in ("create", "confirm", "cancel")]
# After these, more may have been paid than was owed, and rightly: each is flagged, or money that came back.
EXCUSES = {EntryKind.MANUAL, EntryKind.REFUND_FAILED, EntryKind.DISPUTE_REINSTATED}
methods = st.sampled_from(["pays", "pays", *METHODS])
indexes = st.integers(0, 5)


class OverpaidError(AssertionError):
    """More was charged than was ever owed."""


class PaymentMachine(RuleBasedStateMachine):
    """One invoice of 119 euros, and all that can happen to it."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.world.issue()
        self.rivals = self.world.list_rivals_rows()
        self.entries: tuple[Entry, ...] = ()
        self.attempts: dict[AttemptId, Attempt] = {}
        self.disputes: list[str] = []
        self.most_owed = 0

    def choose_amount(self, part: int) -> int:
        """Return all that is free, or a part of it."""
        found = self.world.load_invoice()
        free = (found.total - found.paid - found.held).minor
        return max(free if part == 0 else free * part // 4, 50)

    def choose_intent(self, index: int) -> str:
        """Return the intent of one of the attempts, or ""."""
        intents = [each.intent_id for each in self.attempts.values() if each.intent_id]
        return intents[index % len(intents)] if intents else ""

    @rule(part=st.integers(0, 3), method=methods, take_over=st.booleans())
    def click(self, part: int, method: str, *, take_over: bool) -> None:
        """Pay."""
        self.world.act(self.world.pay(self.choose_amount(part), method, take_over=take_over))

    @rule(method=methods, clicks=st.integers(2, 3))
    def click_together(self, method: str, clicks: int) -> None:
        """Pay in several tabs at once."""
        amount = self.choose_amount(0)
        self.world.act_together([self.pay_in_tab(amount, method) for _ in range(clicks)])

    async def pay_in_tab(self, amount: int, method: str) -> Any:
        """Pay as one of several; the control replaces this."""
        return await self.world.pay(amount, method)

    @rule(method=methods)
    def click_twice(self, method: str) -> None:
        """Click twice on the same button."""
        amount, nonce = self.choose_amount(0), new_id().hex
        self.world.act_together([self.world.pay(amount, method, nonce=nonce) for _ in range(2)])

    @rule(fault=st.sampled_from(FAULTS), times=st.integers(1, 3))
    def add_fault(self, fault: tuple[FaultKind, str], times: int) -> None:
        """Let the next requests go wrong."""
        self.world.sandbox.control.add_fault(Fault(fault[0], fault[1], times=times))

    @rule(death=st.sampled_from(DEATHS))
    def die(self, death: tuple[str, str]) -> None:
        """Let the next process that comes there die there."""
        self.world.processor.deaths = {death}

    @rule(index=indexes, succeeds=st.booleans())
    def decide(self, index: int, *, succeeds: bool) -> None:
        """Let the bank or the payer decide."""
        intent_id, control = self.choose_intent(index), self.world.sandbox.control
        rows = {row.intent_id: row.status for row in control.list_bank_rows()}
        if rows.get(intent_id) in {"processing", "requires_action"}:
            (control.settle if succeeds else control.fail)(intent_id)

    @rule(index=indexes, cents=st.integers(1, 12_000), how=st.sampled_from(["dashboard", "portal"]))
    def refund(self, index: int, cents: int, how: str) -> None:
        """Give money back, in the portal or in Stripe's dashboard."""
        intent_id = self.choose_intent(index)
        charge = self.world.find_charge(intent_id)
        if how == "portal":
            attempts = [each for each in self.attempts.values() if each.state is AttemptState.SUCCEEDED]
            if attempts:
                attempt = attempts[index % len(attempts)]
                self.world.act(self.world.refund(attempt.attempt_id, cents))
        elif charge:
            self.world.act(self.refund_in_dashboard(charge, cents))

    async def refund_in_dashboard(self, charge: str, cents: int) -> None:
        """Refund as the business does it there; it refuses what is too much."""
        row = next(row for row in self.world.sandbox.control.list_bank_rows() if row.charge_id == charge)
        left = row.amount - row.refunded
        if left > 0 and not row.dispute_id:
            self.world.sandbox.control.refund(charge, min(cents, left))

    @rule(index=indexes, funds=st.booleans())
    def dispute(self, index: int, *, funds: bool) -> None:
        """Let the payer's bank dispute a charge."""
        charge = self.world.find_charge(self.choose_intent(index))
        rows = {row.charge_id: row for row in self.world.sandbox.control.list_bank_rows()}
        if charge and not rows[charge].dispute_id and not rows[charge].refunded:
            self.disputes.append(self.world.sandbox.control.open_dispute(charge, funds=funds))

    @precondition(lambda self: self.disputes)
    @rule(wins=st.booleans())
    def end_dispute(self, *, wins: bool) -> None:
        """Let the business win or lose the oldest dispute."""
        control = self.world.sandbox.control
        (control.win_dispute if wins else control.lose_dispute)(self.disputes.pop(0))

    @rule(index=indexes)
    def deliver(self, index: int) -> None:
        """Let an event arrive."""
        if intent_id := self.choose_intent(index):
            self.world.act(self.world.deliver(intent_id))

    @rule(index=indexes)
    def deliver_late(self, index: int) -> None:
        """Let a process apply what it has loaded long ago."""
        if self.world.pictures:
            picture = self.world.pictures[index % len(self.world.pictures)]
            self.world.act(self.world.apply(picture))

    @rule(index=indexes, expires=st.booleans())
    def check(self, index: int, *, expires: bool) -> None:
        """Run the latest check of an attempt."""
        if self.attempts:
            attempt_id = list(self.attempts)[index % len(self.attempts)]
            self.world.act(self.world.check(attempt_id, expires=expires))

    @rule(how=st.sampled_from(["record", "void", "edit", "edit"]), number=st.integers(1, 200))
    def change(self, how: str, number: int) -> None:
        """Let a member book a bank payment, void the invoice or change it."""
        match how:
            case "record":
                self.world.act(self.world.record_payment(number * 10))
            case "void" if number < 20:
                self.world.act(self.world.void())
            case _:
                self.world.act(self.world.edit(number))

    @invariant()
    def what_is_stored_holds_together(self) -> None:
        """Compare the copies with their sums, and everything with what it was before."""
        found, entries = self.world.load_invoice(), self.world.list_entries()
        attempts = {each.attempt_id: each for each in self.world.list_attempts()}
        assert entries[: len(self.entries)] == self.entries
        assert found.paid.minor == sum(entry.amount.minor for entry in entries)
        assert found.held == sum_amounts(attempts.values(), ACTIVE)
        assert found.processing == sum_amounts(attempts.values(), IN_HAND)
        for attempt_id, before in self.attempts.items():
            after = attempts[attempt_id]
            assert before.intent_id in {None, after.intent_id}
            if before.state is AttemptState.SUCCEEDED:
                assert after.state is AttemptState.SUCCEEDED
        for attempt in attempts.values():
            own = [entry for entry in entries if entry.attempt_id == attempt.attempt_id]
            charged = sum(entry.amount.minor for entry in own if entry.kind is EntryKind.CHARGE)
            assert charged == (attempt.amount.minor if attempt.state is AttemptState.SUCCEEDED else 0)
            refunds = {EntryKind.REFUND, EntryKind.REFUND_FAILED}
            assert charged + sum(entry.amount.minor for entry in own if entry.kind in refunds) >= 0
        is_excused = any(entry.kind in EXCUSES for entry in entries) or any(
            attempt.is_late for attempt in attempts.values()
        )
        self.entries, self.attempts = entries, attempts
        lowered = max(found.total.minor, found.paid.minor)
        assert is_excused or found.paid.minor + found.held.minor <= lowered

    @invariant()
    def nobody_is_charged_twice(self) -> None:
        """Compare what is left at the sandbox of all payments that were not late with the most that was ever owed."""
        self.most_owed = max(self.most_owed, self.world.load_invoice().total.minor)
        late = {each.intent_id for each in self.attempts.values() if each.is_late}
        books = self.world.sandbox.books.read(self.world.account_id)
        own = [books[intent_id] for intent_id in self.list_intents() if intent_id in books.keys() - late]
        net = sum(each.net for each in own)
        is_excused = any(each.refund_failed or each.reinstated for each in own) or any(
            entry.kind in EXCUSES for entry in self.entries
        )
        if not is_excused and net > self.most_owed:
            raise OverpaidError(f"{net} of {self.most_owed}")

    def list_intents(self) -> set[str]:
        """Return the payments of this invoice at the sandbox."""
        return {each.intent_id for each in self.attempts.values() if each.intent_id}

    def teardown(self) -> None:
        """When all is quiet, the ledger is the sandbox's books, and nothing is held but what the bank has in hand."""
        self.world.rest()
        self.what_is_stored_holds_together()
        books = self.world.sandbox.books.read(self.world.account_id)
        for attempt in self.attempts.values():
            own = [entry for entry in self.entries if entry.attempt_id == attempt.attempt_id]
            sums = {
                kind: sum(entry.amount.minor for entry in own if entry.kind is kind) for kind in EntryKind
            }
            truth = books.get(attempt.intent_id or "")
            assert sums[EntryKind.CHARGE] == (truth.charged if truth else 0)
            if truth:
                assert -sums[EntryKind.REFUND] == truth.refunded
                assert sums[EntryKind.REFUND_FAILED] == truth.refund_failed
                assert -sums[EntryKind.DISPUTE_WITHDRAWN] == truth.withdrawn
                assert sums[EntryKind.DISPUTE_REINSTATED] == truth.reinstated
            assert attempt.state not in ACTIVE - {AttemptState.PROCESSING}
        assert self.world.list_rivals_rows() == self.rivals
        assert sorted(set(self.world.sandbox.violations)) == []


class NaiveMachine(PaymentMachine):
    """Reads what is due, creates a payment and confirms it: nothing is reserved, and nothing recorded before."""

    def __init__(self) -> None:
        super().__init__()
        self.intents: set[str] = set()

    @initialize(clicks=st.integers(2, 3))
    def begin_together(self, clicks: int) -> None:
        """Begin with several payers: by chance alone few short lives have them, and a control must not miss."""
        self.click_together(method="pays", clicks=clicks)

    async def pay_in_tab(self, amount: int, method: str) -> Any:
        """Pay as one of several."""
        world, attempt_id = self.world, AttemptId(new_id())
        new = NewPayment(attempt_id, world.workspace.workspace_id, world.invoice_id, "1", Money(amount, EUR))
        token = world.sandbox.control.create_confirmation_token(
            world.account_id, METHODS[method], return_url=RETURN_URL
        )
        intent = await world.processor.create_payment(world.account_id, new)
        self.intents.add(intent.intent_id)
        return await world.processor.confirm_payment(
            world.account_id,
            intent.intent_id,
            attempt_id=attempt_id,
            confirmation_token=token,
            return_url=RETURN_URL,
        )

    def list_intents(self) -> set[str]:
        """Return the payments of this invoice at the sandbox, with those that nobody recorded."""
        return super().list_intents() | self.intents


def sum_amounts(attempts: Any, states: frozenset[AttemptState]) -> Money:
    return Money(sum(each.amount.minor for each in attempts if each.state in states), EUR)


@pytest.fixture
def world(urls: Urls, settings: Settings) -> Iterator[World]:
    """A workspace, its account at a sandbox, and a rival, in an event loop of their own."""
    opened = World.open(urls, Sealer(settings.secret_keys))
    yield opened
    opened.close()


def run_machine(machine: type[PaymentMachine], world: World, *, examples: int, steps: int) -> None:
    bound = type("Machine", (machine,), {"world": world})
    run_state_machine_as_test(
        bound,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=[
                HealthCheck.too_slow,
                HealthCheck.data_too_large,
                HealthCheck.filter_too_much,
            ],
        ),
    )


def test_the_ledger_is_the_truth_at_stripe_whatever_happens(world: World) -> None:
    run_machine(PaymentMachine, world, examples=8, steps=18)


def test_without_reserving_and_recording_the_same_debt_is_paid_twice(world: World) -> None:
    with pytest.raises(OverpaidError):
        run_machine(NaiveMachine, world, examples=5, steps=4)
