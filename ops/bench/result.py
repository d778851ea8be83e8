"""Prints the results of a benchmark: figures with their targets, and a last line as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure and its target, a minimum, with `at_most` a maximum. Without a figure: `reason`."""

    name: str
    value: float | None
    target: float
    at_most: bool = False
    reason: str = ""

    @property
    def is_reached(self) -> bool:
        """Whether the target is reached."""
        if self.value is None:
            return False
        return self.value <= self.target if self.at_most else self.value >= self.target

    @property
    def verdict(self) -> str:
        """The verdict as text."""
        if self.value is None:
            return f"NOT MEASURED: {self.reason}"
        return "ok" if self.is_reached else "MISSED"


def report(rows: Sequence[Row]) -> int:
    """Print the rows and, last, `RESULT {"name": {"value", "target", "ok"}, …}`; returns the exit code."""
    width = max(len(row.name) for row in rows)
    for row in rows:
        value = "     –" if row.value is None else f"{row.value:6.2f}"
        sign = "<=" if row.at_most else ">="
        print(f"{row.name:<{width}}  {value}  target {sign} {row.target:.2f}  {row.verdict}")
    figures = {
        row.name: {
            "value": None if row.value is None else round(row.value, 3),
            "target": row.target,
            "ok": row.is_reached,
        }
        for row in rows
    }
    print(f"RESULT {json.dumps(figures)}")
    return 0 if all(row.is_reached for row in rows) else 1
