"""What a process reports on its internal port: its series and whether it is ready."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from ops.dev import programs
from ops.dev.loopback import fetch_url


def sample(running: programs.RunningProgram, name: str, **labels: str) -> float | None:
    """Read a series from a process's internal port; None where it has no such sample."""
    text = fetch_url(running.program.metrics_url).body.decode()
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            if (each.name, each.labels) == (name, labels):
                return float(each.value)
    return None


def status(running: programs.RunningProgram, path: str = "/readyz") -> int:
    """Ask a probe of a process; 0 while nobody listens."""
    try:
        return fetch_url(running.program.internal_url(path)).status
    except ConnectionRefusedError:
        return 0
