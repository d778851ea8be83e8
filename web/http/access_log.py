"""The account of every request: its metrics, and one line in the log that holds nothing secret."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

import msgspec

if TYPE_CHECKING:
    from kernel.clock import Clock
    from kernel.telemetry.metrics import Metrics

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_encode: Final = msgspec.json.Encoder().encode


class Traffic:
    """Counts and writes down what was asked and how it was answered.

    Access lines go straight to the stream: every value in them is ours and from a closed set or a number, so
    there is nothing to redact, and they cost a tenth of a line that has been through all processors.
    """

    def __init__(self, metrics: Metrics, clock: Clock, *, level: str, stream: TextIO | None = None) -> None:
        """Write to `stream` (standard output) unless the level of the logs is above info."""
        self.metrics = metrics
        self._clock = clock
        self._stream = (stream or sys.stdout) if level in {"debug", "info"} else None
        self._timers: dict[tuple[str, str, int], Any] = {}

    def arrived(self) -> None:
        """Count a request that begins."""
        self.metrics.requests_in_flight.inc()

    def left(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count a request that has been answered; `route` is a template, `status` 0 when nothing was sent."""
        self.metrics.requests_in_flight.dec()
        key = (method, route, status)
        timer = self._timers.get(key)
        if timer is None:
            # A client may invent methods; a label may not be invented.
            known = method if method in _METHODS else "other"
            timer = self.metrics.request_seconds.labels(known, route, str(status))
            if known == method:
                self._timers[key] = timer
        timer.observe(took_s)

    def verdict(self, limit: str, verdict: str, source: str) -> None:
        """Count what a rate limit said."""
        self.metrics.rate_limit_verdicts.labels(limit, verdict, source).inc()

    def host_lookup(self, result: str) -> None:
        """Count how a host was resolved."""
        self.metrics.host_lookups.labels(result).inc()

    def line(self, **values: object) -> None:
        """Write one access line."""
        if self._stream is None:
            return
        moment = self._clock.now().isoformat(timespec="milliseconds")
        line = {
            "event": "request",
            **values,
            "level": "info",
            "logger": "access",
            "process": "gateway",
            "time": moment,
        }
        self._stream.write(_encode(line).decode() + "\n")
        self._stream.flush()
