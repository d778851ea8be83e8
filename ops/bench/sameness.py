"""Whether the PDF is still the page: asks the journey that compares them, word by word and pixel by pixel."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[2]
_JOURNEY: Final = "tests/journeys/test_page_and_pdf.py"
# The invoice that everything else is measured with, and one of a single page.
_KINDS: Final = "lines-40 or lines-3"
_PATIENCE_S: Final = 180.0


@dataclass(frozen=True, slots=True)
class Sameness:
    """Invoices whose PDF differs from their page by more than rendering.md allows; None: `why` nobody knows."""

    different: int | None
    why: str = ""


def compare_page_and_pdf() -> Sameness:
    """Run the journey for two kinds of invoice; all kinds are in the test suite."""
    command = [sys.executable, "-m", "pytest", "-q", "-n0", _JOURNEY, "-k", _KINDS]
    try:
        done = subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Sameness(None, f"the journey did not end in {_PATIENCE_S:.0f} s")
    return verdict(done.stdout)


def verdict(said: str) -> Sameness:
    """Read pytest's last line; an invoice that could not be compared is none that is the same."""
    last = said.strip().rpartition("\n")[2]
    counts = {what: int(count) for count, what in re.findall(r"(\d+) (passed|failed|error)", last)}
    if not counts.get("passed") and not counts.get("failed"):
        return Sameness(None, last or "the journey said nothing")
    return Sameness(counts.get("failed", 0) + counts.get("error", 0))
