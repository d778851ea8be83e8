"""All metrics of the product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from kernel.telemetry.hub_metrics import HubMetrics
from kernel.telemetry.live_metrics import LiveMetrics
from kernel.telemetry.payment_metrics import PaymentMetrics
from kernel.telemetry.pdf_metrics import PdfMetrics

if TYPE_CHECKING:
    from collections.abc import Callable

# Buckets in seconds. Pages take 1 to 50 ms; longer requests show faults.
_REQUEST_SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_JOB_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_RENDER_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class Metrics(HubMetrics, LiveMetrics, PaymentMetrics, PdfMetrics):
    """The metrics of one process, in its own registry. Labels have closed sets of values, never workspaces."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._add_http()
        self._add_store()
        self._add_proofs()
        self._add_invoices()
        self._add_comments()
        self._add_pdf_requests()
        self._add_jobs()
        self._add_backlog()
        self._add_events()
        self._add_pdfs()
        self._add_mails()
        self._add_hub()
        self._add_live()
        self._add_polls()
        self._add_stripe_events()
        self._add_payments()

    def _add_http(self) -> None:
        self.request_seconds = Histogram(
            "portal_http_request_seconds",
            "Time from the first byte of a request to the last of its response, by route template and status.",
            ("method", "route", "status"),
            buckets=_REQUEST_SECONDS,
            registry=self.registry,
        )
        self.requests_in_flight = Gauge(
            "portal_http_requests_in_flight_count",
            "Requests being answered now.",
            registry=self.registry,
        )
        self.rate_limit_verdicts = Counter(
            "portal_rate_limit_verdicts_total",
            "Requests counted against a limit, by verdict (allowed, refused) and the counter used (redis, local).",
            ("limit", "verdict", "source"),
            registry=self.registry,
        )
        self.host_lookups = Counter(
            "portal_host_lookups_total",
            "Hosts resolved to a workspace, by result (cached, cached_absent, found, absent).",
            ("result",),
            registry=self.registry,
        )

    def _add_store(self) -> None:
        self.pool_in_use = Gauge(
            "portal_pool_in_use_connections",
            "Connections to Postgres that a unit of work holds now.",
            registry=self.registry,
        )
        self.pool_size = Gauge(
            "portal_pool_size_connections",
            "Most connections to Postgres that this process opens.",
            registry=self.registry,
        )
        self.pool_waiting = Gauge(
            "portal_pool_waiting_count",
            "Units of work that wait for a connection now.",
            registry=self.registry,
        )

    def _add_proofs(self) -> None:
        self.code_requests = Counter(
            "portal_code_requests_total",
            "Requests for a one-time code, by outcome (accepted, throttled); portal_mails_total counts mails.",
            ("outcome",),
            registry=self.registry,
        )
        self.code_checks = Counter(
            "portal_code_checks_total",
            "One-time codes that somebody entered, by outcome (right, wrong, attempts, expired).",
            ("outcome",),
            registry=self.registry,
        )
        self.totp_checks = Counter(
            "portal_totp_checks_total",
            "Codes of authenticators that somebody entered, by outcome (right, wrong, replayed, attempts).",
            ("outcome",),
            registry=self.registry,
        )

    def _add_invoices(self) -> None:
        self.links_not_found = Counter(
            "portal_links_not_found_total",
            "Invoice links that were answered with Invoice Not Found, by whether the token was well formed.",
            ("form",),
            registry=self.registry,
        )
        self.document_lookups = Counter(
            "portal_document_lookups_total",
            "Lookups of issued documents in the cache, by result (hit, miss).",
            ("result",),
            registry=self.registry,
        )
        self.document_render_seconds = Histogram(
            "portal_document_render_seconds",
            "Time to render the HTML of one version of an invoice.",
            buckets=_RENDER_SECONDS,
            registry=self.registry,
        )

        self.views = Counter(
            "portal_views_total",
            "Views of an invoice's page, by result (written, dropped, skipped because the invoice was deleted).",
            ("result",),
            registry=self.registry,
        )

    def _add_comments(self) -> None:
        self.comments_posted = Counter(
            "portal_comments_posted_total",
            "Comments that customers sent, by result (stored, or repeated where they were stored before).",
            ("result",),
            registry=self.registry,
        )
        self.comments_refused = Counter(
            "portal_comments_refused_total",
            "Comments that customers sent and that were not stored, by the code of the error.",
            ("code",),
            registry=self.registry,
        )

    def _add_jobs(self) -> None:
        self.job_attempts = Counter(
            "portal_job_attempts_total",
            "Attempts at jobs that ended, by kind and outcome (done, retried, dead, released, lease_lost, unrecorded).",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self.job_seconds = Histogram(
            "portal_job_seconds",
            "Time from the claim of a job to the end of the attempt.",
            ("kind",),
            buckets=_JOB_SECONDS,
            registry=self.registry,
        )
        self.job_wait_seconds = Histogram(
            "portal_job_wait_seconds",
            "Time from the moment a job was due to its claim by a worker.",
            ("queue",),
            buckets=_JOB_SECONDS,
            registry=self.registry,
        )
        self.jobs_running = Gauge(
            "portal_jobs_running_count",
            "Jobs that this worker runs now.",
            registry=self.registry,
        )
        self.job_notifications = Counter(
            "portal_job_notifications_total",
            "Notifications of workers, by result (sent, failed without Redis, ignored where no job could be claimed).",
            ("result",),
            registry=self.registry,
        )
        self.schedule_occurrences = Counter(
            "portal_schedule_occurrences_total",
            "Occurrences of schedules for which this process added jobs.",
            ("schedule",),
            registry=self.registry,
        )

    def _add_backlog(self) -> None:
        self.jobs_due = Gauge(
            "portal_jobs_due_count",
            "Jobs that are due and not claimed, as the relay last measured them.",
            ("queue",),
            registry=self.registry,
        )
        self.job_oldest_due = Gauge(
            "portal_job_oldest_due_seconds",
            "Age of the job that has been due longest, as the relay last measured it; 0 when none is.",
            ("queue",),
            registry=self.registry,
        )
        self.jobs_dead = Gauge(
            "portal_jobs_dead_count",
            "Jobs that failed for good and wait for an operator, as the relay last measured them.",
            ("kind",),
            registry=self.registry,
        )

    def _add_events(self) -> None:
        self.events_placed = Counter(
            "portal_events_placed_total",
            "Events that this process moved from drafts into the event log.",
            registry=self.registry,
        )
        self.event_oldest_draft = Gauge(
            "portal_event_oldest_draft_seconds",
            "Age of the oldest event that has no place in the log, as the relay saw it last; 0 when there is none.",
            registry=self.registry,
        )

    def _add_mails(self) -> None:
        self.mails = Counter(
            "portal_mails_total",
            "Mails handed to the mail server, by purpose and outcome (sent, failed temporarily, refused).",
            ("purpose", "outcome"),
            registry=self.registry,
        )

    def observe_pool(
        self, in_use: Callable[[], int], size: Callable[[], int], waiting: Callable[[], int]
    ) -> None:
        """Read the state of the pool at each scrape, in the thread of the internal server."""
        self.pool_in_use.set_function(in_use)
        self.pool_size.set_function(size)
        self.pool_waiting.set_function(waiting)
