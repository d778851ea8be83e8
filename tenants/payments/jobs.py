"""What must happen later for payments."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from kernel.jobs.job import Job

QUEUE = "payments"


class CheckPayment(Job, frozen=True, kw_only=True):
    """Compare an attempt with the provider, and cancel it there once it has expired.

    Each check enqueues the next: `number` keeps its key apart from that of the job that is running.
    """

    kind: ClassVar[str] = "payments.check_payment"
    queue: ClassVar[str] = QUEUE

    attempt_id: UUID
    number: int

    def dedupe_key(self) -> str:
        """Return the attempt and the number of the check."""
        return f"{self.attempt_id}:{self.number}"


class RefundPayment(Job, frozen=True, kw_only=True):
    """Send a refund to the provider. Its id is the idempotency key there."""

    kind: ClassVar[str] = "payments.refund_payment"
    queue: ClassVar[str] = QUEUE
    # The provider may be away for hours.
    max_attempts: ClassVar[int] = 14

    refund_id: UUID

    def dedupe_key(self) -> str:
        """Return the refund's id."""
        return str(self.refund_id)


class RestartPaymentChecks(Job, frozen=True, kw_only=True):
    """Enqueue checks of the attempts that have lost theirs."""

    kind: ClassVar[str] = "payments.restart_checks"
    queue: ClassVar[str] = QUEUE

    def dedupe_key(self) -> str:
        """Return a constant: one at a time restarts a workspace's checks."""
        return "all"
