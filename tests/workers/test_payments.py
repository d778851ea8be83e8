"""What becomes of payments whose events come late, twice, in another order, to somebody else, or not at all."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import pytest

from kernel.clock import SystemClock
from kernel.errors import Conflict
from kernel.ids import new_token
from kernel.jobs import enqueue
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, fetch, fetch_value
from ops.sandbox.stripe.faults import Fault, FaultKind
from ops.sandbox.stripe.server import Sandbox, open_sandbox
from ops.sandbox.stripe.store import IntentStatus
from tenants.connect import actions as connect_actions
from tenants.connect.inbox.jobs import ApplyStripeEvent
from tenants.connect.inbox.queries import measure_lag
from tenants.connect.jobs import RefreshAccount
from tenants.payments.actions import cancel_payment, request_refund
from tenants.payments.values import PaymentProgress, ProgressState
from tenants.workspaces.actions import set_payment_settings
from tests.fakes.paid_workspaces import (
    ASKS_ACTION,
    BANK_DEBIT,
    CARD,
    DECLINED,
    PaidWorkspace,
    open_paid_workspace,
)
from tests.fakes.sample_workspaces import create_sample_workspace, euros

ACTIVE = {"reserved", "open", "confirming", "requires_action", "processing"}


class LaterStatus(StrEnum):
    """What a payment intent may be in a later version of Stripe's API."""

    TELEPORTED = "teleported"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A Stripe of the test's own; all that it hears and says must be what Stripe's types say."""
    async with open_sandbox() as opened:
        yield opened
    assert opened.violations == []


@pytest.fixture
async def world(database: Database, settings: Settings, sandbox: Sandbox) -> AsyncIterator[PaidWorkspace]:
    """A workspace that is paid through it."""
    workspace = await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())
    async with open_paid_workspace(workspace, sandbox) as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class SkewedClock:
    """The clock of a machine that is wrong."""

    by: dt.timedelta

    def now(self) -> dt.datetime:
        """Return the wrong time."""
        return SystemClock().now() + self.by


async def pay_new_invoice(world: PaidWorkspace, method: str) -> PaymentProgress:
    return await world.pay(await world.issue_invoice(), method=method)


async def play_all_stories(world: PaidWorkspace) -> None:
    """Pay with every kind of result, and give money back in every way; nothing is delivered yet."""
    control = world.sandbox.control
    methods = (CARD, DECLINED, ASKS_ACTION, BANK_DEBIT, BANK_DEBIT, CARD, CARD, CARD, "pm_card_refundFail")
    payments = await asyncio.gather(*(pay_new_invoice(world, each) for each in methods))
    _, _, _, succeeding, failing, *paid = payments
    control.settle(succeeding.intent_id)
    control.fail(failing.intent_id)
    refunded, won, lost, failing_refund = [world.find_charge(each.intent_id) for each in paid]
    control.refund(refunded, 1_000)
    control.win_dispute(control.open_dispute(won))
    control.lose_dispute(control.open_dispute(lost))
    control.fail_refund(control.refund(failing_refund, 2_000))
    # The answer to the confirmation is lost, twice.
    control.add_fault(Fault(FaultKind.DROP_AFTER, "POST /v1/payment_intents/*/confirm", times=2))
    unknown = await world.pay(await world.issue_invoice())
    assert unknown.state is ProgressState.UNKNOWN


async def assert_books_agree(world: PaidWorkspace) -> None:
    """The ledger is Stripe's books, the invoices are the ledger, and nothing is held that has an end."""
    assert await world.read_ledger() == world.read_books()
    async with world.database.scope(world.workspace.workspace_id, read_only=True):
        wrong = await fetch(
            "SELECT 1 FROM invoice i WHERE workspace_id = $1 AND paid_minor <> (SELECT coalesce(sum(amount_minor), 0)"
            " FROM ledger_entry e WHERE e.workspace_id = $1 AND e.invoice_id = i.invoice_id)",
            world.workspace.workspace_id,
        )
    assert wrong == []
    for attempt in await world.load_attempts():
        status = world.sandbox.store.open(world.account_id).find_intent(attempt["intent_id"]).status
        is_open_there = status in {"requires_payment_method", "requires_action", "processing"}
        assert (attempt["state"] in ACTIVE) == is_open_there, (attempt["state"], status)


