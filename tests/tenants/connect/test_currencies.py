"""Amounts keep their value on the way to Stripe's units and back, or are refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from babel.numbers import get_currency_precision
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Invalid
from kernel.money import Currency, Money, find_currency, load_currencies
from tenants.connect.currencies import (
    find_limits,
    from_stripe_units,
    load_stripe_currencies,
    to_stripe_units,
)

CODES = sorted(load_stripe_currencies())


def money(amount: str, code: str) -> Money:
    return Money.from_decimal(Decimal(amount), find_currency(code))


@pytest.mark.parametrize("code", CODES)
def test_every_amount_that_can_be_charged_comes_back_as_it_was(code: str) -> None:
    limits = find_limits(find_currency(code))
    assert limits is not None
    for amount in (limits.minimum, limits.minimum + limits.step, limits.maximum):
        units = to_stripe_units(amount)
        assert from_stripe_units(units, code.lower()) == amount
        assert units % load_stripe_currencies()[code].step == 0


@given(st.sampled_from(CODES), st.integers(0, 10**13))
def test_an_amount_is_either_exact_in_stripes_units_or_refused(code: str, minor: int) -> None:
    amount, step = Money(minor, find_currency(code)), find_limits(find_currency(code))
    assert step is not None
    if minor % step.step.minor:
        with pytest.raises(Invalid):
            to_stripe_units(amount)
    else:
        units = to_stripe_units(amount)
        assert Decimal(units).scaleb(-load_stripe_currencies()[code].exponent) == amount.amount
        assert from_stripe_units(units, code) == amount


def test_there_are_139_currencies_and_the_portal_knows_each() -> None:
    assert len(CODES) == 139
    assert set(CODES) <= load_currencies().keys()


def test_the_digits_of_cldr_would_be_wrong_for_eleven_currencies() -> None:
    """The control: amounts that are shown with other digits than Stripe counts would be charged a hundredfold."""
    wrong = {
        code
        for code in CODES
        if Decimal(to_stripe_units(_unit(code))) != _unit(code).amount.scaleb(get_currency_precision(code))
    }
    assert wrong == {"AFN", "ALL", "ISK", "LAK", "LBP", "MMK", "RSD", "SOS", "STD", "UGX", "YER"}


def _unit(code: str) -> Money:
    return money("1000", code)


@pytest.mark.parametrize(
    ("amount", "code", "units"),
    [
        ("12.34", "EUR", 1234),
        ("500", "JPY", 500),
        ("1.230", "KWD", 1230),
        ("500", "ISK", 50000),
        ("500", "UGX", 50000),
        ("175.25", "HUF", 17525),
        ("500.00", "MGA", 500),
    ],
)
def test_units_are_those_of_stripes_documentation(amount: str, code: str, units: int) -> None:
    assert to_stripe_units(money(amount, code)) == units
    assert from_stripe_units(units, code.lower()) == money(amount, code)


@pytest.mark.parametrize(("amount", "code"), [("1.234", "KWD"), ("500.20", "MGA")])
def test_what_is_finer_than_the_step_is_refused_and_not_rounded(amount: str, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        to_stripe_units(money(amount, code))
    assert refusal.value.code == "payment.amount_step"


def test_a_movement_finer_than_the_step_is_read_exactly() -> None:
    assert from_stripe_units(1234, "kwd") == money("1.234", "KWD")


@pytest.mark.parametrize("units", [50050, 1])
def test_a_movement_that_our_units_cannot_hold_is_refused(units: int) -> None:
    with pytest.raises(Invalid) as refusal:
        from_stripe_units(units, "isk")
    assert refusal.value.code == "payment.amount_inexact"


@pytest.mark.parametrize("code", ["XXX", "eur\N{KELVIN SIGN}", "", "CUP"])
def test_a_currency_that_stripe_does_not_charge_is_refused(code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        from_stripe_units(100, code)
    assert refusal.value.code == "payment.currency_not_supported"
    assert find_limits(Currency(code, 2)) is None


@pytest.mark.parametrize(
    ("code", "minimum", "step"),
    [
        ("EUR", "0.50", "0.01"),
        ("JPY", "50", "1"),
        ("HUF", "175.00", "0.01"),
        ("KWD", "0.010", "0.010"),
        ("ISK", "1", "1"),
        ("MGA", "1.00", "1.00"),
    ],
)
def test_limits_are_amounts_in_our_own_units(code: str, minimum: str, step: str) -> None:
    limits = find_limits(find_currency(code))
    assert limits is not None
    assert (limits.minimum, limits.step) == (money(minimum, code), money(step, code))
