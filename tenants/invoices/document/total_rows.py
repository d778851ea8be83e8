"""The rows of totals below the lines: from their subtotal to the amount payable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kernel.money import Money
from tenants.invoices.amounts import TaxSubtotal, Totals
from tenants.invoices.content import Content, Tax, TaxCategory
from tenants.invoices.document.rows import label_adjustment
from tenants.invoices.document.values import TotalRow, TotalRowKind

if TYPE_CHECKING:
    from kernel.language import Language


def build_total_rows(content: Content, totals: Totals, language: Language) -> tuple[TotalRow, ...]:
    """Return the rows of the totals, the payable last; a row that changes nothing is left out.

    The payable is that of the day of issue: later payments are not part of the document.
    """
    return (
        *_build_adjustments(content, totals, language),
        TotalRow(
            TotalRowKind.PLAIN,
            language.gettext("Total before tax"),
            language.format_amount(totals.tax_exclusive),
        ),
        *(_build_tax(each, content, totals, language) for each in totals.subtotals),
        *_build_after_tax(totals, language),
        _build_payable(totals, language),
    )


def _build_adjustments(content: Content, totals: Totals, language: Language) -> Iterator[TotalRow]:
    if not content.adjustments:
        return
    start = Money.zero(totals.currency)
    for line in totals.lines:
        start += line.amount
    yield TotalRow(TotalRowKind.PLAIN, language.gettext("Subtotal"), language.format_amount(start))
    for each, amount in zip(content.adjustments, totals.adjustment_amounts, strict=True):
        signed = amount if each.is_charge else -amount
        yield TotalRow(TotalRowKind.PLAIN, label_adjustment(each, language), language.format_amount(signed))


def _build_tax(subtotal: TaxSubtotal, content: Content, totals: Totals, language: Language) -> TotalRow:
    label = label_tax(subtotal.tax, language, is_vat=bool(content.seller.vat_id))
    if len(totals.subtotals) > 1:
        words = {"tax": label, "base": language.format_amount(subtotal.base)}
        label = language.gettext("%(tax)s on %(base)s") % words
    return TotalRow(TotalRowKind.TAX, label, language.format_amount(subtotal.amount))


def label_tax(tax: Tax, language: Language, *, is_vat: bool) -> str:
    """Return the name and rate of a tax, or why there is none (UNCL 5305)."""
    rate = language.format_percent(tax.rate)
    match tax.category:
        case TaxCategory.STANDARD | TaxCategory.ZERO:
            name = language.gettext("VAT %(rate)s") if is_vat else language.gettext("Tax %(rate)s")
            return name % {"rate": rate}
        case TaxCategory.EXEMPT:
            return language.gettext("Exempt from tax")
        case TaxCategory.REVERSE_CHARGE:
            return language.gettext("Reverse charge")
        case TaxCategory.INTRA_COMMUNITY:
            return language.gettext("Intra-Community supply")
        case TaxCategory.EXPORT:
            return language.gettext("Export, free of tax")
        case TaxCategory.OUTSIDE_SCOPE:
            return language.gettext("Not subject to tax")
        case TaxCategory.CANARY_ISLANDS:
            return f"IGIC {rate}"
        case TaxCategory.CEUTA_MELILLA:
            return f"IPSI {rate}"


def _build_after_tax(totals: Totals, language: Language) -> Iterator[TotalRow]:
    if not totals.prepaid and not totals.rounding:
        return
    yield TotalRow(
        TotalRowKind.TOTAL,
        language.gettext("Total including tax"),
        language.format_amount(totals.tax_inclusive),
    )
    if totals.rounding:
        yield TotalRow(
            TotalRowKind.PLAIN, language.gettext("Rounding"), language.format_amount(totals.rounding)
        )
    if totals.prepaid:
        yield TotalRow(
            TotalRowKind.PLAIN, language.gettext("Already paid"), language.format_amount(-totals.prepaid)
        )


def _build_payable(totals: Totals, language: Language) -> TotalRow:
    if totals.payable < Money.zero(totals.currency):
        label = language.gettext("Credit in your favour (%(currency)s)")
    elif totals.prepaid:
        label = language.gettext("Balance (%(currency)s)")
    else:
        label = language.gettext("Total (%(currency)s)")
    words = label % {"currency": totals.currency.code}
    return TotalRow(TotalRowKind.PAYABLE, words, language.format_amount(totals.payable))
