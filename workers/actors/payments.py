"""Follows payments that are under way, and sends refunds: each asks the provider between units of work of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel.errors import Unavailable
from tenants.ids import AttemptId, RefundId
from tenants.payments import actions
from tenants.payments.actions.context import PaymentContext
from tenants.payments.states import TIMINGS, Timings
from tenants.payments.values import Settlement

if TYPE_CHECKING:
    from kernel.telemetry.metrics import Metrics
    from tenants.payments.jobs import CheckPayment, RefundPayment, RestartPaymentChecks
    from tenants.payments.processor import PaymentProcessor
    from workers.actors.attempt import Attempt


@dataclass(frozen=True, slots=True)
class Provider:
    """The payment processor, when payments are checked there, and what counts the results."""

    processor: PaymentProcessor
    metrics: Metrics
    timings: Timings = TIMINGS


class PaymentJobs:
    """The functions of the jobs on payments; without a provider, attempts that need one fail."""

    def __init__(self, provider: Provider | None) -> None:
        self._optional_provider = provider

    @property
    def _provider(self) -> Provider:
        if self._optional_provider is None:
            raise Unavailable("payment.provider_unavailable", "This worker takes no payments.")
        return self._optional_provider

    async def check_payment(self, job: CheckPayment, attempt: Attempt) -> None:
        """Compare a payment with the provider, or cancel it there if it has expired; the next check is enqueued."""
        context = self._build_context(attempt)
        outcome = await actions.check_payment(context, AttemptId(job.attempt_id), job.number)
        if outcome in {Settlement.APPLIED, Settlement.LATE}:
            self._provider.metrics.payment_reconciler_fixes.labels("check").inc()
        if outcome is Settlement.LATE:
            self._provider.metrics.payment_late_successes.inc()

    async def send_refund(self, job: RefundPayment, attempt: Attempt) -> None:
        """Send a refund; its id is the idempotency key, so that another attempt makes no second one."""
        await actions.send_refund(self._build_context(attempt), RefundId(job.refund_id))

    async def restart_checks(self, _job: RestartPaymentChecks, attempt: Attempt) -> None:
        """Enqueue the checks of payments that have lost theirs."""
        async with attempt.effect():
            await actions.restart_checks()

    def _build_context(self, attempt: Attempt) -> PaymentContext:
        return PaymentContext(
            attempt.database,
            self._provider.processor,
            attempt.workspace_id,
            attempt.clock,
            attempt.actor,
            self._provider.timings,
        )