async def test_delivered_in_order_events_tell_everything(world: PaidWorkspace) -> None:
    await play_all_stories(world)
    await world.deliver_all()
    await world.run_jobs()
    await assert_books_agree(world)


@pytest.mark.parametrize("seed", range(2))
async def test_doubled_and_shuffled_events_tell_the_same(world: PaidWorkspace, seed: int) -> None:
    await play_all_stories(world)
    await world.deliver_all(order=random.Random(seed), copies=2)
    await world.run_jobs()
    await assert_books_agree(world)
    assert world.count("portal_stripe_deliveries_total", scope="connect", result="repeated") > 0
    assert world.count("portal_payment_reconciler_fixes_total", found_by="event") == 0


async def test_without_any_delivery_stripes_list_of_events_tells_the_same(world: PaidWorkspace) -> None:
    await play_all_stories(world)
    world.take_events()
    assert await world.read_ledger() != world.read_books()
    await world.reconcile()
    await assert_books_agree(world)
    fixes = world.count("portal_payment_reconciler_fixes_total", found_by="event")
    assert fixes > 0
    # It has been told everything: another look finds nothing new.
    await world.reconcile()
    assert world.count("portal_payment_reconciler_fixes_total", found_by="event") == fixes


async def test_without_deliveries_and_list_the_checks_find_what_became_of_each_payment(
    world: PaidWorkspace,
) -> None:
    invoice_id = await world.issue_invoice()
    paid = await world.pay(invoice_id, method=BANK_DEBIT)
    world.sandbox.control.settle(paid.intent_id)
    world.take_events()
    await world.run_jobs(rounds=1)
    await assert_books_agree(world)
    assert world.count("portal_payment_reconciler_fixes_total", found_by="check") == 1


async def test_an_event_that_overtakes_the_answer_settles_the_payment_once(world: PaidWorkspace) -> None:
    invoice_id = await world.issue_invoice()
    world.sandbox.control.add_fault(
        Fault(FaultKind.DROP_AFTER, "POST /v1/payment_intents/*/confirm", times=2)
    )
    progress = await world.pay(invoice_id)
    await world.deliver_all()
    await world.run_jobs()
    assert (await world.load_invoice(invoice_id))["paid_minor"] == 11_900
    settled = await world.come_back(invoice_id, progress.attempt_id)
    assert settled.state is ProgressState.SUCCEEDED
    await assert_books_agree(world)


async def test_a_dispute_moves_money_when_the_bank_does_and_back_when_it_is_won(world: PaidWorkspace) -> None:
    invoice_id = await world.issue_invoice()
    progress = await world.pay(invoice_id)
    dispute_id = world.sandbox.control.open_dispute(world.find_charge(progress.intent_id))
    await world.deliver_all()
    await world.run_jobs()
    disputed = await world.load_invoice(invoice_id)
    assert (disputed["paid_minor"], disputed["is_disputed"]) == (0, True)
    world.sandbox.control.win_dispute(dispute_id)
    await world.deliver_all()
    await world.run_jobs()
    won = await world.load_invoice(invoice_id)
    assert (won["paid_minor"], won["is_disputed"]) == (11_900, False)


async def test_an_account_that_is_closed_to_us_leaves_the_payment_open_until_it_lets_us_in_again(
    world: PaidWorkspace,
) -> None:
    invoice_id = await world.issue_invoice()
    progress = await world.pay(invoice_id, method=BANK_DEBIT)
    world.sandbox.control.settle(progress.intent_id)
    world.sandbox.control.deauthorise(world.account_id)
    await world.deliver_all()
    await world.run_jobs(rounds=1)
    (attempt,) = await world.load_attempts()
    assert (attempt["state"], (await world.load_invoice(invoice_id))["paid_minor"]) == ("processing", 0)
    with pytest.raises(Conflict, match=r"payment\.blocked"):
        await world.pay(await world.issue_invoice())
    world.sandbox.control.authorise(world.account_id)
    async with world.database.scope(world.workspace.workspace_id):
        await enqueue(RefreshAccount())
    # What is under way is looked at now, and not when its next check is due.
    await world.run_jobs()
    await assert_books_agree(world)
    await world.pay(await world.issue_invoice())
    await assert_books_agree(world)


