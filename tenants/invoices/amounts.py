"""The computed amounts of an invoice, as `totals` returns them."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.money import Currency, Money
from tenants.invoices.content import Tax


@dataclass(frozen=True, slots=True)
class LineTotal:
    """The amounts of one line.

    `gross` (price x quantity, rounded once), `adjustments` (never signed; the content says which are
    charges) and `amount`, their sum, are as priced: with tax where the prices contain it. `net` is without
    tax in any case (BT-131), so that the nets of all lines sum to `line_total`.
    """

    gross: Money
    adjustments: tuple[Money, ...]
    amount: Money
    net: Money


@dataclass(frozen=True, slots=True)
class TaxSubtotal:
    """The tax of one category and rate (BG-23): `amount` is half-up of `base` x rate."""

    tax: Tax
    base: Money
    amount: Money


@dataclass(frozen=True, slots=True)
class Totals:
    """Every amount of one invoice, all in `currency`; they add up exactly (BR-CO-10 to BR-CO-17).

    `adjustments` are the document's allowances and charges without tax, in the order of the content;
    `adjustment_amounts` the same as priced. `rounding` holds the content's own rounding and, with
    tax-inclusive prices, what no net can express. `payable` is negative when the seller owes.
    """

    currency: Currency
    lines: tuple[LineTotal, ...]
    adjustments: tuple[Money, ...]
    adjustment_amounts: tuple[Money, ...]
    line_total: Money
    allowance_total: Money
    charge_total: Money
    tax_exclusive: Money
    subtotals: tuple[TaxSubtotal, ...]
    tax_total: Money
    tax_inclusive: Money
    prepaid: Money
    rounding: Money
    payable: Money
