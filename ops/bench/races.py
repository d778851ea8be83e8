"""Lets payers race for invoices, with faults and lost events: nobody may pay twice, and the books must agree."""

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from kernel.clock import SystemClock
from kernel.jobs import enqueue
from kernel.store import Database, execute, fetch, fetch_value
from kernel.stripe_settings import StripeSettings
from kernel.telemetry import logs
from kernel.telemetry.metrics import Metrics
from ops.bench.payment_stage import PaymentStage, create_stage
from ops.bench.race_payers import PAYER, NaiveStrategy, ProductStrategy, Strategy
from ops.bench.result import Row, report
from ops.dev import servers
from ops.migrate import prepare_database
from ops.sandbox.stripe.deliveries import Scope
from ops.sandbox.stripe.faults import Fault, FaultKind
from ops.sandbox.stripe.server import Sandbox, open_sandbox
from tenants.connect.client import Retries, StripeApi
from tenants.connect.inbox.actions import receive
from tenants.connect.inbox.jobs import ReconcileAccount
from tenants.connect.inbox.values import EventScope
from tenants.connect.processor import StripeProcessor
from tenants.connect.webhooks import read_event
from tenants.ids import InvoiceId
from workers.actors.stripe_events import StripeContext
from workers.runner import Runner
from workers.worker import create_handlers

#: Of each kind of result, how many of ten payers have it: success, decline, bank debit, 3-D Secure.
_METHODS: Final = (
    ("pm_card_visa",) * 6
    + ("pm_card_chargeDeclined",) * 2
    + ("pm_sepa_debit",)
    + ("pm_card_authenticationRequired",)
)
_FAULTS: Final = (
    FaultKind.DROP_AFTER,
    FaultKind.DROP_AFTER,
    FaultKind.DROP_BEFORE,
    FaultKind.ERROR_BEFORE,
    FaultKind.RATE_LIMIT,
    FaultKind.LOCK_TIMEOUT,
)
_TRIES: Final = 3
_TOGETHER: Final = 8
#: Payers give up sooner than the product would: what happens then is measured.
_RETRIES: Final = Retries(attempts=2, first_pause=timedelta(milliseconds=2))
_NEXT_JOB: Final = """
SELECT job_id FROM job WHERE workspace_id = $1 AND state = 'queued' AND run_at <= now() ORDER BY run_at LIMIT 1
"""
# The payers have left: what they did not finish is given up, and what would be done later is done now.
_EXPIRE: Final = (
    "UPDATE payment_attempt SET expires_at = now() WHERE workspace_id = $1 AND expires_at IS NOT NULL"
)
_MAKE_DUE: Final = (
    "UPDATE job SET run_at = now() WHERE workspace_id = $1 AND state = 'queued' AND run_at > now()"
)
_LEDGER: Final = """
SELECT a.intent_id, a.invoice_id, coalesce(sum(e.amount_minor), 0)::bigint AS amount
FROM payment_attempt a
LEFT JOIN ledger_entry e ON e.workspace_id = a.workspace_id AND e.attempt_id = a.attempt_id
WHERE a.workspace_id = $1 AND a.intent_id IS NOT NULL GROUP BY a.intent_id, a.invoice_id
"""
_TOTALS: Final = "SELECT invoice_id, total_minor FROM invoice WHERE workspace_id = $1"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the races of one strategy came to."""

    schedules: int
    overpaid: int
    """Invoices that more was taken for than they are worth, by the sandbox's books."""
    divergent: int
    """Payments of which the ledger says something else than the books."""
    payments: int
    faults: int
    violations: int
    """What crossed the wire and is not what the SDK's types say."""


def main(arguments: list[str]) -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="ops/bench/races", description=__doc__)
    parser.add_argument("--schedules", type=int, default=300, help="invoices that are raced for")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="repeats the choices of a run")
    options = parser.parse_args(arguments)
    print(f"Seed {options.seed}", flush=True)
    # Faults are meant: each would be a line of the log.
    logs.configure(level="critical", process="bench")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        state = Path(folder)
        try:
            admin = servers.start_postgres(state, environ={})
            return report(uvloop.run(_measure(admin, options.schedules, options.seed)))
        finally:
            servers.stop_postgres(state)


async def _measure(admin: str, schedules: int, seed: int) -> list[Row]:
    urls = (await prepare_database(admin, "bench_races")).urls
    database = await Database.open(urls.app, size=10, name="bench", actor=PAYER)
    try:
        product = await _race_product(database, schedules, seed)
        print(f"The product: {product}", flush=True)
        naive = await _race_naively(database, schedules, seed)
        print(f"The naive control: {naive}", flush=True)
    finally:
        await database.close()
    return [
        Row("schedules", float(product.schedules), 300.0),
        Row("overpaid invoices", float(product.overpaid), 0.0, at_most=True),
        Row("payments whose books differ", float(product.divergent), 0.0, at_most=True),
        Row("violations of the contract", float(product.violations), 0.0, at_most=True),
        Row("overpaid invoices of the naive control", float(naive.overpaid), 1.0),
    ]


