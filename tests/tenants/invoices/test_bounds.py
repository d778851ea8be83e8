"""No number is so long that it eats memory or overflows a column."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from kernel.errors import Invalid
from kernel.money import find_currency
from tenants.invoices.bounds import strip_trailing_zeros, to_fraction, to_minor

EUR = find_currency("EUR")


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "1e999999",
        "1e15",
        "1e-21",
        "1e-999999",
        "0." + "1" * 21,
    ],
)
def test_a_number_beyond_all_bounds_is_refused_by_name_and_line(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        to_fraction(Decimal(text), "quantity", 3)

    assert refused.value.code == "invoice.number"
    assert refused.value.data == {"field": "quantity", "line": 3}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0E+999999", Fraction(0)),
        ("-0.00", Fraction(0)),
        ("999999999999999.99999999999999999999", 10**15 - Fraction(1, 10**20)),
        ("-0.00000000000000000001", Fraction(-1, 10**20)),
    ],
)
def test_the_longest_numbers_are_exact(text: str, expected: Fraction) -> None:
    assert to_fraction(Decimal(text), "quantity") == expected


@pytest.mark.parametrize("value", [1.5, 1, True, "1", None])
def test_only_decimals_are_numbers(value: object) -> None:
    with pytest.raises(TypeError, match="price is a Decimal"):
        to_fraction(value, "price")  # type: ignore[arg-type]


def test_an_amount_finer_than_its_currency_is_refused() -> None:
    assert to_minor(Decimal("-12.3400"), EUR, "prepaid") == -1234
    assert to_minor(Decimal("1.005"), find_currency("KWD"), "prepaid") == 1005
    with pytest.raises(Invalid) as refused:
        to_minor(Decimal("1.005"), EUR, "prepaid")
    assert refused.value.code == "money.inexact"
    assert refused.value.data == {"field": "prepaid", "line": None, "currency": "EUR"}


@pytest.mark.parametrize(
    ("text", "expected"), [("19.00", "19"), ("20", "20"), ("2E+1", "20"), ("8.8750", "8.875"), ("0.0", "0")]
)
def test_a_rate_is_kept_as_people_write_it(text: str, expected: str) -> None:
    assert str(strip_trailing_zeros(Decimal(text))) == expected
