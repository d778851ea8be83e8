"""The result of an examination: a problem and how to correct it."""

from collections.abc import Callable
from dataclasses import dataclass

# Gets one sentence for each examined part that has no problem.
ReportPassed = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem, and how to correct it."""

    problem: str
    remedy: str
