"""A workspace that is paid through the sandbox, with everything that learns of a payment, in one process."""

from __future__ import annotations

import datetime as dt
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from kernel.actor import Actor, ActorKind
from kernel.clock import Clock, SystemClock
from kernel.errors import Invalid
from kernel.jobs import enqueue
from kernel.jobs.admin import replay
from kernel.money import Money, find_currency
from kernel.store import Database, execute, fetch, fetch_one, fetch_value
from kernel.stripe_settings import StripeSettings
from kernel.telemetry.metrics import Metrics
from ops.sandbox.stripe.server import Sandbox
from tenants.connect.accounts import read_account
from tenants.connect.client import StripeApi
from tenants.connect.inbox.jobs import ReconcileAccount
from tenants.connect.inbox.values import EventScope
from tenants.connect.processor import StripeProcessor
from tenants.ids import AttemptId, InvoiceId
from tenants.payments.actions import begin, follow
from tenants.payments.actions.context import PaymentContext
from tenants.payments.values import PaymentProgress, PaymentRequest
from tests.fakes.sample_workspaces import SampleWorkspace
from tests.fakes.scripted_stripe import build_settings
from tests.fakes.stripe_accounts import build_api, connect_account
from tests.fakes.stripe_deliveries import encode, sign
from web.hooks.stripe import Deliveries
from workers.actors.stripe_events import StripeContext
from workers.runner import Runner
from workers.worker import create_handlers

PAYER = Actor(ActorKind.LINK_HOLDER, "payer")
CARD = "pm_card_visa"
DECLINED = "pm_card_chargeDeclined"
BANK_DEBIT = "pm_sepa_debit"
ASKS_ACTION = "pm_card_authenticationRequired"
RETURN_URL = "https://acme.example/return"
CLOCK = SystemClock()
EUR = find_currency("EUR")
LEDGER = """
SELECT a.intent_id, coalesce(sum(e.amount_minor), 0)::bigint AS amount
FROM payment_attempt a LEFT JOIN ledger_entry e
     ON e.workspace_id = a.workspace_id AND e.attempt_id = a.attempt_id
WHERE a.workspace_id = $1 AND a.account_id = $2 AND a.intent_id IS NOT NULL GROUP BY a.intent_id
"""
# A retry, or a check of tomorrow, is due now.
MAKE_DUE = "UPDATE job SET run_at = now() WHERE workspace_id = $1 AND state = 'queued' AND run_at > now()"
DEAD_JOBS = "SELECT job_id FROM job WHERE workspace_id = $1 AND state = 'dead'"
NEXT_JOB = """
SELECT job_id FROM job
WHERE workspace_id = $1 AND (state = 'queued' AND run_at <= now() OR state = 'running' AND lease_until < now())
ORDER BY run_at LIMIT 1
"""


