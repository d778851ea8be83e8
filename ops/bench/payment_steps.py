"""Measures `begin` without a provider's time against the statements that it executes, on a bare connection."""

# ruff: noqa: ARG002  -- the parameters of the port that its twin here needs not
from __future__ import annotations

import secrets
import statistics
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

import asyncpg

from kernel.actor import Actor, ActorKind
from kernel.clock import SystemClock
from kernel.errors import Conflict
from kernel.ids import new_id
from kernel.money import Money, find_currency
from kernel.store import Database, current
from ops.bench.payment_stage import PaymentStage, create_stage
from tenants.connect import currencies, queries
from tenants.ids import RefundId
from tenants.invoices.queries import load_invoice
from tenants.payments.actions import begin
from tenants.payments.processor import Charge, ProviderPayment, ProviderStatus
from tenants.payments.values import PaymentRequest, ProgressState

if TYPE_CHECKING:
    from kernel.money import Currency
    from kernel.store.pool import Connection
    from kernel.store.roles import Urls
    from tenants.ids import AttemptId, InvoiceId
    from tenants.payments.amounts import AmountLimits
    from tenants.payments.processor import NewPayment, PaymentAccount, ProviderRefund

_PAYER: Final = Actor(ActorKind.LINK_HOLDER, "bench")
_CLOCK: Final = SystemClock()
_USD: Final = find_currency("USD")


@dataclass(slots=True)
class InstantProcessor:
    """A provider that takes no time: every payment succeeds."""

    payments: dict[str, NewPayment] = field(default_factory=dict)
    is_live: bool = False

    def find_limits(self, currency: Currency) -> AmountLimits | None:
        """Return Stripe's limits."""
        return currencies.find_limits(currency)

    async def find_account(self) -> PaymentAccount | None:
        """Return the account of the bound workspace."""
        return await queries.find_account()

    async def create_payment(self, account_id: str, payment: NewPayment) -> ProviderPayment:
        """Create a payment."""
        intent_id = f"pi_{secrets.token_hex(12)}"
        self.payments[intent_id] = payment
        return self._show(intent_id, ProviderStatus.UNCONFIRMED)

    async def confirm_payment(
        self,
        account_id: str,
        intent_id: str,
        *,
        attempt_id: AttemptId,
        confirmation_token: str,
        return_url: str,
    ) -> ProviderPayment:
        """Take the money."""
        return self._show(intent_id, ProviderStatus.SUCCEEDED)

    async def load_payment(self, account_id: str, intent_id: str) -> ProviderPayment:
        """Show a payment."""
        return self._show(intent_id, ProviderStatus.SUCCEEDED)

    async def cancel_payment(self, account_id: str, intent_id: str) -> ProviderPayment:
        """Show a payment: it has succeeded."""
        return self._show(intent_id, ProviderStatus.SUCCEEDED)

    async def create_refund(
        self, account_id: str, intent_id: str, *, refund_id: RefundId, amount: Money
    ) -> ProviderRefund:
        """Refuse: nothing is refunded here."""
        raise Conflict("payment.refund_too_large", "Nothing is given back here.")

    def _show(self, intent_id: str, status: ProviderStatus) -> ProviderPayment:
        payment, now = self.payments[intent_id], _CLOCK.now()
        has_succeeded = status is ProviderStatus.SUCCEEDED
        return ProviderPayment(
            intent_id=intent_id,
            status=status,
            amount=payment.amount,
            is_live=False,
            created_at=now,
            attempt_id=payment.attempt_id,
            method_type="card",
            charge=Charge(f"ch_{intent_id}", payment.amount, now) if has_succeeded else None,
        )


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it was executed."""

    sql: str
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """What one payment of an invoice executed."""

    invoice_id: InvoiceId
    statements: tuple[Statement, ...]

    def rewrite(self, workspace_id: UUID, invoice_id: InvoiceId) -> list[Statement]:
        """Return the statements of another payment: of another invoice, with other ids."""
        ids: dict[str, str] = {
            str(self.invoice_id): str(invoice_id),
            str(workspace_id): str(workspace_id),
        }
        for statement in self.statements:
            for arg in statement.args:
                if isinstance(arg, UUID):
                    ids.setdefault(str(arg), str(new_id()))
                elif isinstance(arg, str) and arg.startswith(("pi_", "nonce-")):
                    ids.setdefault(arg, arg.rstrip("0123456789abcdef") + secrets.token_hex(12))
        return [
            Statement(each.sql, tuple(_replace_ids(arg, ids) for arg in each.args))
            for each in self.statements
        ]


def _replace_ids(arg: Any, ids: dict[str, str]) -> Any:
    if isinstance(arg, UUID):
        return UUID(ids.get(str(arg), str(arg)))
    if not isinstance(arg, str):
        return arg
    for before, after in ids.items():
        arg = arg.replace(before, after)
    return arg


async def measure_begin(urls: Urls, rounds: int) -> tuple[float, float]:
    """Return the median milliseconds of `begin` and of its bare statements, measured in turn."""
    database = await Database.open(urls.app, size=1, name="bench begin", actor=_PAYER)
    bare: Connection = await asyncpg.connect(urls.app)
    try:
        stage, processor = await create_stage(database, f"acct_{secrets.token_hex(8)}"), InstantProcessor()
        recording = await _record(stage, processor)
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(rounds):
            invoice_id = await stage.issue_invoice()
            ours.append(await _pay(stage, processor, invoice_id, await _build_request(stage, invoice_id)))
            statements = recording.rewrite(stage.workspace_id, await stage.issue_invoice())
            theirs.append(await _execute(bare, statements))
    finally:
        await bare.close()
        await database.close()
    # The first ones prepare the statements.
    skipped = rounds // 10
    return statistics.median(ours[skipped:]) * 1e3, statistics.median(theirs[skipped:]) * 1e3


async def _record(stage: PaymentStage, processor: InstantProcessor) -> Recording:
    invoice_id, statements = await stage.issue_invoice(), []

    def add(query: Any) -> None:
        statements.append(Statement(query.query, tuple(query.args or ())))

    async with stage.database.unbound():
        # The product's own type of a connection has only what the product calls.
        connection = cast("Any", current().connection())
    request = await _build_request(stage, invoice_id)
    connection.add_query_logger(add)
    await _pay(stage, processor, invoice_id, request)
    connection.remove_query_logger(add)
    return Recording(invoice_id, tuple(statements))


async def _build_request(stage: PaymentStage, invoice_id: InvoiceId) -> PaymentRequest:
    async with stage.database.scope(stage.workspace_id, read_only=True):
        invoice = await load_invoice(invoice_id)
    return PaymentRequest(
        amount=invoice.total,
        version=invoice.version,
        nonce=f"nonce-{secrets.token_hex(12)}",
        confirmation_token="ctoken_bench",  # noqa: S106  -- nobody reads it
        return_url="https://bench.example/",
    )


async def _pay(
    stage: PaymentStage, processor: InstantProcessor, invoice_id: InvoiceId, request: PaymentRequest
) -> float:
    started = perf_counter()
    progress = await begin(
        stage.database,
        processor,
        stage.workspace_id,
        invoice_id,
        request,
        payer=_PAYER,
        clock=_CLOCK,
    )
    elapsed = perf_counter() - started
    if progress.state is not ProgressState.SUCCEEDED:
        raise ValueError(f"the payment ended as {progress.state}")
    return elapsed


async def _execute(connection: Connection, statements: list[Statement]) -> float:
    started = perf_counter()
    for each in statements:
        if each.args:
            await connection.fetch(each.sql, *each.args)
        else:
            await connection.execute(each.sql)
    return perf_counter() - started
