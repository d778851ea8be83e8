"""Money is exact, stays in its currency, and refuses what is not money."""

import pickle
from collections.abc import Callable
from decimal import Context, Decimal, localcontext

import pytest
from babel.numbers import list_currencies
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Invalid
from kernel.money import MAX_MINOR, MIN_MINOR, Currency, Money, find_currency, load_currencies

EUR, JPY, KWD = find_currency("EUR"), find_currency("JPY"), find_currency("KWD")
any_currency = st.sampled_from([EUR, JPY, KWD])
minors = st.integers(MIN_MINOR // 4, MAX_MINOR // 4)
amounts = st.decimals(min_value=-(10**15), max_value=10**15, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("code", "digits"),
    [
        ("EUR", 2), ("USD", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("BHD", 3),
        # Where the payment processor and ISO 4217 disagree, documents follow ISO.
        ("ISK", 0), ("UGX", 0), ("HUF", 2), ("MGA", 2), ("TWD", 2),
    ],
)  # fmt: skip
def test_currencies_have_the_digits_of_iso_4217(code: str, digits: int) -> None:
    assert find_currency(code) == Currency(code, digits)


def test_every_currency_of_the_list_exists_and_has_sensible_digits() -> None:
    known = list_currencies()
    assert len(load_currencies()) == 139
    assert [code for code in load_currencies() if code not in known] == []
    assert {each.digits for each in load_currencies().values()} == {0, 2, 3}


@pytest.mark.parametrize("code", ["", "eur", "XYZ", "EURO", "€"])
def test_an_unknown_currency_is_refused(code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        find_currency(code)
    assert (refusal.value.code, refusal.value.data) == ("currency.unknown", {"currency": code})


@pytest.mark.parametrize("minor", [1.0, True, Decimal(1), "1", None])
def test_minor_units_are_whole_numbers_only(minor: int) -> None:
    with pytest.raises(TypeError):
        Money(minor, EUR)


def test_a_code_is_not_a_currency() -> None:
    with pytest.raises(TypeError):
        Money(1, "EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", [1.5, 1, "1.50", True])
def test_amounts_are_decimals_only(amount: Decimal) -> None:
    with pytest.raises(TypeError):
        Money.round_decimal(amount, EUR)
    with pytest.raises(TypeError):
        Money.from_decimal(amount, EUR)


@pytest.mark.parametrize(
    ("amount", "of", "minor"),
    [
        ("0.005", EUR, 1), ("-0.005", EUR, -1), ("0.015", EUR, 2), ("0.025", EUR, 3), ("2.675", EUR, 268),
        ("0.00499999999999999999999999999999999999", EUR, 0), ("-0.004", EUR, 0),
        ("0.5", JPY, 1), ("1.5", JPY, 2), ("2.5", JPY, 3), ("-2.5", JPY, -3),
        ("0.0005", KWD, 1), ("1.23456", KWD, 1235), ("1E+3", EUR, 100_000), ("1E-999999", EUR, 0),
    ],
)  # fmt: skip
def test_rounding_is_half_up_away_from_zero(amount: str, of: Currency, minor: int) -> None:
    assert Money.round_decimal(Decimal(amount), of) == Money(minor, of)


@given(amounts, any_currency)
def test_rounding_moves_an_amount_by_at_most_half_a_minor_unit(amount: Decimal, of: Currency) -> None:
    with localcontext(Context(prec=400)):
        off = (Money.round_decimal(amount, of).amount - amount).copy_abs()
        assert off <= Decimal(5).scaleb(-of.digits - 1)


@given(amounts, any_currency)
def test_rounding_is_symmetric(amount: Decimal, of: Currency) -> None:
    assert Money.round_decimal(-amount, of) == -Money.round_decimal(amount, of)


@given(minors, any_currency)
def test_an_amount_comes_back_exactly(minor: int, of: Currency) -> None:
    money = Money(minor, of)
    assert Money.from_decimal(money.amount, of) == money
    assert money.amount.as_tuple().exponent == -of.digits


@given(minors, any_currency)
def test_the_precision_of_the_caller_changes_nothing(minor: int, of: Currency) -> None:
    with localcontext(Context(prec=3)):
        money = Money(minor, of)
        assert Money.from_decimal(money.amount, of) == money


@pytest.mark.parametrize(("amount", "of"), [("0.001", EUR), ("1.5", JPY), ("0.0001", KWD), ("1E-40", EUR)])
def test_what_needs_rounding_is_not_exact(amount: str, of: Currency) -> None:
    with pytest.raises(Invalid) as refusal:
        Money.from_decimal(Decimal(amount), of)
    assert refusal.value.code == "money.inexact"


def test_zeros_at_the_end_do_not_make_an_amount_inexact() -> None:
    assert Money.from_decimal(Decimal("1.50000"), EUR) == Money(150, EUR)
    assert Money.from_decimal(Decimal("-0"), JPY) == Money(0, JPY)


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+17", "9E+999999", "-1E+30"])
def test_what_no_bigint_holds_is_out_of_range(amount: str) -> None:
    for make in (Money.round_decimal, Money.from_decimal):
        with pytest.raises(Invalid) as refusal:
            make(Decimal(amount), EUR)
        assert refusal.value.code == "money.range"


def test_the_range_is_that_of_a_bigint_to_the_last_unit() -> None:
    assert Money.from_decimal(Decimal("92233720368547758.07"), EUR) == Money(MAX_MINOR, EUR)
    for minor in (MAX_MINOR + 1, MIN_MINOR - 1):
        with pytest.raises(Invalid, match="too large"):
            Money(minor, EUR)
    beyond: list[Callable[[], Money]] = [
        lambda: Money(MAX_MINOR, EUR) + Money(1, EUR),
        lambda: -Money(MIN_MINOR, EUR),
    ]
    for leave in beyond:
        with pytest.raises(Invalid, match="too large"):
            leave()


@given(minors, minors, any_currency)
def test_arithmetic_is_that_of_whole_numbers(left: int, right: int, of: Currency) -> None:
    one, other = Money(left, of), Money(right, of)
    assert (one + other).minor == left + right
    assert (one - other).minor == left - right
    assert one - other == -(other - one)
    assert abs(one).minor == abs(left)
    assert (one < other, one <= other, one > other, one >= other) == (
        left < right,
        left <= right,
        left > right,
        left >= right,
    )
    assert bool(one) == (left != 0)


@given(st.lists(st.integers(-(10**12), 10**12)), any_currency)
def test_sums_begin_with_zero(parts: list[int], of: Currency) -> None:
    assert sum((Money(part, of) for part in parts), Money.zero(of)) == Money(sum(parts), of)


def test_currencies_do_not_mix() -> None:
    euro, yen = Money(1, EUR), Money(1, JPY)
    for mix in (
        lambda: euro + yen,
        lambda: euro - yen,
        lambda: euro < yen,
        lambda: euro <= yen,
        lambda: euro > yen,
        lambda: euro >= yen,
    ):
        with pytest.raises(Invalid) as refusal:
            mix()
        assert (refusal.value.code, refusal.value.data) == ("money.currency", {"left": "EUR", "right": "JPY"})
    assert euro != yen


@pytest.mark.parametrize("other", [1, 1.0, Decimal(1), None])
def test_money_meets_only_money(other: Money) -> None:
    for meet in (lambda: Money(1, EUR) + other, lambda: Money(1, EUR) < other):
        with pytest.raises(TypeError):
            meet()


def test_money_is_a_value() -> None:
    money = Money(150, EUR)
    with pytest.raises(AttributeError):
        money.minor = 1  # type: ignore[misc]
    assert {money, Money(150, EUR)} == {money}
    assert pickle.loads(pickle.dumps(money)) == money  # noqa: S301 - our own bytes
    assert str(money) == "1.50 EUR"
    assert str(Money(-5, KWD)) == "-0.005 KWD"
    assert str(Money(1200, JPY)) == "1200 JPY"
