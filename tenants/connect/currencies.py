"""Stripe's units of amounts: not always those of ISO 4217, nor the digits that are shown (CLDR).

Stripe's exponent and the smallest step of each currency are in currencies.csv (docs.stripe.com/currencies). ISK and UGX
have no decimals in ISO 4217 and two, always 00, at Stripe; MGA has two in ISO 4217 and none at Stripe; of
three decimals the last one must be 0.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kernel.errors import Invalid
from kernel.money import Currency, Money, load_currencies
from tenants.payments.amounts import AmountLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

_POWERS: Final = (1, 10, 100, 1000)


@dataclass(frozen=True, slots=True)
class StripeCurrency:
    """A currency as Stripe counts it; all amounts in Stripe's units."""

    code: str
    exponent: int
    """Decimal digits of an amount in Stripe's units."""
    step: int
    """What a charged amount must be a multiple of."""
    minimum: int
    """A floor: Stripe's minimum is that of the settlement currency, which may be another one."""
    maximum: int


@cache
def load_stripe_currencies() -> Mapping[str, StripeCurrency]:
    """Return the currencies that Stripe charges, by code in capitals."""
    text = (files("tenants.connect") / "currencies.csv").read_text(encoding="utf-8")
    return MappingProxyType({row["code"]: _read_row(row) for row in csv.DictReader(text.splitlines())})


def find_limits(currency: Currency) -> AmountLimits | None:
    """Return what a payment in a currency may amount to; None for a currency that Stripe does not charge."""
    entry = load_stripe_currencies().get(currency.code)
    if entry is None:
        return None
    step = _ceil_to_minor(entry.step, entry, currency)
    minimum = _ceil_to_minor(entry.minimum, entry, currency)
    maximum = _floor_to_minor(entry.maximum, entry, currency)
    return AmountLimits(
        minimum=Money(-(-minimum // step) * step, currency),
        maximum=Money(maximum // step * step, currency),
        step=Money(step, currency),
    )


def to_stripe_units(amount: Money) -> int:
    """Return an amount to charge or refund in Stripe's units.

    Nothing is rounded: Invalid("payment.amount_step") for what is not a multiple of the step,
    Invalid("payment.currency_not_supported").
    """
    entry = _require(amount.currency.code)
    units, rest = divmod(amount.minor * _POWERS[entry.exponent], _POWERS[amount.currency.digits])
    if rest or units % entry.step:
        raise Invalid(
            "payment.amount_step",
            f"{amount} is not a multiple of what Stripe can charge in {entry.code}.",
            currency=entry.code,
        )
    return units


def from_stripe_units(units: int, code: str) -> Money:
    """Return an amount that Stripe names, with the currency's code in small letters or capitals.

    Nothing is rounded: Invalid("payment.amount_inexact") for what has no exact value in ISO 4217 minor units,
    Invalid("payment.currency_not_supported"). What Stripe has moved need not be a multiple of the step.
    """
    entry = _require(code.upper())
    currency = load_currencies()[entry.code]
    minor, rest = divmod(units * _POWERS[currency.digits], _POWERS[entry.exponent])
    if rest:
        text = f"Stripe names an amount in {entry.code} that has no exact value in ISO 4217 minor units."
        raise Invalid("payment.amount_inexact", text, currency=entry.code, units=units)
    return Money(minor, currency)


def _require(code: str) -> StripeCurrency:
    entry = load_stripe_currencies().get(code)
    if entry is None or code not in load_currencies():
        text = f"Stripe does not charge in {code[:10]!r}."
        raise Invalid("payment.currency_not_supported", text, currency=code[:10])
    return entry


def _ceil_to_minor(units: int, entry: StripeCurrency, currency: Currency) -> int:
    return -(-units * _POWERS[currency.digits] // _POWERS[entry.exponent])


def _floor_to_minor(units: int, entry: StripeCurrency, currency: Currency) -> int:
    return units * _POWERS[currency.digits] // _POWERS[entry.exponent]


def _read_row(row: Mapping[str, str]) -> StripeCurrency:
    step = int(row["amount_step"])
    return StripeCurrency(
        code=row["code"],
        exponent=int(row["stripe_exponent"]),
        step=step,
        minimum=int(row["min_charge_minor"] or step),
        maximum=int(row["max_card_minor"]),
    )
