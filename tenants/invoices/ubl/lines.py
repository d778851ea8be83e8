"""Reads the lines, allowances, charges and tax categories of a UBL invoice."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from tenants.invoices.bounds import (
    MAX_DOCUMENT_ADJUSTMENTS,
    MAX_LINE_ADJUSTMENTS,
    strip_trailing_zeros,
    to_fraction,
)
from tenants.invoices.content import Adjustment, Attribute, Line, Period, Tax, TaxCategory
from tenants.invoices.ubl.node import Node, UblRefused
from tenants.invoices.ubl.parties import read_country

# UN/ECE Recommendation 20 and 21 codes have up to three characters.
_UNIT: Final = re.compile(r"[A-Z0-9]{1,3}")
_TAX_SCHEME: Final = "VAT"


def read_line(node: Node) -> tuple[Line, Decimal]:
    """Return a line (BG-25) and the net amount it states (BT-131); UblRefused BR-21 to BR-26 for a missing part."""
    if node.find_all("cac:SubInvoiceLine"):
        raise UblRefused("PORTAL-UNSUPPORTED", f"{node.location}: lines within lines are not supported.")
    identifier = node.require_text("cbc:ID", "BR-21")
    quantity = node.require_number("cbc:InvoicedQuantity", "BR-22")
    unit = _read_unit(node)
    net = node.require_amount("cbc:LineExtensionAmount", "BR-24", "BR-DEC-23")
    item = node.require("cac:Item", "BR-25")
    unit_price, base_quantity, discount = _read_price(node, unit)
    period = node.find("cac:InvoicePeriod")
    line = Line(
        name=item.require_text("cbc:Name", "BR-25"),
        quantity=quantity,
        unit_price=unit_price,
        tax=read_tax(item, "cac:ClassifiedTaxCategory", "BR-CO-04", "BR-CO-04"),
        unit=unit,
        base_quantity=base_quantity,
        adjustments=read_adjustments(node, is_document=False),
        identifier=identifier,
        description="\n".join(item.read_texts("cbc:Description")),
        item_number=item.read_text("cac:SellersItemIdentification/cbc:ID"),
        note="\n".join(node.read_texts("cbc:Note")),
        period=None if period is None else read_period(period, "BR-30"),
        price_discount=discount,
        order_line=node.read_text("cac:OrderLineReference/cbc:LineID"),
        object_identifier=node.read_text("cac:DocumentReference/cbc:ID"),
        accounting_reference=node.read_text("cbc:AccountingCost"),
        buyer_item_number=item.read_text("cac:BuyersItemIdentification/cbc:ID"),
        standard_item_number=item.read_text("cac:StandardItemIdentification/cbc:ID"),
        classifications=tuple(
            each.require_text("cbc:ItemClassificationCode", "BR-65")
            for each in item.find_all("cac:CommodityClassification")
        ),
        origin_country=read_country(item, "cac:OriginCountry/cbc:IdentificationCode"),
        attributes=tuple(
            Attribute(each.require_text("cbc:Name", "BR-54"), each.require_text("cbc:Value", "BR-54"))
            for each in item.find_all("cac:AdditionalItemProperty")
        ),
    )
    return line, net


def read_adjustments(node: Node, *, is_document: bool) -> tuple[Adjustment, ...]:
    """Return the allowances and charges of the document or of a line (BG-20, 21, 27, 28)."""
    limit = MAX_DOCUMENT_ADJUSTMENTS if is_document else MAX_LINE_ADJUSTMENTS
    return tuple(
        _read_adjustment(
            each.with_location(f"{node.location}, allowance or charge {number}"), is_document=is_document
        )
        for number, each in enumerate(node.find_all("cac:AllowanceCharge", limit), 1)
    )


def _read_adjustment(node: Node, *, is_document: bool) -> Adjustment:
    is_charge = node.require_flag("cbc:ChargeIndicator")
    # By (is_document, is_charge): rules for a missing amount, and for the digits of amount and base.
    missing_rule, amount_rule, base_rule = {
        (True, False): ("BR-31", "BR-DEC-01", "BR-DEC-02"),
        (True, True): ("BR-36", "BR-DEC-05", "BR-DEC-06"),
        (False, False): ("BR-41", "BR-DEC-24", "BR-DEC-25"),
        (False, True): ("BR-43", "BR-DEC-27", "BR-DEC-28"),
    }[is_document, is_charge]
    category_rule = "BR-37" if is_charge else "BR-32"
    return Adjustment(
        is_charge=is_charge,
        amount=node.require_amount("cbc:Amount", missing_rule, amount_rule),
        percent=node.read_number("cbc:MultiplierFactorNumeric"),
        base=node.read_amount("cbc:BaseAmount", base_rule),
        reason=node.read_text("cbc:AllowanceChargeReason"),
        reason_code=node.read_text("cbc:AllowanceChargeReasonCode"),
        tax=read_tax(node, "cac:TaxCategory", category_rule, category_rule) if is_document else None,
    )


def read_tax(node: Node, path: str, category_rule: str, rate_rule: str) -> Tax:
    """Return a VAT category and its rate, 0 for category O without one.

    UblRefused(category_rule) for a missing category, UblRefused(rate_rule) for a missing rate.
    """
    tax_node = node.require(path, category_rule)
    code = tax_node.require_text("cbc:ID", category_rule)
    try:
        category = TaxCategory(code)
    except ValueError:
        message = f"{node.location}: {code[:40]!r} is not a VAT category of EN 16931."
        raise UblRefused("BR-CL-18", message) from None
    scheme = tax_node.require_text("cac:TaxScheme/cbc:ID", category_rule)
    if scheme != _TAX_SCHEME:
        raise UblRefused("PORTAL-UNSUPPORTED", f"{node.location}: tax scheme {scheme[:40]!r} is not VAT.")
    rate = tax_node.read_number("cbc:Percent")
    if rate is None and category is not TaxCategory.OUTSIDE_SCOPE:
        raise UblRefused(rate_rule, f"{node.location}: the rate of VAT category {code} is missing.")
    return Tax(category, strip_trailing_zeros(rate or Decimal(0)))


def read_period(node: Node, rule: str) -> Period:
    """Return a period (BG-14, BG-26); UblRefused(rule) if it ends before it starts."""
    start, end = node.read_date("cbc:StartDate"), node.read_date("cbc:EndDate")
    if start and end and end < start:
        raise UblRefused(rule, f"{node.location}: the period ends before it starts.")
    return Period(start, end)


def _read_unit(node: Node) -> str:
    unit = node.require("cbc:InvoicedQuantity", "BR-22").read_attribute("unitCode")
    if not unit:
        raise UblRefused("BR-23", f"{node.location}: the unit of the quantity is missing.")
    if not _UNIT.fullmatch(unit):
        raise UblRefused("BR-CL-23", f"{node.location}: {unit[:40]!r} is not a unit code.")
    return unit


def _read_price(node: Node, unit: str) -> tuple[Decimal, Decimal, Decimal]:
    """Return the net price, its base quantity, and the discount that it includes (BG-29)."""
    price = node.require("cac:Price", "BR-26")
    if price.find("cbc:OrderableUnitFactorRate"):
        raise UblRefused("PORTAL-UNSUPPORTED", f"{node.location}: a factor of the price is not supported.")
    net = price.read_price("cbc:PriceAmount")
    if net is None:
        raise UblRefused("BR-26", f"{node.location}: cbc:PriceAmount is missing.")
    base_quantity = price.read_number("cbc:BaseQuantity")
    base_unit = base_quantity is not None and price.require("cbc:BaseQuantity", "BR-26").read_attribute(
        "unitCode"
    )
    if base_unit and base_unit != unit:
        message = f"{node.location}: the price and the quantity have different units."
        raise UblRefused("PEPPOL-EN16931-R130", message)
    discount = price.find("cac:AllowanceCharge")
    base = Decimal(1) if base_quantity is None else base_quantity
    return net, base, Decimal(0) if discount is None else _read_price_discount(discount, net)


def _read_price_discount(node: Node, net: Decimal) -> Decimal:
    """Return BT-147: gross price less discount is the net price (PEPPOL-EN16931-R046)."""
    if node.require_flag("cbc:ChargeIndicator"):
        raise UblRefused("PEPPOL-EN16931-R044", f"{node.location}: a price cannot have charges.")
    discount = node.read_price("cbc:Amount") or Decimal(0)
    gross = node.read_price("cbc:BaseAmount")
    if gross is not None and gross < 0:
        raise UblRefused("BR-28", f"{node.location}: the gross price is negative.")
    if gross is not None and to_fraction(gross, "gross") - to_fraction(discount, "discount") != to_fraction(
        net, "net"
    ):
        message = (
            f"{node.location}: net price {net:f} is not gross price {gross:f} less discount {discount:f}."
        )
        raise UblRefused("PEPPOL-EN16931-R046", message)
    return discount
