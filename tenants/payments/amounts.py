"""Amounts that a payment may have."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.money import Money


@dataclass(frozen=True, slots=True)
class AmountLimits:
    """What a payment in one currency may amount to; each must be a multiple of the step."""

    minimum: Money
    maximum: Money
    step: Money


@dataclass(frozen=True, slots=True)
class AllowedAmounts:
    """The amounts that a payment may have now: `whole`, or a multiple of `step` from `smallest` to `largest`.

    `whole` is None where all that is free cannot be paid at once, `smallest` and `largest` where no part can.
    """

    whole: Money | None
    smallest: Money | None
    largest: Money | None
    step: Money

    def includes(self, amount: Money) -> bool:
        """Tell whether a payment may have this amount; Invalid("money.currency")."""
        if self.whole is not None and amount == self.whole:
            return True
        if self.smallest is None or self.largest is None:
            return False
        return self.smallest <= amount <= self.largest and not amount.minor % self.step.minor


def find_allowed_amounts(free: Money, limits: AmountLimits, *, takes_parts: bool) -> AllowedAmounts | None:
    """Return the amounts that may be paid of what is free; None where only a bank transfer can.

    A part leaves enough for another payment: nobody is left with less than the minimum.
    """
    whole = None if _is_refused(free, limits) else free
    smallest = largest = None
    if takes_parts:
        step = limits.step.minor
        least = -(-limits.minimum.minor // step) * step
        most = min(free - limits.minimum, limits.maximum).minor // step * step
        if least <= most:
            smallest, largest = Money(least, free.currency), Money(most, free.currency)
    if whole is None and smallest is None:
        return None
    return AllowedAmounts(whole, smallest, largest, limits.step)


def _is_refused(amount: Money, limits: AmountLimits) -> bool:
    """Tell whether one payment cannot have this amount."""
    is_inside = limits.minimum <= amount <= limits.maximum
    return not is_inside or bool(amount.minor % limits.step.minor)
