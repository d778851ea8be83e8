"""The metrics of payments and of Stripe's events; a part of `Metrics`."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Seconds; without a delivery the reconciler finds out, after minutes to hours.
_TRUTH_SECONDS: Final = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 10_800.0, 86_400.0)


class PaymentMetrics:
    """What the webhooks of Stripe, the jobs of payments and the reconciler count."""

    registry: CollectorRegistry

    def _add_stripe_events(self) -> None:
        self.stripe_deliveries = Counter(
            "portal_stripe_deliveries_total",
            "Verified events that Stripe delivered, by scope and result (stored, repeated, unknown_account,"
            " other_livemode, foreign, unused).",
            ("scope", "result"),
            registry=self.registry,
        )
        self.stripe_signature_failures = Counter(
            "portal_stripe_signature_failures_total",
            "Deliveries that were refused, by scope and reason (header, signature, old, future, body).",
            ("scope", "reason"),
            registry=self.registry,
        )
        self.stripe_last_verified = Gauge(
            "portal_stripe_last_verified_timestamp_seconds",
            "When this process last verified a delivery, by scope, as Unix time.",
            ("scope",),
            registry=self.registry,
        )
        self.stripe_events_applied = Counter(
            "portal_stripe_events_applied_total",
            "Events that a job has ended, by outcome (applied, late, unchanged, not_ours, refreshed, revoked, parked).",
            ("outcome",),
            registry=self.registry,
        )
        self.stripe_inbox_oldest = Gauge(
            "portal_stripe_inbox_oldest_seconds",
            "Age of the oldest event that is not applied, as the relay last measured it; 0 when there is none.",
            registry=self.registry,
        )
        self.stripe_inbox_parked = Gauge(
            "portal_stripe_inbox_parked_count",
            "Events that wait for a release that knows what they lead to, as the relay last measured it.",
            registry=self.registry,
        )

    def _add_payments(self) -> None:
        self.payment_truth_seconds = Histogram(
            "portal_payment_truth_seconds",
            "Time from the making of an event at Stripe to the commit that tells the page of its change.",
            ("source",),
            buckets=_TRUTH_SECONDS,
            registry=self.registry,
        )
        self.payment_reconciler_fixes = Counter(
            "portal_payment_reconciler_fixes_total",
            "Changes that a check of a payment or of the list of events found first, by what found it (check, event).",
            ("found_by",),
            registry=self.registry,
        )
        self.payment_late_successes = Counter(
            "portal_payment_late_successes_total",
            "Payments that succeeded after they were cancelled or expired here, or their invoice was voided.",
            registry=self.registry,
        )
