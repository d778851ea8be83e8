"""The form of every benchmark's answer: ratios with their targets, the last line for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure and the least it must be."""

    name: str
    value: float
    target: float

    @property
    def ok(self) -> bool:
        """Whether the target is reached."""
        return self.value >= self.target


def report(rows: Sequence[Row]) -> int:
    """Print the rows and, last, `RESULT {"name": {"value", "target", "ok"}, …}`; returns the exit code."""
    width = max(len(row.name) for row in rows)
    for row in rows:
        print(
            f"{row.name:<{width}}  {row.value:6.2f}  target >= {row.target:.2f}  {'ok' if row.ok else 'MISSED'}"
        )
    figures = {row.name: {"value": round(row.value, 3), "target": row.target, "ok": row.ok} for row in rows}
    print(f"RESULT {json.dumps(figures)}")
    return 0 if all(row.ok for row in rows) else 1