async def test_money_given_back_while_the_account_is_closed_to_us_is_booked_when_it_lets_us_in_again(
    world: PaidWorkspace,
) -> None:
    asked_for, in_dashboard = await world.issue_invoice(), await world.issue_invoice()
    progress = await world.pay(asked_for)
    async with world.database.scope(world.workspace.workspace_id):
        await request_refund(asked_for, progress.attempt_id, euros("19"))
    charge_id = world.find_charge((await world.pay(in_dashboard)).intent_id)
    world.sandbox.control.refund(charge_id, 1_000)
    world.sandbox.control.deauthorise(world.account_id)
    await world.deliver_all()
    await world.run_jobs()
    for invoice_id in (asked_for, in_dashboard):
        assert (await world.load_invoice(invoice_id))["paid_minor"] == 11_900
    world.sandbox.control.authorise(world.account_id)
    async with world.database.scope(world.workspace.workspace_id):
        await enqueue(RefreshAccount())
    await world.run_jobs()
    assert (await world.load_invoice(asked_for))["paid_minor"] == 10_000
    assert (await world.load_invoice(in_dashboard))["paid_minor"] == 10_900
    await assert_books_agree(world)


async def test_refunds_of_an_account_that_another_workspace_has_now_reach_who_was_paid(
    world: PaidWorkspace, database: Database, settings: Settings
) -> None:
    progresses = [await world.pay(await world.issue_invoice()) for _ in range(2)]
    rival = await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())
    async with world.database.scope(world.workspace.workspace_id):
        await connect_actions.disconnect()
    async with database.scope(rival.workspace_id):
        await set_payment_settings(is_live=False)
        theirs = await connect_actions.begin_onboarding(is_live=False, token=new_token(), sealer=rival.sealer)
        await connect_actions.set_account(theirs.connection_id, world.account_id)
    delivered, listed = (world.find_charge(each.intent_id) for each in progresses)
    world.sandbox.control.refund(delivered, 1_000)
    await world.deliver_all()
    await world.run_jobs()
    world.sandbox.control.refund(listed, 500)
    world.take_events()
    await world.reconcile()
    await assert_books_agree(world)


@pytest.mark.parametrize(("minutes", "reason"), [(-10, "future"), (-4, None), (4, None), (10, "old")])
async def test_a_wrong_clock_delays_a_payment_and_loses_none(
    world: PaidWorkspace, minutes: int, reason: str | None
) -> None:
    world.clock = SkewedClock(dt.timedelta(minutes=minutes))
    invoice_id = await world.issue_invoice()
    progress = await world.pay(invoice_id, method=BANK_DEBIT)
    world.sandbox.control.settle(progress.intent_id)
    await world.deliver_all()
    for each in ("future", "old"):
        refused = world.count("portal_stripe_signature_failures_total", scope="connect", reason=each)
        assert (refused > 0) == (each == reason)
    await world.run_jobs()
    await world.reconcile()
    await assert_books_agree(world)


async def test_an_event_that_another_workspace_holds_up_does_nothing_there(
    world: PaidWorkspace, database: Database, settings: Settings, sandbox: Sandbox
) -> None:
    workspace = await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())
    async with open_paid_workspace(workspace, sandbox) as rival:
        theirs = await rival.issue_invoice()
        await rival.pay(theirs, method=BANK_DEBIT)
        ours = await world.pay(await world.issue_invoice(), method=BANK_DEBIT)
        sandbox.control.settle(ours.intent_id)
        (event,) = (e for e in world.take_events() if e["type"] == "payment_intent.succeeded")
        await world.deliver(event)
        await rival.deliver(event | {"account": rival.account_id})
        assert rival.count("portal_stripe_deliveries_total", scope="connect", result="foreign") == 1
        # Nor does its job in the other workspace.
        job = ApplyStripeEvent(scope="connect", account_id=world.account_id, event_id=event["id"])
        async with database.scope(workspace.workspace_id):
            job_id = (await enqueue(job)).job_id
        await rival.create_runner().run(workspace.workspace_id, job_id)
        assert (await rival.load_invoice(theirs))["paid_minor"] == 0
        await assert_books_agree(rival)
    await world.run_jobs()
    await assert_books_agree(world)


