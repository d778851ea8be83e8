"""The form of every benchmark's answer: figures with their targets, the last line for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure and the least it must be; with `at_most`, the most. No figure: `why` it could not be had."""

    name: str
    value: float | None
    target: float
    at_most: bool = False
    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether the target is reached."""
        if self.value is None:
            return False
        return self.value <= self.target if self.at_most else self.value >= self.target

    @property
    def verdict(self) -> str:
        """What a reader is told."""
        if self.value is None:
            return f"NOT MEASURED: {self.why}"
        return "ok" if self.ok else "MISSED"


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
            "ok": row.ok,
        }
        for row in rows
    }
    print(f"RESULT {json.dumps(figures)}")
    return 0 if all(row.ok for row in rows) else 1
