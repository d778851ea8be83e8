"""Runs the test that compares page and PDF, word by word and pixel by pixel."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[2]
_TEST: Final = "tests/journeys/test_page_and_pdf.py"
# The invoice of the other measurements, and one of a single page.
_INVOICES: Final = "lines-40 or lines-3"
_TIMEOUT_S: Final = 180.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """The number of invoices whose PDF differs from their page; None: unknown, for `reason`."""

    different: int | None
    reason: str = ""


def compare_page_and_pdf() -> Comparison:
    """Compare two invoices; the test suite compares all."""
    command = [sys.executable, "-m", "pytest", "-q", "-n0", _TEST, "-k", _INVOICES]
    try:
        process = subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Comparison(None, f"the test did not end in {_TIMEOUT_S:.0f} s")
    return read_summary(process.stdout)


def read_summary(output: str) -> Comparison:
    """Read pytest's last line; an invoice that could not be compared counts as different."""
    last = output.strip().rpartition("\n")[2]
    counts = {what: int(count) for count, what in re.findall(r"(\d+) (passed|failed|error)", last)}
    if not counts.get("passed") and not counts.get("failed"):
        return Comparison(None, last or "pytest printed nothing")
    return Comparison(counts.get("failed", 0) + counts.get("error", 0))