@dataclass(slots=True)
class PaidWorkspace:
    """One workspace with an account; each method is what one process or person does."""

    workspace: SampleWorkspace
    sandbox: Sandbox
    api: StripeApi
    account_id: str
    settings: StripeSettings
    clock: Clock = CLOCK
    metrics: Metrics = field(default_factory=Metrics)
    lease: dt.timedelta = dt.timedelta(seconds=30)

    @property
    def database(self) -> Database:
        """The database of the workspace."""
        return self.workspace.database

    @property
    def context(self) -> PaymentContext:
        """What the gateway pays with."""
        processor = StripeProcessor(self.api)
        return PaymentContext(self.database, processor, self.workspace.workspace_id, self.clock, PAYER)

    async def issue_invoice(self) -> InvoiceId:
        """Issue an invoice of 119 euros."""
        return await self.workspace.issue_invoice()

    async def pay(
        self,
        invoice_id: InvoiceId,
        *,
        amount: int = 11_900,
        method: str = CARD,
        token: str = "",
        nonce: str = "",
    ) -> PaymentProgress:
        """Pay as the page does: all of an invoice by default, with a card that is taken."""
        request = PaymentRequest(
            amount=Money(amount, EUR),
            version=1,
            nonce=nonce or secrets.token_hex(8),
            confirmation_token=token or self.make_token(method),
            return_url=RETURN_URL,
        )
        context = self.context
        return await begin(
            context.database,
            context.processor,
            context.workspace_id,
            invoice_id,
            request,
            payer=PAYER,
            clock=self.clock,
        )

    def make_token(self, method: str = CARD) -> str:
        """Type a card or an account into the page; returns the confirmation token."""
        return self.sandbox.control.create_confirmation_token(self.account_id, method, return_url=RETURN_URL)

    def find_charge(self, intent_id: str) -> str:
        """Return the charge of a payment that has succeeded."""
        return next(
            row.charge_id for row in self.sandbox.control.list_bank_rows() if row.intent_id == intent_id
        )

    async def come_back(self, invoice_id: InvoiceId, attempt_id: AttemptId) -> PaymentProgress:
        """Load the page that Stripe leads back to."""
        return await follow(self.context, invoice_id, attempt_id)

    async def deliver(
        self,
        event: dict[str, Any],
        *,
        secret: str = "",
        age: dt.timedelta = dt.timedelta(0),
        scope: EventScope = EventScope.CONNECT,
    ) -> bool:
        """Deliver an event to the gateway; False if it was refused."""
        body = encode(event)
        key = secret or self.settings.connect_webhook_secrets[0]
        try:
            await self._deliveries.receive(body, sign(body, CLOCK.now() - age, key), scope)
        except Invalid:
            return False
        return True

    @property
    def _deliveries(self) -> Deliveries:
        secrets_of = {
            EventScope.ACCOUNT: self.settings.account_webhook_secrets,
            EventScope.CONNECT: self.settings.connect_webhook_secrets,
        }
        return Deliveries(self.database, self.clock, self.metrics, secrets_of, is_live=False)

    def take_events(self) -> list[dict[str, Any]]:
        """Take what Stripe would deliver about the account: nobody delivers it any more."""
        deliveries = self.sandbox.deliveries
        mine = [one for one in deliveries.pending if one.body.get("account") == self.account_id]
        deliveries.pending = [one for one in deliveries.pending if one not in mine]
        return [one.body for one in mine]

    async def deliver_all(self, *, order: random.Random | None = None, copies: int = 1) -> None:
        """Deliver what Stripe has to deliver, in another order if there is one."""
        events = self.take_events() * copies
        if order is not None:
            order.shuffle(events)
        for event in events:
            await self.deliver(event)

    def read_books(self) -> dict[str, int]:
        """Return what each payment has brought in by Stripe's books; those that moved nothing are not in it."""
        books = self.sandbox.books.read(self.account_id)
        return {key: value.net for key, value in books.items() if value.net}

    def create_runner(self) -> Runner:
        """Return what runs the jobs of a worker."""
        context = StripeContext(self.api, StripeProcessor(self.api), self.metrics)
        return Runner(
            self.database,
            create_handlers(stripe_context=context),
            lease=self.lease,
            metrics=self.metrics,
            clock=self.clock,
        )

    async def run_jobs(self, *, rounds: int = 0) -> None:
        """Run all jobs that are due, and `rounds` times what would be due later."""
        runner = self.create_runner()
        for step in range(rounds + 1):
            while (job_id := await self._find_job()) is not None:
                await runner.run(self.workspace.workspace_id, job_id)
            if step < rounds:
                async with self.database.scope(self.workspace.workspace_id):
                    await execute(MAKE_DUE, self.workspace.workspace_id)

    async def _find_job(self) -> Any:
        async with self.database.scope(self.workspace.workspace_id, read_only=True):
            return await fetch_value(NEXT_JOB, self.workspace.workspace_id)

    async def retry_dead_jobs(self) -> None:
        """Run the dead jobs again, as an operator does."""
        async with self.database.scope(self.workspace.workspace_id):
            for row in await fetch(DEAD_JOBS, self.workspace.workspace_id):
                await replay(row["job_id"])
        await self.run_jobs()

    async def reconcile(self) -> None:
        """Read Stripe's list of events, as the schedule has it done, and apply what was not delivered."""
        async with self.database.scope(self.workspace.workspace_id):
            await enqueue(ReconcileAccount())
        await self.run_jobs()

    async def read_ledger(self) -> dict[str, int]:
        """Return what each payment has brought in by our books; those that moved nothing are not in it."""
        async with self.database.scope(self.workspace.workspace_id, read_only=True):
            rows = await fetch(LEDGER, self.workspace.workspace_id, self.account_id)
        return {row["intent_id"]: row["amount"] for row in rows if row["amount"]}

    async def load_invoice(self, invoice_id: InvoiceId) -> Any:
        """Return an invoice's row."""
        async with self.database.scope(self.workspace.workspace_id, read_only=True):
            return await fetch_one(
                "SELECT * FROM invoice WHERE workspace_id = $1 AND invoice_id = $2",
                self.workspace.workspace_id,
                invoice_id,
            )

    async def load_attempts(self) -> list[Any]:
        """Return the rows of all attempts, the oldest first."""
        async with self.database.scope(self.workspace.workspace_id, read_only=True):
            return await fetch(
                "SELECT * FROM payment_attempt WHERE workspace_id = $1 ORDER BY created_at",
                self.workspace.workspace_id,
            )

    def count(self, name: str, **labels: str) -> float:
        """Return the value of a series, 0 when nothing was counted."""
        return self.metrics.registry.get_sample_value(name, labels) or 0


@asynccontextmanager
async def open_paid_workspace(workspace: SampleWorkspace, sandbox: Sandbox) -> AsyncIterator[PaidWorkspace]:
    """Connect a workspace to a new account of the sandbox."""
    api = build_api(sandbox.base_url)
    account_id = sandbox.control.create_account()
    snapshot = await read_account(api, account_id)
    assert snapshot is not None
    await connect_account(workspace, account_id, snapshot)
    try:
        yield PaidWorkspace(workspace, sandbox, api, account_id, build_settings(sandbox.base_url))
    finally:
        await api.close()
