"""Which rates a tax category may have."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from kernel.errors import Invalid
from tenants.invoices.bounds import to_fraction
from tenants.invoices.content import Tax, TaxCategory

# VAT categories whose rate is always 0 (BR-Z-05, BR-E-05, BR-AE-05, BR-IC-05, BR-G-05, BR-O-05).
UNTAXED: Final = frozenset(
    {
        TaxCategory.ZERO,
        TaxCategory.EXEMPT,
        TaxCategory.REVERSE_CHARGE,
        TaxCategory.INTRA_COMMUNITY,
        TaxCategory.EXPORT,
        TaxCategory.OUTSIDE_SCOPE,
    }
)


def check_rate(tax: Tax, field: str, line: int | None = None) -> Fraction:
    """Return the rate as a fraction of 1; Invalid("invoice.tax_rate") if its category cannot have it."""
    rate = to_fraction(tax.rate, field, line)
    wrong = rate != 0 if tax.category in UNTAXED else not 0 <= rate <= 100
    if wrong or (tax.category is TaxCategory.STANDARD and rate == 0):
        text = f"{tax.rate:f} % is no rate of tax category {tax.category.value}."
        raise Invalid("invoice.tax_rate", text, field=field, line=line, category=tax.category.value)
    return rate / 100
