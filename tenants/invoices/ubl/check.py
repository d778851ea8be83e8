"""Compares the totals that a UBL document states with those of its lines, by the rules of EN 16931."""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType
from typing import Final

from kernel.errors import Invalid
from kernel.money import Money
from tenants.invoices.amounts import Totals
from tenants.invoices.content import Content, Exemption, Tax, TaxCategory
from tenants.invoices.taxes import UNTAXED
from tenants.invoices.totals import compute_totals
from tenants.invoices.ubl.node import UblRefused
from tenants.invoices.ubl.read import ParsedInvoice, StatedTax, StatedTotals

# EN 16931 numbers the rules of all VAT categories alike: "BR-S-08", "BR-IC-08".
_RULE_PREFIX: Final = MappingProxyType(
    {
        TaxCategory.STANDARD: "BR-S",
        TaxCategory.ZERO: "BR-Z",
        TaxCategory.EXEMPT: "BR-E",
        TaxCategory.REVERSE_CHARGE: "BR-AE",
        TaxCategory.INTRA_COMMUNITY: "BR-IC",
        TaxCategory.EXPORT: "BR-G",
        TaxCategory.OUTSIDE_SCOPE: "BR-O",
        TaxCategory.CANARY_ISLANDS: "BR-AF",
        TaxCategory.CEUTA_MELILLA: "BR-AG",
    }
)
_RATE_RULES: Final = MappingProxyType({"tax": "05", "allowance": "06", "charge": "07"})
_RULES: Final = MappingProxyType(
    {
        "currency.unknown": "BR-CL-04",
        "invoice.adjustment": "PEPPOL-EN16931-R040",
        "invoice.adjustment_tax": "BR-32",
        "invoice.base_quantity": "PEPPOL-EN16931-R121",
        "invoice.negative_price": "BR-27",
        "invoice.number": "PORTAL-NUMBER",
        "invoice.too_large": "PORTAL-LIMIT",
        "invoice.too_many_adjustments": "PORTAL-LIMIT",
        "invoice.too_many_lines": "PORTAL-LIMIT",
        "money.inexact": "BR-DEC",
    }
)
LINE_NET: Final = "PEPPOL-EN16931-R120"


def check_totals(parsed: ParsedInvoice) -> Totals:
    """Return the computed totals, which are equal to the stated ones.

    Checks a line's net (price / base quantity x quantity rounded half-up, plus charges, less
    allowances; PEPPOL-EN16931-R120, without its tolerance), percentages against their amounts (R040),
    BR-CO-10 to BR-CO-18, rates, bases, taxes and exemption reasons of each VAT category (BR-x-01, 05 to
    10), BR-27. UblRefused names the first broken rule; its data has `stated` and `computed`.
    """
    computed = _compute_totals(parsed.content)
    stated = parsed.stated
    for number, (net, line) in enumerate(zip(stated.line_nets, computed.lines, strict=True), 1):
        _check_equal(LINE_NET, f"The net amount of line {number}", net, line.net)
    _check_equal("BR-CO-10", "The sum of the lines", stated.line_total, computed.line_total)
    _check_equal("BR-CO-11", "The sum of allowances", stated.allowance_total, computed.allowance_total)
    _check_equal("BR-CO-12", "The sum of charges", stated.charge_total, computed.charge_total)
    _check_equal("BR-CO-13", "The total without tax", stated.tax_exclusive, computed.tax_exclusive)
    _check_breakdown(stated, computed)
    _check_exemption_reasons(parsed.content.exemptions, stated)
    _check_equal("BR-CO-14", "The total of taxes", stated.tax_total, computed.tax_total)
    _check_equal("BR-CO-15", "The total with tax", stated.tax_inclusive, computed.tax_inclusive)
    _check_equal("BR-CO-16", "The amount due", stated.payable, computed.payable)
    return computed


def _compute_totals(content: Content) -> Totals:
    try:
        return compute_totals(content)
    except Invalid as error:
        if error.code == "invoice.tax_rate":
            prefix = _RULE_PREFIX[TaxCategory(str(error.data["category"]))]
            rule = f"{prefix}-{_RATE_RULES[str(error.data['field'])]}"
        else:
            rule = _RULES.get(error.code, "PORTAL-LIMIT")
        raise UblRefused(rule, error.message, cause=error.code) from error


def _check_breakdown(stated: StatedTotals, computed: Totals) -> None:
    """Compare the VAT breakdown (BG-23) by category and rate, in any order."""
    stated_taxes: dict[Tax, StatedTax] = {}
    for group in stated.subtotals:
        prefix = _RULE_PREFIX[group.tax.category]
        if group.tax in stated_taxes:
            rule = f"{prefix}-01" if group.tax.category in UNTAXED else f"{prefix}-08"
            raise UblRefused(rule, f"Two breakdowns of {_describe(group.tax)}.")
        stated_taxes[group.tax] = group
    for subtotal in computed.subtotals:
        prefix = _RULE_PREFIX[subtotal.tax.category]
        match = stated_taxes.pop(subtotal.tax, None)
        if match is None:
            rule = f"{prefix}-01" if subtotal.tax.category in UNTAXED else f"{prefix}-08"
            raise UblRefused(rule, f"The breakdown of {_describe(subtotal.tax)} is missing.")
        _check_equal(f"{prefix}-08", f"The base of {_describe(match.tax)}", match.base, subtotal.base)
        rule = f"{prefix}-09" if subtotal.tax.category in UNTAXED else "BR-CO-17"
        _check_equal(rule, f"The tax of {_describe(match.tax)}", match.amount, subtotal.amount)
    # A breakdown of a category and rate that no line has must be zero.
    zero = Money.zero(computed.currency)
    for group in stated_taxes.values():
        prefix = _RULE_PREFIX[group.tax.category]
        _check_equal(f"{prefix}-08", f"The base of {_describe(group.tax)}", group.base, zero)
        _check_equal(f"{prefix}-09", f"The tax of {_describe(group.tax)}", group.amount, zero)


def _check_exemption_reasons(exemptions: tuple[Exemption, ...], stated: StatedTotals) -> None:
    """Require a reason for exemption for untaxed categories, and refuse it for others (BR-E-10, BR-S-10 …)."""
    categories = {exemption.category for exemption in exemptions}
    for group in stated.subtotals:
        category = group.tax.category
        is_required = category in UNTAXED and category is not TaxCategory.ZERO
        if is_required != (category in categories):
            message = f"{_describe(group.tax)} {'needs a' if is_required else 'has no'} reason for exemption."
            raise UblRefused(f"{_RULE_PREFIX[category]}-10", message)


def _describe(tax: Tax) -> str:
    return f"VAT category {tax.category.value} at {tax.rate:f} %"


def _check_equal(rule: str, name: str, stated: Decimal | None, computed: Money) -> None:
    # A missing total means zero (BT-107, BT-108).
    value = Decimal(0) if stated is None else stated
    if value != computed.amount:
        message = f"{name} is stated as {value:f}, but its computed value is {computed}."
        raise UblRefused(rule, message, stated=f"{value:f}", computed=f"{computed.amount:f}")
