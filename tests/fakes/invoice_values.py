"""Values of the invoices whose totals are tested."""

from __future__ import annotations

from decimal import Decimal

from kernel.money import find_currency
from tenants.invoices.content import Party, Tax, TaxCategory

EUR = find_currency("EUR")
S19 = Tax(TaxCategory.STANDARD, Decimal(19))
S20 = Tax(TaxCategory.STANDARD, Decimal(20))
EXEMPT = Tax(TaxCategory.EXEMPT)
TAXES = (
    S19,
    S20,
    Tax(TaxCategory.STANDARD, Decimal("8.875")),
    Tax(TaxCategory.STANDARD, Decimal("5.5")),
    Tax(TaxCategory.CANARY_ISLANDS, Decimal(7)),
    EXEMPT,
    Tax(TaxCategory.ZERO),
)
SELLER, BUYER = Party(name="Seller"), Party(name="Buyer")


def d(text: str) -> Decimal:
    return Decimal(text)
