"""Jobs on events of Stripe."""

from __future__ import annotations

from typing import ClassVar

from kernel.jobs import Job


class ApplyStripeEvent(Job, frozen=True, kw_only=True):
    """Read again at Stripe what an event is about, and apply it."""

    kind: ClassVar[str] = "connect.apply_stripe_event"
    queue: ClassVar[str] = "payments"
    # With the doubled pauses this lasts through a day and a half of an outage at Stripe.
    max_attempts: ClassVar[int] = 16

    scope: str
    account_id: str
    event_id: str

    def dedupe_key(self) -> str:
        """Return the event's key: it is applied by one job at a time."""
        return f"{self.scope}:{self.account_id}:{self.event_id}"


class ReconcileAccount(Job, frozen=True, kw_only=True):
    """Read Stripe's list of the events of the workspace's accounts, and store those that were not delivered."""

    kind: ClassVar[str] = "connect.reconcile_account"
    queue: ClassVar[str] = "payments"
    # The schedule adds the next one soon.
    max_attempts: ClassVar[int] = 3

    def dedupe_key(self) -> str:
        """Return a constant: one at a time lists the events of a workspace's accounts."""
        return "all"
