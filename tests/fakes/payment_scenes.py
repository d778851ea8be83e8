"""A workspace that takes payments through the Stripe sandbox, with an invoice of 119 euros."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from kernel.actor import Actor, ActorKind
from kernel.clock import Clock, SystemClock
from kernel.ids import new_nonce
from kernel.money import Money
from kernel.store import execute
from ops.sandbox.stripe.faults import Fault, FaultKind
from ops.sandbox.stripe.server import Sandbox, open_sandbox
from ops.sandbox.stripe.store import IntentStatus
from tenants.connect import actions as connect
from tenants.connect.values import CardCapability
from tenants.ids import AttemptId, InvoiceId
from tenants.invoices import queries as invoices
from tenants.invoices.values import InvoiceSummary
from tenants.payments import queries
from tenants.payments.actions import begin, check_payment
from tenants.payments.actions.context import PaymentContext
from tenants.payments.actions.settling import settle
from tenants.payments.processor import ProviderPayment
from tenants.payments.values import (
    Attempt,
    Entry,
    PaymentProgress,
    PaymentRequest,
    Settlement,
)
from tests.fakes.interrupted_processor import InterruptedProcessor
from tests.fakes.sample_workspaces import SampleWorkspace, euros
from tests.fakes.stripe_accounts import ATTEMPTS, build_api, build_snapshot, connect_account

PAYER = Actor(ActorKind.LINK_HOLDER, "link", "Ana")
OTHER_PAYER = Actor(ActorKind.LINK_HOLDER, "other-link", "Tom")
RETURN_URL = "https://pay.acme.example/i/token/return"
#: Test methods of Stripe, by what they lead to.
PAYS: Final = "4242424242424242"
DECLINED: Final = "4000000000000002"
NEEDS_ACTION: Final = "4000002500003155"
REDIRECTS: Final = "ideal"
TAKES_DAYS: Final = "DE89370400440532013000"
#: Requests that can go wrong.
CREATE: Final = "POST /v1/payment_intents"
CONFIRM: Final = "POST /v1/payment_intents/*/confirm"
CANCEL: Final = "POST /v1/payment_intents/*/cancel"
REFUND: Final = "POST /v1/refunds"


@dataclass(slots=True)
class PaymentScene:
    """What a test of payments works with."""

    workspace: SampleWorkspace
    processor: InterruptedProcessor
    sandbox: Sandbox
    account_id: str
    invoice_id: InvoiceId
    clock: Clock

    @property
    def context(self) -> PaymentContext:
        """What actions need that ask the provider."""
        return PaymentContext(
            self.workspace.database, self.processor, self.workspace.workspace_id, self.clock, PAYER
        )

    async def pay(
        self,
        amount: Money | str = "119",
        *,
        method: str = PAYS,
        token: str = "",
        nonce: str | None = None,
        payer: Actor = PAYER,
        take_over: bool = False,
        version: int = 1,
    ) -> PaymentProgress:
        """Click on "pay"."""
        return await begin(
            self.workspace.database,
            self.processor,
            self.workspace.workspace_id,
            self.invoice_id,
            PaymentRequest(
                amount=euros(amount) if isinstance(amount, str) else amount,
                version=version,
                nonce=new_nonce() if nonce is None else nonce,
                confirmation_token=token or self._make_token(method),
                return_url=RETURN_URL,
                take_over=take_over,
            ),
            payer=payer,
            clock=self.clock,
        )

    async def load_picture(self, intent_id: str) -> ProviderPayment:
        """Read a payment at Stripe."""
        return await self.processor.load_payment(self.account_id, intent_id)

    async def apply(self, picture: ProviderPayment) -> Settlement:
        """Settle a picture, whenever it was loaded."""
        async with self.context.scope():
            return await settle(picture, account_id=self.account_id, clock=self.clock)

    async def settle(self, intent_id: str) -> Settlement:
        """Load a payment and settle it, as every delivery does."""
        return await self.apply(await self.load_picture(intent_id))

    async def check(self, attempt_id: AttemptId) -> Settlement:
        """Run the latest check of an attempt."""
        attempt = await self.load_attempt(attempt_id)
        return await check_payment(self.context, attempt_id, attempt.checks)

    async def expire(self, attempt_id: AttemptId) -> None:
        """Let the time of an attempt be over."""
        async with self.context.scope():
            await execute(
                "UPDATE payment_attempt SET expires_at = now() - interval '1 second'"
                " WHERE attempt_id = $1 AND expires_at IS NOT NULL",
                attempt_id,
            )

    async def load_invoice(self) -> InvoiceSummary:
        """Return the invoice."""
        async with self.context.scope():
            return await invoices.load_invoice(self.invoice_id)

    async def load_attempt(self, attempt_id: AttemptId) -> Attempt:
        """Return an attempt."""
        async with self.context.scope():
            return await queries.load_attempt(attempt_id)

    async def list_attempts(self) -> tuple[Attempt, ...]:
        """Return the attempts to pay the invoice."""
        async with self.context.scope():
            return await queries.list_attempts(self.invoice_id)

    async def list_entries(self) -> tuple[Entry, ...]:
        """Return the ledger of the invoice."""
        async with self.context.scope():
            return await queries.list_entries(self.invoice_id)

    async def list_moves(self) -> list[tuple[str, Money]]:
        """Return kind and amount of the entries of the ledger, in order."""
        return [(entry.kind.value, entry.amount) for entry in await self.list_entries()]

    # What the payer, the bank and the business do at Stripe, and what goes wrong on the way there.

    def settle_at_bank(self, intent_id: str) -> None:
        """Let the payer approve, or the bank pay."""
        self.sandbox.control.settle(intent_id)

    def succeed_late(self, intent_id: str) -> None:
        """Let the bank have said yes before the cancellation came, and Stripe be told last."""
        self.sandbox.store.open(self.account_id).find_intent(intent_id).status = IntentStatus.REQUIRES_ACTION
        self.settle_at_bank(intent_id)

    def refund(self, intent_id: str, amount: str) -> str:
        """Give money back in Stripe's dashboard; returns the refund's id."""
        return self.sandbox.control.refund(self.find_charge(intent_id), euros(amount).minor)

    def open_dispute(self, intent_id: str, *, funds: bool = True) -> str:
        """Let the payer's bank dispute the payment; returns the dispute's id."""
        return self.sandbox.control.open_dispute(self.find_charge(intent_id), funds=funds)

    def find_charge(self, intent_id: str) -> str:
        """Return the charge of a payment that has succeeded."""
        return next(
            row.charge_id for row in self.sandbox.control.list_bank_rows() if row.intent_id == intent_id
        )

    def count_intents(self) -> int:
        """Return how many payments were begun at Stripe."""
        return len(self.sandbox.control.list_bank_rows())

    def refuse(self, match: str) -> None:
        """Let a request and its repetitions be refused before anything is done."""
        self.sandbox.control.add_fault(Fault(FaultKind.ERROR_BEFORE, match, times=ATTEMPTS))

    def lose_answer(self, match: str) -> None:
        """Let a request be carried out, and its answer and that to its repetitions be lost."""
        self.sandbox.control.add_fault(Fault(FaultKind.DROP_AFTER, match, times=ATTEMPTS))

    async def record_account(self, capability: CardCapability) -> None:
        """Note what the account may do."""
        async with self.context.scope():
            await connect.record_account(
                build_snapshot(self.account_id, capability), read_at=self.clock.now()
            )

    def _make_token(self, method: str) -> str:
        return self.sandbox.control.create_confirmation_token(self.account_id, method, return_url=RETURN_URL)


@asynccontextmanager
async def open_payment_scene(workspace: SampleWorkspace) -> AsyncIterator[PaymentScene]:
    """Connect a workspace to an account of a sandbox, and issue an invoice."""
    async with open_sandbox() as sandbox:
        api = build_api(sandbox.base_url)
        account_id = sandbox.control.create_account()
        await connect_account(workspace, account_id)
        invoice_id = await workspace.issue_invoice()
        processor = InterruptedProcessor(api)
        try:
            yield PaymentScene(workspace, processor, sandbox, account_id, invoice_id, SystemClock())
        finally:
            await api.close()
        assert list(sandbox.violations) == []
