"""A tax category has the rates it can have."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from kernel.errors import Invalid
from tenants.invoices.content import Tax, TaxCategory
from tenants.invoices.taxes import UNTAXED, check_rate


@pytest.mark.parametrize(
    ("category", "rate"),
    [("S", "0.01"), ("S", "19"), ("S", "100"), ("L", "0"), ("L", "7"), ("M", "0"), ("M", "4")],
)
def test_a_rate_becomes_a_fraction_of_one(category: str, rate: str) -> None:
    assert check_rate(Tax(TaxCategory(category), Decimal(rate)), "tax") == Fraction(rate) / 100


@pytest.mark.parametrize("category", sorted(UNTAXED))
def test_a_category_without_tax_has_rate_zero_only(category: TaxCategory) -> None:
    assert check_rate(Tax(category), "tax") == 0
    with pytest.raises(Invalid) as refused:
        check_rate(Tax(category, Decimal("0.01")), "tax", 4)
    assert refused.value.code == "invoice.tax_rate"
    assert refused.value.data == {"field": "tax", "line": 4, "category": category.value}


@pytest.mark.parametrize(
    ("category", "rate"), [("S", "0"), ("S", "-1"), ("S", "100.01"), ("L", "-1"), ("M", "101")]
)
def test_a_rate_outside_zero_to_a_hundred_is_refused(category: str, rate: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_rate(Tax(TaxCategory(category), Decimal(rate)), "tax")
    assert refused.value.code == "invoice.tax_rate"