async def _race_product(database: Database, schedules: int, seed: int) -> Outcome:
    async with open_sandbox() as sandbox:
        api = StripeApi(_build_settings(sandbox), retries=_RETRIES)
        stage = await create_stage(database, sandbox.control.create_account(country="US", currency="usd"))
        processor = StripeProcessor(api)
        race = Race(sandbox, stage, ProductStrategy(stage, processor), random.Random(seed), delivers=True)
        await race.run(schedules)
        await _bring_to_rest(stage, StripeContext(api, processor, Metrics()))
        await api.close()
        books = {key: value.net for key, value in sandbox.books.read(stage.account_id).items()}
        async with database.scope(stage.workspace_id, read_only=True):
            rows = await fetch(_LEDGER, stage.workspace_id)
            totals = {
                row["invoice_id"]: row["total_minor"] for row in await fetch(_TOTALS, stage.workspace_id)
            }
        ledger = {row["intent_id"]: row["amount"] for row in rows}
        divergent = sum(ledger.get(key, 0) != books.get(key, 0) for key in ledger.keys() | books.keys())
        invoices = {row["intent_id"]: row["invoice_id"] for row in rows}
        return Outcome(
            schedules,
            _count_overpaid(books, invoices, totals),
            divergent,
            len(books),
            sandbox.faults.met,
            len(sandbox.violations),
        )


async def _race_naively(database: Database, schedules: int, seed: int) -> Outcome:
    async with open_sandbox() as sandbox:
        api = StripeApi(_build_settings(sandbox), retries=_RETRIES)
        stage = await create_stage(database, sandbox.control.create_account(country="US", currency="usd"))
        strategy = NaiveStrategy(stage, StripeProcessor(api))
        await Race(sandbox, stage, strategy, random.Random(seed), delivers=False).run(schedules)
        await api.close()
        books = {key: value.net for key, value in sandbox.books.read(stage.account_id).items()}
        async with database.scope(stage.workspace_id, read_only=True):
            totals = {
                row["invoice_id"]: row["total_minor"] for row in await fetch(_TOTALS, stage.workspace_id)
            }
        overpaid = _count_overpaid(books, strategy.intents, totals)
        return Outcome(schedules, overpaid, 0, len(books), sandbox.faults.met, len(sandbox.violations))


def _count_overpaid(books: dict[str, int], invoices: dict[str, Any], totals: dict[Any, int]) -> int:
    paid: dict[Any, int] = {}
    for intent_id, amount in books.items():
        paid[invoices[intent_id]] = paid.get(invoices[intent_id], 0) + amount
    return sum(amount > totals[invoice_id] for invoice_id, amount in paid.items())


@dataclass(slots=True)
class Race:
    """Payers of a strategy, some invoices at a time."""

    sandbox: Sandbox
    stage: PaymentStage
    strategy: Strategy
    rng: random.Random
    delivers: bool
    """Whether some of the events reach the inbox."""

    async def run(self, schedules: int) -> None:
        """Race for so many invoices."""
        for begin in range(0, schedules, _TOGETHER):
            count = min(_TOGETHER, schedules - begin)
            await asyncio.gather(*(self._race_for_invoice() for _ in range(count)))

    async def _race_for_invoice(self) -> None:
        rng = self.rng
        invoice_id = await self.stage.issue_invoice(lines=1)
        if rng.random() < 0.5:
            match = rng.choice(("POST /v1/payment_intents", "POST /v1/payment_intents/*/confirm"))
            self.sandbox.control.add_fault(Fault(rng.choice(_FAULTS), match, times=rng.randint(1, 3)))
        await asyncio.gather(*(self._be_payer(invoice_id) for _ in range(rng.randint(2, 5))))
        await self._move_on()

    async def _be_payer(self, invoice_id: InvoiceId) -> None:
        rng = self.rng
        in_part = rng.random() < 0.3
        for _ in range(_TRIES):
            await asyncio.sleep(rng.uniform(0, 0.03))
            token = self.sandbox.control.create_confirmation_token(
                self.stage.account_id, rng.choice(_METHODS), return_url="https://bench.example/return"
            )
            if not await self.strategy.pay(invoice_id, token, in_part=in_part):
                return

    async def _move_on(self) -> None:
        """Let banks decide about some payments, and deliver some of the events, in any order."""
        rng, control = self.rng, self.sandbox.control
        for row in control.list_bank_rows():
            if row.status in {"processing", "requires_action"} and rng.random() < 0.5:
                (control.settle if rng.random() < 0.7 else control.fail)(row.intent_id)
        deliveries = self.sandbox.deliveries
        events, deliveries.pending = deliveries.pending, []
        rng.shuffle(events)
        for each in events:
            if self.delivers and each.scope is Scope.CONNECT and rng.random() < 0.5:
                verified = read_event(msgspec.json.encode(each.body), scope=EventScope.CONNECT)
                await receive(self.stage.database, verified, is_live=False)


async def _bring_to_rest(stage: PaymentStage, context: StripeContext) -> None:
    """Do what workers and schedules do until nothing is under way."""
    runner = Runner(
        stage.database,
        create_handlers(stripe_context=context),
        lease=timedelta(seconds=30),
        metrics=context.metrics,
        clock=SystemClock(),
    )
    for _ in range(4):
        await _run_jobs(stage, runner)
        async with stage.database.scope(stage.workspace_id):
            await execute(_EXPIRE, stage.workspace_id)
            await execute(_MAKE_DUE, stage.workspace_id)
    async with stage.database.scope(stage.workspace_id):
        await enqueue(ReconcileAccount())
    await _run_jobs(stage, runner)


async def _run_jobs(stage: PaymentStage, runner: Runner) -> None:
    while True:
        async with stage.database.scope(stage.workspace_id, read_only=True):
            job_id = await fetch_value(_NEXT_JOB, stage.workspace_id)
        if job_id is None:
            return
        await runner.run(stage.workspace_id, job_id)


def _build_settings(sandbox: Sandbox) -> StripeSettings:
    return StripeSettings(
        secret_key="sk_test_bench1234",  # noqa: S106  -- the sandbox takes any test key
        publishable_key="pk_test_bench1234",
        is_live=False,
        account_webhook_secrets=(),
        connect_webhook_secrets=(),
        api_url=sandbox.base_url,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
