"""Amounts of payments: the whole, or a part that leaves enough for another payment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Invalid
from kernel.money import Money, find_currency
from tenants.connect.currencies import find_limits
from tenants.payments.amounts import AmountLimits, find_allowed_amounts

EUR = find_currency("EUR")


def build_limits(code: str) -> AmountLimits:
    limits = find_limits(find_currency(code))
    assert limits is not None
    return limits


@pytest.mark.parametrize(
    ("code", "free", "amount", "is_allowed"),
    [
        ("JPY", 5000, 5000, True),
        ("JPY", 5000, 1234, True),
        ("KWD", 12_340, 12_340, True),
        ("KWD", 12_345, 12_345, False),
        ("KWD", 12_345, 10_000, True),
        ("KWD", 12_345, 10_001, False),
        ("ISK", 5000, 5000, True),
        ("ISK", 5000, 1001, True),
        ("UGX", 50_000, 50_000, True),
        ("UGX", 50_000, 20_001, True),
        ("HUF", 500_000, 500_000, True),
        ("HUF", 500_000, 200_000, True),
    ],
)
def test_amounts_follow_the_step_of_the_currency(
    code: str, free: int, amount: int, *, is_allowed: bool
) -> None:
    of = find_currency(code)
    allowed = find_allowed_amounts(Money(free, of), build_limits(code), takes_parts=True)
    assert allowed is not None
    assert allowed.includes(Money(amount, of)) is is_allowed


@pytest.mark.parametrize("free", [-100, 0, 1, 49])
def test_less_than_the_minimum_is_for_a_bank_transfer_only(free: int) -> None:
    assert find_allowed_amounts(Money(free, EUR), build_limits("EUR"), takes_parts=True) is None


def test_without_parts_only_the_whole_is_paid() -> None:
    allowed = find_allowed_amounts(Money(10_000, EUR), build_limits("EUR"), takes_parts=False)
    assert allowed is not None
    assert (allowed.whole, allowed.smallest, allowed.largest) == (Money(10_000, EUR), None, None)
    assert not allowed.includes(Money(5_000, EUR))


def test_more_than_the_maximum_is_paid_in_parts_or_not_at_all() -> None:
    limits = AmountLimits(Money(50, EUR), Money(1000, EUR), Money(1, EUR))
    allowed = find_allowed_amounts(Money(5000, EUR), limits, takes_parts=True)
    assert allowed is not None
    assert (allowed.whole, allowed.largest) == (None, Money(1000, EUR))
    assert find_allowed_amounts(Money(5000, EUR), limits, takes_parts=False) is None


def test_an_amount_of_another_currency_is_an_error() -> None:
    allowed = find_allowed_amounts(Money(10_000, EUR), build_limits("EUR"), takes_parts=True)
    assert allowed is not None
    with pytest.raises(Invalid):
        allowed.includes(Money(5_000, find_currency("USD")))


@given(
    free=st.integers(-100, 3000),
    amount=st.integers(-100, 3000),
    minimum=st.integers(1, 200),
    maximum=st.integers(200, 2500),
    step=st.sampled_from([1, 5, 10]),
)
def test_what_is_left_after_a_payment_is_nothing_or_can_be_paid(
    free: int, amount: int, minimum: int, maximum: int, step: int
) -> None:
    limits = AmountLimits(Money(minimum, EUR), Money(maximum, EUR), Money(step, EUR))
    allowed = find_allowed_amounts(Money(free, EUR), limits, takes_parts=True)
    is_payable = minimum <= amount <= maximum and amount % step == 0
    leaves_enough = amount == free or free - amount >= minimum
    assert (allowed is not None and allowed.includes(Money(amount, EUR))) == (is_payable and leaves_enough)