async def test_a_state_that_this_release_does_not_know_is_parked_and_applied_by_a_later_one(
    world: PaidWorkspace, svc: Database
) -> None:
    invoice_id = await world.issue_invoice()
    progress = await world.pay(invoice_id, method=BANK_DEBIT)
    intent = world.sandbox.store.open(world.account_id).find_intent(progress.intent_id)
    world.sandbox.control.settle(progress.intent_id)
    intent.status = cast("IntentStatus", LaterStatus.TELEPORTED)
    await world.deliver_all()
    await world.run_jobs()
    assert (await world.load_invoice(invoice_id))["paid_minor"] == 0
    assert world.count("portal_stripe_events_applied_total", outcome="parked") > 0
    async with svc.unbound(read_only=True):
        assert (await measure_lag()).parked > 0
    # The next release knows it: an operator has the dead jobs run again.
    intent.status = IntentStatus.SUCCEEDED
    await world.retry_dead_jobs()
    await assert_books_agree(world)
    # The contract saw it too.
    world.sandbox.contract.violations.clear()


async def test_an_event_waits_while_stripe_does_not_answer(world: PaidWorkspace, svc: Database) -> None:
    progress = await world.pay(await world.issue_invoice(), method=BANK_DEBIT)
    world.sandbox.control.settle(progress.intent_id)
    world.sandbox.control.add_fault(Fault(FaultKind.ERROR_BEFORE, "GET /v1/payment_intents", times=4))
    await world.deliver_all()
    await world.run_jobs()
    async with svc.unbound(read_only=True):
        assert (await measure_lag()).oldest > dt.timedelta(0)
    await world.run_jobs(rounds=2)
    await assert_books_agree(world)


async def test_money_that_comes_after_the_payment_was_given_up_is_booked_and_counted(
    world: PaidWorkspace,
) -> None:
    invoice_id = await world.issue_invoice()
    progress = await world.pay(invoice_id, method=ASKS_ACTION)
    await cancel_payment(world.context, invoice_id, progress.attempt_id)
    # The bank had said yes when the cancellation came, and Stripe was told last.
    intent = world.sandbox.store.open(world.account_id).find_intent(progress.intent_id)
    intent.status = IntentStatus.REQUIRES_ACTION
    world.sandbox.control.settle(progress.intent_id)
    await world.deliver_all()
    await world.run_jobs()
    assert (await world.load_invoice(invoice_id))["paid_minor"] == 11_900
    assert world.count("portal_payment_late_successes_total") == 1
    await assert_books_agree(world)


async def test_the_time_until_the_page_is_told_is_measured(world: PaidWorkspace) -> None:
    progress = await world.pay(await world.issue_invoice(), method=BANK_DEBIT)
    world.sandbox.control.settle(progress.intent_id)
    await world.deliver_all()
    await world.run_jobs()
    assert world.count("portal_payment_truth_seconds_count", source="delivery") == 1
    assert world.count("portal_stripe_events_applied_total", outcome="applied") == 1


async def test_events_that_were_applied_long_ago_are_removed(world: PaidWorkspace, owner_url: Any) -> None:
    progress = await world.pay(await world.issue_invoice(), method=BANK_DEBIT)
    world.sandbox.control.settle(progress.intent_id)
    await world.deliver_all()
    await world.run_jobs()
    async with world.database.scope(world.workspace.workspace_id):
        await fetch("UPDATE stripe_inbox SET ended_at = now() - interval '61 days'")
    world.sandbox.store.open(world.account_id).events.clear()
    await world.reconcile()
    async with world.database.scope(world.workspace.workspace_id, read_only=True):
        assert await fetch_value("SELECT count(*) FROM stripe_inbox") == 0
