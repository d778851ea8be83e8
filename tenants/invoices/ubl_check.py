"""Holds what a UBL document states against what its lines come to, rule by rule of EN 16931."""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType
from typing import Final

from kernel.errors import Invalid
from kernel.money import Money
from tenants.invoices.content import Content, Exemption, Tax, TaxCategory
from tenants.invoices.taxes import UNTAXED
from tenants.invoices.totals import Totals, totals
from tenants.invoices.ubl_node import UblRefused
from tenants.invoices.ubl_read import ParsedInvoice, Stated, StatedTax

# EN 16931 numbers the rules of each VAT category alike, "BR-S-08", "BR-IC-08".
_FAMILY: Final = MappingProxyType(
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


def check(parsed: ParsedInvoice) -> Totals:
    """Return the document's totals, which are those it states, to the last minor unit.

    Checked are a line's net (price / base quantity x quantity rounded half-up, plus charges, less
    allowances; PEPPOL-EN16931-R120, without its tolerance), percentages against their amounts (R040),
    BR-CO-10 to BR-CO-18, rates, bases, taxes and exemption reasons of each VAT category (BR-x-01, 05 to
    10), BR-27. UblRefused names the first rule that is broken; data has `stated` and `computed`.
    """
    computed = _totals(parsed.content)
    stated = parsed.stated
    for place, (net, line) in enumerate(zip(stated.line_nets, computed.lines, strict=True), 1):
        _equal(LINE_NET, f"The net amount of line {place}", net, line.net)
    _equal("BR-CO-10", "The sum of the lines", stated.line_total, computed.line_total)
    _equal("BR-CO-11", "The sum of allowances", stated.allowance_total, computed.allowance_total)
    _equal("BR-CO-12", "The sum of charges", stated.charge_total, computed.charge_total)
    _equal("BR-CO-13", "The total without tax", stated.tax_exclusive, computed.tax_exclusive)
    _breakdown(stated, computed)
    _reasons(parsed.content.exemptions, stated)
    _equal("BR-CO-14", "The total of taxes", stated.tax_total, computed.tax_total)
    _equal("BR-CO-15", "The total with tax", stated.tax_inclusive, computed.tax_inclusive)
    _equal("BR-CO-16", "The amount due", stated.payable, computed.payable)
    return computed


def _totals(content: Content) -> Totals:
    try:
        return totals(content)
    except Invalid as error:
        if error.code == "invoice.tax_rate":
            family = _FAMILY[TaxCategory(str(error.data["category"]))]
            rule = f"{family}-{_RATE_RULES[str(error.data['field'])]}"
        else:
            rule = _RULES.get(error.code, "PORTAL-LIMIT")
        raise UblRefused(rule, error.message, cause=error.code) from error


def _breakdown(stated: Stated, computed: Totals) -> None:
    """Compare category by category and rate by rate (BG-23), however the document orders them."""
    found: dict[Tax, StatedTax] = {}
    for group in stated.subtotals:
        family = _FAMILY[group.tax.category]
        if group.tax in found:
            rule = f"{family}-01" if group.tax.category in UNTAXED else f"{family}-08"
            raise UblRefused(rule, f"Two breakdowns of {_named(group)}.")
        found[group.tax] = group
    for subtotal in computed.subtotals:
        family = _FAMILY[subtotal.tax.category]
        match = found.pop(subtotal.tax, None)
        if match is None:
            rule = f"{family}-01" if subtotal.tax.category in UNTAXED else f"{family}-08"
            name = f"VAT category {subtotal.tax.category.value} at {subtotal.tax.rate:f} %"
            raise UblRefused(rule, f"The breakdown of {name} is missing.")
        _equal(f"{family}-08", f"The base of {_named(match)}", match.base, subtotal.base)
        rule = f"{family}-09" if subtotal.tax.category in UNTAXED else "BR-CO-17"
        _equal(rule, f"The tax of {_named(match)}", match.amount, subtotal.amount)
    # A breakdown of what no line has may say nothing but zero.
    zero = Money.zero(computed.currency)
    for group in found.values():
        family = _FAMILY[group.tax.category]
        _equal(f"{family}-08", f"The base of {_named(group)}", group.base, zero)
        _equal(f"{family}-09", f"The tax of {_named(group)}", group.amount, zero)


def _reasons(exemptions: tuple[Exemption, ...], stated: Stated) -> None:
    """Ask for the reason of a tax that is not levied, and only of that (BR-E-10 and its like)."""
    explained = {exemption.category for exemption in exemptions}
    for group in stated.subtotals:
        category = group.tax.category
        wanted = category in UNTAXED and category is not TaxCategory.ZERO
        if wanted != (category in explained):
            words = f"{_named(group)} {'needs a' if wanted else 'has no'} reason for exemption."
            raise UblRefused(f"{_FAMILY[category]}-10", words)


def _named(group: StatedTax) -> str:
    return f"VAT category {group.tax.category.value} at {group.tax.rate:f} %"


def _equal(rule: str, what: str, stated: Decimal | None, computed: Money) -> None:
    # A total that is left out says that there is nothing to add up (BT-107, BT-108).
    said = Decimal(0) if stated is None else stated
    if said != computed.amount:
        words = f"{what} is stated as {said:f}, but comes to {computed}."
        raise UblRefused(rule, words, stated=f"{said:f}", computed=f"{computed.amount:f}")
