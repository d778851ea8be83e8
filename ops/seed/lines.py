"""Lines and taxes of the invoices in the demo and the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tenants.invoices.content import Line, Tax, TaxCategory


def d(text: str) -> Decimal:
    """Return a Decimal; the short name suits tables of lines."""
    return Decimal(text)


VAT19 = Tax(TaxCategory.STANDARD, d("19"))
VAT7 = Tax(TaxCategory.STANDARD, d("7"))
VAT20 = Tax(TaxCategory.STANDARD, d("20"))
SALES = Tax(TaxCategory.STANDARD, d("8.875"))
JCT10 = Tax(TaxCategory.STANDARD, d("10"))
JCT8 = Tax(TaxCategory.STANDARD, d("8"))
VAT10 = Tax(TaxCategory.STANDARD, d("10"))
NO_TAX = Tax(TaxCategory.OUTSIDE_SCOPE)

NAMES = (
    "Bearing, deep groove 6204-2RS",
    "Hydraulic hose, 2 m",
    "Seal kit",
    "Machine oil ISO VG 46",
    "Hex bolt M12 × 60, A4",
    "Linear guide rail, 1,200 mm",
    "Servo drive, commissioning",
    "Laser cutting, 4 mm sheet",
    "Powder coating RAL 7016",
    "Assembly, on site",
)
UNITS = ("C62", "C62", "SET", "LTR", "C62", "C62", "HUR", "MTR", "MTK", "HUR")


def build_lines(count: int, currency: str, tax: Tax) -> Iterator[Line]:
    """Yield `count` lines, the same in every run."""
    for index in range(count):
        kind = index % len(NAMES)
        yield Line(
            name=NAMES[kind],
            quantity=Decimal(1 + index * 7 % 23),
            unit_price=Decimal(395 + index * 1327 % 48_000) / 100,
            tax=tax,
            unit=UNITS[kind],
            item_number=f"{currency}-{1000 + index}",
            description="Batch tested, certificate enclosed" if index % 9 == 4 else "",
        )
