"""The metrics of PDFs; a part of `Metrics`."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_PDF_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class PdfMetrics:
    """What requests for PDFs and their renders count."""

    registry: CollectorRegistry

    def _add_pdf_requests(self) -> None:
        self.pdf_answers = Counter(
            "portal_pdf_answers_total",
            "Requests for the PDF of an open link, by outcome (hit, part, not_modified, unmet, waited, preparing,"
            " down, gone).",
            ("outcome",),
            registry=self.registry,
        )
        self.pdf_wait_seconds = Histogram(
            "portal_pdf_wait_seconds",
            "Time that a request waited for a PDF that was not stored yet, whether it came or not.",
            buckets=_PDF_SECONDS,
            registry=self.registry,
        )
        self.pdf_waiting = Gauge(
            "portal_pdf_waiting_count",
            "Requests that wait for a PDF now.",
            registry=self.registry,
        )

    def _add_pdfs(self) -> None:
        self.pdf_render_seconds = Histogram(
            "portal_pdf_render_seconds",
            "Time to render HTML to PDF with Chromium, the wait for a slot included.",
            buckets=_PDF_SECONDS,
            registry=self.registry,
        )
        self.pdf_postprocess_seconds = Histogram(
            "portal_pdf_postprocess_seconds",
            "Time to post-process one PDF: dates, identifiers, metadata, artifacts.",
            buckets=_PDF_SECONDS,
            registry=self.registry,
        )
        self.pdf_render_failures = Counter(
            "portal_pdf_render_failures_total",
            "Renders that failed, by reason (crash, deadline); after a crash the render is tried once more.",
            ("reason",),
            registry=self.registry,
        )
        self.pdf_browser_launches = Counter(
            "portal_pdf_browser_launches_total",
            "Launches of Chromium, by why it was launched (start, or why the previous browser ended).",
            ("reason",),
            registry=self.registry,
        )
        self.pdf_render_slots_in_use = Gauge(
            "portal_pdf_render_slots_in_use_count",
            "Documents being rendered now.",
            registry=self.registry,
        )
        self.pdf_service_ready = Gauge(
            "portal_pdf_service_ready_count",
            "1 while this worker can render and store PDFs, 0 while it cannot or has no render service.",
            registry=self.registry,
        )
        self.pdf_browser_memory_bytes = Gauge(
            "portal_pdf_browser_memory_bytes",
            "Memory of Chromium's processes at the last measurement.",
            registry=self.registry,
        )
