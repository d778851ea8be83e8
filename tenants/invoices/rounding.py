"""Exact rounding and apportioning in minor units, over fractions; nothing is rounded twice."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def round_half_up(value: Fraction) -> int:
    """Round to a whole number, halves away from zero, as commerce and EN 16931 do."""
    magnitude = math.floor(abs(value) + Fraction(1, 2))
    return -magnitude if value < 0 else magnitude


def find_base(gross: int, rate: Fraction) -> int:
    """Return the base that, with half-up tax at `rate` (0 to 1) on it, comes nearest to `gross`.

    Base plus tax grows by one or two units with each unit of the base, so that it misses `gross` by one
    unit at most. No other base comes nearer than the rounded quotient: to meet `gross` exactly, a base's
    distance from the quotient times (1 + rate) is what rounding the tax moved, half a unit at most.
    """
    return round_half_up(gross / (1 + rate))


def apportion(total: int, shares: Sequence[Fraction]) -> list[int]:
    """Share `total` out in whole units, each near its exact share, by largest remainder.

    Every result is the floor of its share or one more, as long as `total` is the rounded sum of the
    shares. Of equal remainders the earlier one gets the unit: the same input always gives the same result.
    """
    floors = [math.floor(share) for share in shares]
    order = sorted(range(len(shares)), key=lambda index: floors[index] - shares[index])
    remainder = total - sum(floors)
    if not 0 <= remainder <= len(shares):
        raise ValueError(f"{total} is not the rounded sum of the shares")
    for index in order[:remainder]:
        floors[index] += 1
    return floors
