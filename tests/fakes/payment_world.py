"""A workspace that is paid through the Stripe sandbox over real HTTP, with payers, a bank, and processes that die."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from kernel.actor import Actor, ActorKind
from kernel.clock import SystemClock
from kernel.errors import PortalError
from kernel.ids import new_nonce
from kernel.money import Money, find_currency
from kernel.seals import Sealer
from kernel.store import Database, execute, fetch
from kernel.store.roles import Urls
from ops.sandbox.stripe.server import Sandbox, open_sandbox
from tenants.connect.breaker import Breaker
from tenants.ids import AttemptId, InvoiceId, RefundId
from tenants.invoices import queries as invoices
from tenants.invoices.actions import add_version, void
from tenants.invoices.content import Content
from tenants.invoices.values import InvoiceSummary
from tenants.payments import queries
from tenants.payments.actions import (
    begin,
    check_payment,
    record_payment,
    request_refund,
    send_refund,
    settle,
)
from tenants.payments.actions.context import PaymentContext
from tenants.payments.processor import ProviderPayment
from tenants.payments.states import ACTIVE, AttemptState
from tenants.payments.values import Attempt, Entry, PaymentRequest
from tests.fakes.interrupted_processor import InterruptedProcessor, ProcessDiedError
from tests.fakes.sample_workspaces import SampleWorkspace, build_content, create_sample_workspace
from tests.fakes.stripe_accounts import build_api, connect_account

EUR: Final = find_currency("EUR")
PAYER: Final = Actor(ActorKind.LINK_HOLDER, "link", "Ana")
RETURN_URL: Final = "https://pay.acme.example/return"
METHODS: Final = {
    "pays": "4242424242424242",
    "declined": "4000000000000002",
    "action": "4000002500003155",
    "debit": "DE89370400440532013000",
    "redirect": "ideal",
    "refund fails": "4000000000005126",
}
_ROWS: Final = """
SELECT t::text AS row FROM {table} t WHERE workspace_id = $1 ORDER BY 1
"""
_TABLES: Final = ("invoice", "payment_attempt", "ledger_entry", "payment_refund", "payment_dispute", "job")

_T = TypeVar("_T")


@dataclass(slots=True)
class World:
    """One event loop with everything in it; each function waits until its work is done."""

    runner: asyncio.Runner
    stack: AsyncExitStack
    database: Database
    svc: Database
    sandbox: Sandbox
    processor: InterruptedProcessor
    workspace: SampleWorkspace
    rival: SampleWorkspace
    account_id: str
    invoice_id: InvoiceId = field(init=False)
    pictures: list[ProviderPayment] = field(default_factory=list)
    """Loaded before, to be applied late."""

    @classmethod
    def open(cls, urls: Urls, sealer: Sealer) -> World:
        """Start a sandbox, and connect a workspace to an account there."""
        runner = asyncio.Runner()
        return runner.run(_open(runner, urls, sealer))

    def close(self) -> None:
        """Stop everything."""
        self.runner.run(self.stack.aclose())
        self.runner.close()

    @property
    def context(self) -> PaymentContext:
        """What actions need that ask Stripe."""
        return PaymentContext(
            self.database, self.processor, self.workspace.workspace_id, SystemClock(), PAYER
        )

    def issue(self, content: Content | None = None) -> None:
        """Issue a new invoice, of 119 euros or with this content, with nothing left of the one before."""
        self.sandbox.control.clear_faults()
        self.processor.deaths.clear()
        self.pictures.clear()
        self.invoice_id = self.runner.run(self.workspace.issue_invoice(content=content))

    def act(self, work: Awaitable[_T]) -> _T | Exception:
        """Do something that may be refused, or during which the process may die."""

        async def run() -> _T:
            return await work

        try:
            return self.runner.run(run())
        except (PortalError, ProcessDiedError) as error:
            return error

    def act_together(self, works: list[Awaitable[Any]]) -> list[Any]:
        """Do several things at once."""

        async def run() -> list[Any]:
            return await asyncio.gather(*works, return_exceptions=True)

        found = self.runner.run(run())
        for each in found:
            if isinstance(each, Exception) and not isinstance(each, (PortalError, ProcessDiedError)):
                raise each
        return found

    async def pay(
        self, amount: int | Money, method: str = "pays", *, nonce: str = "", take_over: bool = False
    ) -> Any:
        """Click on "pay" with a test method of Stripe."""
        token = self.sandbox.control.create_confirmation_token(
            self.account_id, METHODS[method], return_url=RETURN_URL
        )
        found = await self._load_invoice()
        request = PaymentRequest(
            amount=Money(amount, EUR) if isinstance(amount, int) else amount,
            version=found.version,
            nonce=nonce or new_nonce(),
            confirmation_token=token,
            return_url=RETURN_URL,
            take_over=take_over,
        )
        return await begin(
            self.database,
            self.processor,
            self.workspace.workspace_id,
            self.invoice_id,
            request,
            payer=PAYER,
            clock=SystemClock(),
        )

    def load_invoice(self) -> InvoiceSummary:
        """Return the invoice."""
        return self.runner.run(self._load_invoice())

    def list_attempts(self) -> tuple[Attempt, ...]:
        """Return the attempts to pay it."""
        return self.read(lambda: queries.list_attempts(self.invoice_id))

    def list_entries(self) -> tuple[Entry, ...]:
        """Return its ledger."""
        return self.read(lambda: queries.list_entries(self.invoice_id))

    def read(self, query: Callable[[], Awaitable[_T]]) -> _T:
        """Run a query, or an action that is a unit of work of its own, in the workspace."""

        async def run() -> _T:
            async with self.context.scope():
                return await query()

        return self.runner.run(run())

    async def write(self, action: Callable[[], Awaitable[_T]]) -> _T:
        """Run an action in a unit of work."""
        async with self.context.scope():
            return await action()

    async def record_payment(self, minor: int) -> object:
        """Book a bank payment."""
        return await self.write(
            lambda: record_payment(self.invoice_id, Money(minor, EUR), clock=SystemClock())
        )

    async def void(self) -> object:
        """Void the invoice without asking Stripe."""
        return await self.write(lambda: void(self.invoice_id, clock=SystemClock()))

    async def edit(self, price: int) -> object:
        """Write a new version without asking Stripe."""
        content = build_content(str(price))
        return await self.write(lambda: add_version(self.invoice_id, content, clock=SystemClock()))

    async def refund(self, attempt_id: AttemptId, minor: int) -> object:
        """Ask for a refund and send it."""
        refund_id: RefundId = await self.write(
            lambda: request_refund(self.invoice_id, attempt_id, Money(minor, EUR))
        )
        return await send_refund(self.context, refund_id)

    async def load_picture(self, intent_id: str) -> ProviderPayment:
        """Read a payment at Stripe."""
        picture = await self.processor.load_payment(self.account_id, intent_id)
        self.pictures.append(picture)
        return picture

    async def apply(self, picture: ProviderPayment) -> object:
        """Settle a picture, whenever it was loaded."""
        return await self.write(lambda: settle(picture, account_id=self.account_id, clock=SystemClock()))

    async def deliver(self, intent_id: str) -> object:
        """Let an event about a payment arrive: it is read again and settled."""
        return await self.apply(await self.load_picture(intent_id))

    async def check(self, attempt_id: AttemptId, *, expires: bool) -> object:
        """Run the latest check of an attempt, after its time is over if `expires`."""
        async with self.context.scope():
            if expires:
                await execute(
                    "UPDATE payment_attempt SET expires_at = now() - interval '1 second'"
                    " WHERE attempt_id = $1 AND expires_at IS NOT NULL",
                    attempt_id,
                )
            attempt = await queries.load_attempt(attempt_id)
        return await check_payment(self.context, attempt_id, attempt.checks)

    def find_charge(self, intent_id: str) -> str:
        """Return the id of a payment's charge at the sandbox, or ""."""
        rows = {row.intent_id: row for row in self.sandbox.control.list_bank_rows()}
        return rows[intent_id].charge_id if intent_id in rows else ""

    def rest(self) -> None:
        """Drop every delivery, let all time pass, and reconcile with Stripe until nothing is left to do."""
        self.sandbox.control.clear_faults()
        self.processor.deaths.clear()
        for _ in range(3):
            for attempt in self.list_attempts():
                if attempt.state in ACTIVE:
                    self.runner.run(self._check(attempt))
        for attempt in self.list_attempts():
            if attempt.intent_id is not None:
                self.runner.run(self._deliver(attempt.intent_id))

    def list_rivals_rows(self) -> list[str]:
        """Return every row of the other workspace that payments could touch."""

        async def read() -> list[str]:
            async with self.svc.scope(self.rival.workspace_id, read_only=True):
                return [
                    row["row"]
                    for table in _TABLES
                    for row in await fetch(_ROWS.format(table=table), self.rival.workspace_id)
                ]

        return self.runner.run(read())

    async def _check(self, attempt: Attempt) -> None:
        await self.check(attempt.attempt_id, expires=attempt.state is not AttemptState.PROCESSING)

    async def _deliver(self, intent_id: str) -> None:
        await self.deliver(intent_id)

    async def _load_invoice(self) -> InvoiceSummary:
        async with self.context.scope():
            return await invoices.load_invoice(self.invoice_id)


async def _open(runner: asyncio.Runner, urls: Urls, sealer: Sealer) -> World:
    stack = AsyncExitStack()
    sandbox = await stack.enter_async_context(open_sandbox())
    operator = Actor(ActorKind.OPERATOR, "tests")
    database = await Database.open(urls.app, size=6, name="world", acquire_timeout_s=10, actor=operator)
    stack.push_async_callback(database.close)
    svc = await Database.open(urls.svc, size=1, name="world svc", acquire_timeout_s=10)
    stack.push_async_callback(svc.close)
    # Faults come thick here: no request is refused because of those before.
    api = build_api(sandbox.base_url, breaker=Breaker(limit=1_000_000))
    stack.push_async_callback(api.close)
    clock = SystemClock()
    workspace = await create_sample_workspace(database, sealer, clock)
    rival = await create_sample_workspace(database, sealer, clock)
    await rival.issue_invoice()
    account_id = sandbox.control.create_account()
    await connect_account(workspace, account_id)
    return World(
        runner, stack, database, svc, sandbox, InterruptedProcessor(api), workspace, rival, account_id
    )
