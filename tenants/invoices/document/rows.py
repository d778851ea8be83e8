"""The lines of an invoice as rows of the document; numbers of one column have the same decimal digits."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from kernel import units
from kernel.money import Money
from tenants.invoices.amounts import Totals
from tenants.invoices.content import Adjustment, Content, Line, Period, PriceBasis, Tax, TaxCategory
from tenants.invoices.document.remarks import list_line_remarks
from tenants.invoices.document.values import Columns, Row, RowAdjustment

if TYPE_CHECKING:
    from kernel.language import Language

# More trailing zeros would suggest a precision that the number does not have.
_MAX_PADDING: Final = 4
_MAX_DECIMALS: Final = 20
_MAX_POSITION_LENGTH: Final = 6


def build_columns(content: Content, language: Language, rows: tuple[Row, ...]) -> Columns:
    """Return the headings; a column without information is left out."""
    amount = language.gettext("Amount (%(currency)s)") % {"currency": content.currency}
    several_taxes = len({line.tax for line in content.lines}) > 1
    return Columns(
        position=language.pgettext("number of a line", "No.") if len(rows) > 1 else "",
        name=language.gettext("Description"),
        quantity=language.gettext("Quantity"),
        # Left out if all quantities are counted pieces.
        unit=language.gettext("Unit") if any(line.unit != units.ONE for line in content.lines) else "",
        price=language.gettext("Unit price"),
        tax=language.gettext("Tax") if several_taxes else "",
        amount=amount,
    )


def build_rows(content: Content, totals: Totals, language: Language) -> tuple[Row, ...]:
    """Return one row for each line, amounts as priced (with tax where the prices contain it)."""
    counted_digits = _count_digits(
        (line.quantity for line in content.lines if line.unit in units.COUNT_UNITS), 0
    )
    quantity_digits = _count_digits((line.quantity for line in content.lines), 0)
    price_digits = _count_digits((line.unit_price for line in content.lines), totals.currency.digits)
    return tuple(
        Row(
            position=_format_position(line, index),
            name=line.name,
            remarks=tuple(_list_remarks(line, language)),
            adjustments=tuple(
                _build_adjustment(each, amount, language)
                for each, amount in zip(line.adjustments, total.adjustments, strict=True)
            ),
            quantity=language.format_decimal(
                line.quantity,
                # Counted pieces have no decimal digits because of other lines: 3, not 3.00, next to 1.25 m.
                min_digits=quantity_digits if line.unit not in units.COUNT_UNITS else counted_digits,
                max_digits=_MAX_DECIMALS,
            ),
            unit=language.translate_unit(line.unit, line.quantity),
            price=language.format_decimal(line.unit_price, min_digits=price_digits, max_digits=_MAX_DECIMALS),
            per=_format_base_quantity(line, language),
            tax=format_tax_rate(line.tax, language),
            amount=language.format_amount(total.amount),
        )
        for index, (line, total) in enumerate(zip(content.lines, totals.lines, strict=True), 1)
    )


def format_tax_rate(tax: Tax, language: Language) -> str:
    """Return what a line's tax column says: the rate, or a dash where the supply is outside the tax."""
    return "–" if tax.category is TaxCategory.OUTSIDE_SCOPE else language.format_percent(tax.rate)


def label_adjustment(adjustment: Adjustment, language: Language) -> str:
    """Return the reason of an allowance or a charge, with its percentage if it has one."""
    plain = language.gettext("Surcharge") if adjustment.is_charge else language.gettext("Discount")
    label = adjustment.reason or plain
    if adjustment.percent is None:
        return label
    return language.gettext("%(reason)s, %(percent)s") % {
        "reason": label,
        "percent": language.format_percent(adjustment.percent),
    }


def format_period(span: Period, language: Language) -> str:
    """Return a period as a range, or with the one day that is known."""
    if span.start and span.end:
        return f"{language.format_date(span.start)} – {language.format_date(span.end)}"
    if span.start:
        return language.gettext("from %(day)s") % {"day": language.format_date(span.start)}
    return language.gettext("until %(day)s") % {"day": language.format_date(span.end)} if span.end else ""


def describe_included_tax(content: Content, language: Language) -> str:
    """Return the sentence that the prices include tax, or an empty string."""
    if content.prices is PriceBasis.EXCLUSIVE:
        return ""
    return language.gettext("Prices and amounts of the lines include tax.")


def _build_adjustment(adjustment: Adjustment, amount: Money, language: Language) -> RowAdjustment:
    signed = amount if adjustment.is_charge else -amount
    return RowAdjustment(label_adjustment(adjustment, language), language.format_amount(signed))


def _count_digits(values: Iterable[Decimal], minimum: int) -> int:
    maximum = max((_count_decimals(value) for value in values), default=0)
    return max(minimum, maximum) if maximum <= max(minimum, _MAX_PADDING) else minimum


def _count_decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _format_position(line: Line, index: int) -> str:
    return line.identifier if 0 < len(line.identifier) <= _MAX_POSITION_LENGTH else str(index)


def _format_base_quantity(line: Line, language: Language) -> str:
    if line.base_quantity == 1:
        return ""
    number = language.format_decimal(line.base_quantity, max_digits=_MAX_DECIMALS)
    unit = language.translate_unit(line.unit, line.base_quantity)
    return language.gettext("per %(quantity)s") % {"quantity": f"{number} {unit}".strip()}


def _list_remarks(line: Line, language: Language) -> Iterable[str]:
    yield from list_line_remarks(line, language)
    if line.period:
        yield format_period(line.period, language)
    if line.note:
        yield line.note
