"""Reads metrics and probes of a process from its internal port."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from ops.dev import programs
from ops.dev.loopback import fetch_url


def read_sample(running: programs.RunningProgram, name: str, **labels: str) -> float | None:
    """Return the value of a series; None if the process has no such series."""
    text = fetch_url(running.program.metrics_url).body.decode()
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            if (each.name, each.labels) == (name, labels):
                return float(each.value)
    return None


def fetch_status(running: programs.RunningProgram, path: str = "/readyz") -> int:
    """Return the status of a probe; 0 while nothing listens."""
    try:
        return fetch_url(running.program.internal_url(path)).status
    except ConnectionRefusedError:
        return 0
