"""Payers who pay the same invoice at once: as the product lets them, and as a naive strategy would."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from kernel.actor import Actor, ActorKind
from kernel.clock import SystemClock
from kernel.errors import PortalError
from kernel.ids import new_id
from tenants.ids import AttemptId, InvoiceId
from tenants.invoices.queries import load_invoice
from tenants.payments.actions import begin
from tenants.payments.processor import NewPayment
from tenants.payments.values import PaymentRequest, ProgressState

if TYPE_CHECKING:
    from kernel.money import Money
    from ops.bench.payment_stage import PaymentStage
    from tenants.payments.processor import PaymentProcessor

PAYER: Final = Actor(ActorKind.LINK_HOLDER, "bench")
RETURN_URL: Final = "https://bench.example/return"
_CLOCK: Final = SystemClock()


class Strategy(Protocol):
    """A way to take a payment."""

    async def pay(self, invoice_id: InvoiceId, token: str, *, in_part: bool) -> bool:
        """Pay what seems to be open, or a part; True when the payer would try again."""
        ...


@dataclass(frozen=True, slots=True)
class ProductStrategy:
    """As the product does it: reserve, create, record, confirm."""

    stage: PaymentStage
    processor: PaymentProcessor

    async def pay(self, invoice_id: InvoiceId, token: str, *, in_part: bool) -> bool:
        """Pay what the page offers."""
        async with self.stage.database.scope(self.stage.workspace_id, read_only=True):
            invoice = await load_invoice(invoice_id)
        free = invoice.total - invoice.paid - invoice.held
        if free.minor <= 0:
            return False
        request = PaymentRequest(
            amount=_take_part(free) if in_part else free,
            version=invoice.version,
            nonce=secrets.token_hex(8),
            confirmation_token=token,
            return_url=RETURN_URL,
        )
        try:
            progress = await begin(
                self.stage.database,
                self.processor,
                self.stage.workspace_id,
                invoice_id,
                request,
                payer=PAYER,
                clock=_CLOCK,
            )
        except PortalError:
            return True
        return progress.state is not ProgressState.SUCCEEDED


@dataclass(slots=True)
class NaiveStrategy:
    """The control: read the balance, create, and let the browser confirm; whoever sees no result pays again."""

    stage: PaymentStage
    processor: PaymentProcessor
    intents: dict[str, InvoiceId] = field(default_factory=dict)
    paid: dict[InvoiceId, int] = field(default_factory=dict)
    """What the results of payments have said so far, by invoice."""

    async def pay(self, invoice_id: InvoiceId, token: str, *, in_part: bool) -> bool:
        """Pay what is open by the results that are known."""
        stage = self.stage
        async with stage.database.scope(stage.workspace_id, read_only=True):
            total = (await load_invoice(invoice_id)).total
        left = total.minor - self.paid.get(invoice_id, 0)
        if left <= 0:
            return False
        amount = type(total)(left, total.currency)
        attempt_id = AttemptId(new_id())
        new = NewPayment(
            attempt_id,
            stage.workspace_id,
            invoice_id,
            "N-1",
            _take_part(amount) if in_part else amount,
        )
        try:
            intent = await self.processor.create_payment(stage.account_id, new)
            self.intents[intent.intent_id] = invoice_id
            payment = await self.processor.confirm_payment(
                stage.account_id,
                intent.intent_id,
                attempt_id=attempt_id,
                confirmation_token=token,
                return_url=RETURN_URL,
            )
        except PortalError:
            return True
        if payment.charge is None:
            return True
        self.paid[invoice_id] = self.paid.get(invoice_id, 0) + payment.charge.amount.minor
        return False


def _take_part(amount: Money) -> Money:
    return type(amount)(max(100, amount.minor // 2), amount.currency)
