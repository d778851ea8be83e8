"""Reads the lines, allowances, charges and tax categories of a UBL invoice."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from tenants.invoices.bounds import MAX_DOCUMENT_ADJUSTMENTS, MAX_LINE_ADJUSTMENTS, exact, plain
from tenants.invoices.content import Adjustment, Attribute, Line, Period, Tax, TaxCategory
from tenants.invoices.ubl_node import Node, UblRefused
from tenants.invoices.ubl_parties import country

# UN/ECE Recommendation 20 and 21 codes have up to three characters.
_UNIT: Final = re.compile(r"[A-Z0-9]{1,3}")
_TAX_SCHEME: Final = "VAT"


def line(node: Node) -> tuple[Line, Decimal]:
    """Return a line (BG-25) and the net amount it states (BT-131); missing parts are BR-21 to BR-26."""
    if node.every("cac:SubInvoiceLine"):
        raise UblRefused("PORTAL-UNSUPPORTED", f"{node.where}: lines within lines are not taken.")
    identifier = node.need_text("cbc:ID", "BR-21")
    quantity = node.need_number("cbc:InvoicedQuantity", "BR-22")
    unit = _unit(node)
    net = node.need_amount("cbc:LineExtensionAmount", "BR-24", "BR-DEC-23")
    item = node.need("cac:Item", "BR-25")
    unit_price, base_quantity, discount = _price(node, unit)
    spell = node.maybe("cac:InvoicePeriod")
    read = Line(
        name=item.need_text("cbc:Name", "BR-25"),
        quantity=quantity,
        unit_price=unit_price,
        tax=tax(item, "cac:ClassifiedTaxCategory", "BR-CO-04", "BR-CO-04"),
        unit=unit,
        base_quantity=base_quantity,
        adjustments=adjustments(node, is_document=False),
        identifier=identifier,
        description="\n".join(item.texts("cbc:Description")),
        item_number=item.text("cac:SellersItemIdentification/cbc:ID"),
        note="\n".join(node.texts("cbc:Note")),
        period=None if spell is None else period(spell, "BR-30"),
        price_discount=discount,
        order_line=node.text("cac:OrderLineReference/cbc:LineID"),
        object_identifier=node.text("cac:DocumentReference/cbc:ID"),
        accounting_reference=node.text("cbc:AccountingCost"),
        buyer_item_number=item.text("cac:BuyersItemIdentification/cbc:ID"),
        standard_item_number=item.text("cac:StandardItemIdentification/cbc:ID"),
        classifications=tuple(
            each.need_text("cbc:ItemClassificationCode", "BR-65")
            for each in item.every("cac:CommodityClassification")
        ),
        origin_country=country(item, "cac:OriginCountry/cbc:IdentificationCode"),
        attributes=tuple(
            Attribute(each.need_text("cbc:Name", "BR-54"), each.need_text("cbc:Value", "BR-54"))
            for each in item.every("cac:AdditionalItemProperty")
        ),
    )
    return read, net


def adjustments(node: Node, *, is_document: bool) -> tuple[Adjustment, ...]:
    """Return the allowances and charges of the document or of a line (BG-20, 21, 27, 28)."""
    most = MAX_DOCUMENT_ADJUSTMENTS if is_document else MAX_LINE_ADJUSTMENTS
    return tuple(
        _adjustment(each.at(f"{node.where}, allowance or charge {place}"), is_document=is_document)
        for place, each in enumerate(node.every("cac:AllowanceCharge", most), 1)
    )


def _adjustment(node: Node, *, is_document: bool) -> Adjustment:
    is_charge = node.flag("cbc:ChargeIndicator")
    # The rules for an allowance or a charge, of the document or of a line, that differ in number only.
    missing, amount_digits, base_digits = {
        (True, False): ("BR-31", "BR-DEC-01", "BR-DEC-02"),
        (True, True): ("BR-36", "BR-DEC-05", "BR-DEC-06"),
        (False, False): ("BR-41", "BR-DEC-24", "BR-DEC-25"),
        (False, True): ("BR-43", "BR-DEC-27", "BR-DEC-28"),
    }[is_document, is_charge]
    category_rule = "BR-37" if is_charge else "BR-32"
    return Adjustment(
        is_charge=is_charge,
        amount=node.need_amount("cbc:Amount", missing, amount_digits),
        percent=node.number("cbc:MultiplierFactorNumeric"),
        base=node.amount("cbc:BaseAmount", base_digits),
        reason=node.text("cbc:AllowanceChargeReason"),
        reason_code=node.text("cbc:AllowanceChargeReasonCode"),
        tax=tax(node, "cac:TaxCategory", category_rule, category_rule) if is_document else None,
    )


def tax(node: Node, path: str, category_rule: str, rate_rule: str) -> Tax:
    """Return a VAT category with its rate, which only category O may lack; the rules name what misses."""
    found = node.need(path, category_rule)
    code = found.need_text("cbc:ID", category_rule)
    try:
        category = TaxCategory(code)
    except ValueError:
        words = f"{node.where}: {code[:40]!r} is no VAT category of EN 16931."
        raise UblRefused("BR-CL-18", words) from None
    scheme = found.need_text("cac:TaxScheme/cbc:ID", category_rule)
    if scheme != _TAX_SCHEME:
        raise UblRefused("PORTAL-UNSUPPORTED", f"{node.where}: tax scheme {scheme[:40]!r} is not VAT.")
    rate = found.number("cbc:Percent")
    if rate is None and category is not TaxCategory.OUTSIDE_SCOPE:
        raise UblRefused(rate_rule, f"{node.where}: the rate of VAT category {code} is missing.")
    return Tax(category, plain(rate or Decimal(0)))


def period(node: Node, rule: str) -> Period:
    """Return a period (BG-14, BG-26); refused by the rule if it ends before it starts."""
    start, end = node.date("cbc:StartDate"), node.date("cbc:EndDate")
    if start and end and end < start:
        raise UblRefused(rule, f"{node.where}: the period ends before it starts.")
    return Period(start, end)


def _unit(node: Node) -> str:
    unit = node.need("cbc:InvoicedQuantity", "BR-22").attribute("unitCode")
    if not unit:
        raise UblRefused("BR-23", f"{node.where}: the unit of the quantity is missing.")
    if not _UNIT.fullmatch(unit):
        raise UblRefused("BR-CL-23", f"{node.where}: {unit[:40]!r} is no code of a unit.")
    return unit


def _price(node: Node, unit: str) -> tuple[Decimal, Decimal, Decimal]:
    """Return net price, the quantity it is for, and the discount it already contains (BG-29)."""
    price = node.need("cac:Price", "BR-26")
    if price.maybe("cbc:OrderableUnitFactorRate"):
        raise UblRefused("PORTAL-UNSUPPORTED", f"{node.where}: a factor of the price is not taken.")
    net = price.price("cbc:PriceAmount")
    if net is None:
        raise UblRefused("BR-26", f"{node.where}: cbc:PriceAmount is missing.")
    base_quantity = price.number("cbc:BaseQuantity")
    base_unit = base_quantity is not None and price.need("cbc:BaseQuantity", "BR-26").attribute("unitCode")
    if base_unit and base_unit != unit:
        words = f"{node.where}: the price is for another unit than the quantity is in."
        raise UblRefused("PEPPOL-EN16931-R130", words)
    discount = price.maybe("cac:AllowanceCharge")
    base = Decimal(1) if base_quantity is None else base_quantity
    return net, base, Decimal(0) if discount is None else _price_discount(discount, net)


def _price_discount(node: Node, net: Decimal) -> Decimal:
    """Return BT-147; the gross price less it must be the net price (PEPPOL-EN16931-R046)."""
    if node.flag("cbc:ChargeIndicator"):
        raise UblRefused("PEPPOL-EN16931-R044", f"{node.where}: a price has no charges.")
    discount = node.price("cbc:Amount") or Decimal(0)
    gross = node.price("cbc:BaseAmount")
    if gross is not None and gross < 0:
        raise UblRefused("BR-28", f"{node.where}: the gross price is negative.")
    if gross is not None and exact(gross, "gross") - exact(discount, "discount") != exact(net, "net"):
        words = f"{node.where}: net price {net:f} is not gross price {gross:f} less discount {discount:f}."
        raise UblRefused("PEPPOL-EN16931-R046", words)
    return discount
