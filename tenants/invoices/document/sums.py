"""The totals below the lines: how the lines become the amount due, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kernel.money import Money
from tenants.invoices.content import Content, Tax, TaxCategory
from tenants.invoices.document.rows import adjustment_label
from tenants.invoices.document.values import Sum, SumKind
from tenants.invoices.totals import TaxSubtotal, Totals

if TYPE_CHECKING:
    from kernel.language import Language


def sums(content: Content, totals: Totals, language: Language) -> tuple[Sum, ...]:
    """Return the rows of the totals, the payable last; steps that change nothing are left out.

    The payable is called what it is on the day of issue and ever after: what has been paid since, and whether
    anything is still due, is no part of a document that never changes.
    """
    return (
        *_adjustments(content, totals, language),
        Sum(SumKind.STEP, language.gettext("Total before tax"), language.amount(totals.tax_exclusive)),
        *(_tax(each, content, totals, language) for each in totals.subtotals),
        *_after_tax(totals, language),
        _payable(totals, language),
    )


def _adjustments(content: Content, totals: Totals, language: Language) -> Iterator[Sum]:
    if not content.adjustments:
        return
    start = Money.zero(totals.currency)
    for line in totals.lines:
        start += line.amount
    yield Sum(SumKind.STEP, language.gettext("Subtotal"), language.amount(start))
    for each, amount in zip(content.adjustments, totals.adjustment_amounts, strict=True):
        signed = amount if each.is_charge else -amount
        yield Sum(SumKind.STEP, adjustment_label(each, language), language.amount(signed))


def _tax(subtotal: TaxSubtotal, content: Content, totals: Totals, language: Language) -> Sum:
    label = tax_label(subtotal.tax, language, is_vat=bool(content.seller.vat_id))
    if len(totals.subtotals) > 1:
        words = {"tax": label, "base": language.amount(subtotal.base)}
        label = language.gettext("%(tax)s on %(base)s") % words
    return Sum(SumKind.TAX, label, language.amount(subtotal.amount))


def tax_label(tax: Tax, language: Language, *, is_vat: bool) -> str:
    """Return what a tax is called: its name and rate, or why there is none (UNCL 5305)."""
    rate = language.percent(tax.rate)
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


def _after_tax(totals: Totals, language: Language) -> Iterator[Sum]:
    if not totals.prepaid and not totals.rounding:
        return
    yield Sum(SumKind.TOTAL, language.gettext("Total including tax"), language.amount(totals.tax_inclusive))
    if totals.rounding:
        yield Sum(SumKind.STEP, language.gettext("Rounding"), language.amount(totals.rounding))
    if totals.prepaid:
        yield Sum(SumKind.STEP, language.gettext("Already paid"), language.amount(-totals.prepaid))


def _payable(totals: Totals, language: Language) -> Sum:
    if totals.payable < Money.zero(totals.currency):
        label = language.gettext("Credit in your favour (%(currency)s)")
    elif totals.prepaid:
        label = language.gettext("Balance (%(currency)s)")
    else:
        label = language.gettext("Total (%(currency)s)")
    words = label % {"currency": totals.currency.code}
    return Sum(SumKind.PAYABLE, words, language.amount(totals.payable))
