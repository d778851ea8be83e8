"""Rounding is exact, symmetric, and shares out every unit."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.invoices.rounding import apportion, find_base, round_half_up

rates = st.fractions(min_value=0, max_value=1, max_denominator=10_000)
gross = st.integers(-(10**15), 10**15)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.5", 1),
        ("-0.5", -1),
        ("1.5", 2),
        ("2.5", 3),
        ("-2.5", -3),
        ("0.4999999999999999999999999999", 0),
        ("0", 0),
    ],
)
def test_halves_go_away_from_zero(value: str, expected: int) -> None:
    assert round_half_up(Fraction(value)) == expected


@given(st.decimals(-(10**12), 10**12, places=6))
def test_rounding_agrees_with_the_standard_library(value: Decimal) -> None:
    with localcontext() as context:
        context.prec = 60
        assert round_half_up(Fraction(value)) == int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


@given(gross, rates)
def test_a_gross_sum_is_missed_by_one_unit_at_most_and_only_if_no_base_meets_it(
    total: int, rate: Fraction
) -> None:
    def compute_difference(base: int) -> int:
        return abs(total - base - round_half_up(base * rate))

    chosen = find_base(total, rate)
    near = round_half_up(total / (1 + rate))

    assert compute_difference(chosen) <= 1
    assert compute_difference(chosen) == min(compute_difference(base) for base in range(near - 4, near + 5))


@given(gross, rates)
def test_a_debt_and_its_reversal_have_the_same_base(total: int, rate: Fraction) -> None:
    assert find_base(-total, rate) == -find_base(total, rate)


def test_three_cents_at_twenty_percent_have_no_base() -> None:
    assert find_base(3, Fraction(1, 5)) == 3  # 3 + 1 = 4; with 2 it would be 2 + 0 = 2


@given(st.lists(st.fractions(-(10**9), 10**9, max_denominator=1_000), max_size=40))
def test_shares_sum_to_the_total_and_each_stays_within_one_unit(shares: list[Fraction]) -> None:
    total = round_half_up(sum(shares, Fraction(0)))

    given_out = apportion(total, shares)

    assert sum(given_out) == total
    assert all(abs(part - share) < 1 for part, share in zip(given_out, shares, strict=True))


def test_of_equal_remainders_the_earlier_gets_the_unit() -> None:
    third = Fraction(1, 3)

    assert apportion(1, [third, third, third]) == [1, 0, 0]
    assert apportion(2, [third * 2, third * 2, third * 2]) == [1, 1, 0]


def test_a_total_that_is_not_the_sum_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="not the rounded sum"):
        apportion(5, [Fraction(1), Fraction(1)])
