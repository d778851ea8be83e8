"""Payments over the Stripe sandbox, by the processor of the product and a payer who types what the test says."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.ids import WorkspaceId, new_id
from kernel.money import Money
from ops.sandbox.stripe.server import Sandbox
from tenants.ids import AttemptId, InvoiceId, RefundId
from tenants.payments.processor import NewPayment, PaymentProcessor, ProviderPayment
from tests.fakes.sample_workspaces import euros

VISA = "4242424242424242"
RETURN_URL = "https://acme.example/return"


@dataclass(slots=True)
class Stage:
    """An account of the sandbox, and what a payer does."""

    sandbox: Sandbox
    processor: PaymentProcessor
    account_id: str

    async def create(
        self, amount: Money | None = None, attempt_id: AttemptId | None = None, fee_bp: int = 0
    ) -> ProviderPayment:
        attempt_id = attempt_id or AttemptId(new_id())
        new = NewPayment(
            attempt_id,
            WorkspaceId(new_id()),
            InvoiceId(new_id()),
            "INV-7",
            amount or euros("12.34"),
            fee_bp,
        )
        return await self.processor.create_payment(self.account_id, new)

    def type_card(self, method: str = VISA) -> str:
        """Return the token that the browser makes of it."""
        return self.sandbox.control.create_confirmation_token(self.account_id, method, return_url=RETURN_URL)

    async def confirm(
        self, payment: ProviderPayment, method: str = VISA, *, token: str = ""
    ) -> ProviderPayment:
        assert payment.attempt_id is not None
        return await self.processor.confirm_payment(
            self.account_id,
            payment.intent_id,
            attempt_id=payment.attempt_id,
            confirmation_token=token or self.type_card(method),
            return_url=RETURN_URL,
        )

    async def pay(self, method: str = VISA, amount: Money | None = None) -> ProviderPayment:
        return await self.confirm(await self.create(amount), method)

    async def load(self, payment: ProviderPayment) -> ProviderPayment:
        return await self.processor.load_payment(self.account_id, payment.intent_id)

    async def refund(self, payment: ProviderPayment, amount: str, refund_id: RefundId | None = None) -> str:
        refund = await self.processor.create_refund(
            self.account_id,
            payment.intent_id,
            refund_id=refund_id or RefundId(new_id()),
            amount=euros(amount),
        )
        return refund.source_id
