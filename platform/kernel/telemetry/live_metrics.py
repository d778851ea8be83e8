"""The metrics of what follows realtime logs; a part of `Metrics`."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_DELIVERY_SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip


class LiveMetrics:
    """What rooms and long polls count."""

    registry: CollectorRegistry

    def _add_live(self) -> None:
        self.live_wakes = Counter(
            "portal_live_wakes_total",
            "Wake-ups of rooms, by result (live; duplicate: nothing new; gap: something before it must be read;"
            " unknown: nobody here follows the stream).",
            ("result",),
            registry=self.registry,
        )
        self.live_gaps_filled = Counter(
            "portal_live_gaps_filled_total",
            "Rooms that were behind and were brought up to date from the database.",
            registry=self.registry,
        )
        self.live_warm_ups = Counter(
            "portal_live_warm_ups_total",
            "Reads of a log for its first follower in this process.",
            registry=self.registry,
        )
        self.live_resumes = Counter(
            "portal_live_resumes_total",
            "Followers that came back and had missed something, by where it came from (memory, database).",
            ("from",),
            registry=self.registry,
        )
        self.live_reconciled = Counter(
            "portal_live_reconciled_total",
            "Rooms that a comparison with the database found behind: no wake-up had come.",
            registry=self.registry,
        )
        self.live_resets = Counter(
            "portal_live_resets_total",
            "Followers that had to start anew: another epoch, or a place ahead of the database.",
            registry=self.registry,
        )
        self.live_listener_connected = Gauge(
            "portal_live_listener_connected_count",
            "1 while this process is subscribed to the wake-ups in Redis, otherwise 0.",
            registry=self.registry,
        )
        self.live_delivery_seconds = Histogram(
            "portal_live_delivery_seconds",
            "Time from the moment an event was appended to its delivery to the followers of a room.",
            buckets=_DELIVERY_SECONDS,
            registry=self.registry,
        )

    def _add_polls(self) -> None:
        self.polls_parked = Gauge(
            "portal_polls_parked_count",
            "Requests that wait for the next event of an invoice now.",
            registry=self.registry,
        )
        self.polls = Counter(
            "portal_polls_total",
            "Requests for the events of an invoice, by outcome (events, empty, not_modified, drained, reset, revoked,"
            " disconnected, busy).",
            ("outcome",),
            registry=self.registry,
        )
