"""Writes UBL invoices, and changes published ones: documents with right and with wrong amounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

from defusedxml.ElementTree import fromstring

from tenants.invoices.amounts import Totals
from tenants.invoices.content import Adjustment, Content, Line, Tax

FOLDER = Path(__file__).parents[1] / "data" / "ubl"
NAMES = tuple(sorted(path.name.removesuffix("-INVOICE_ubl.xml") for path in FOLDER.glob("*.xml")))
SPACES = {
    "ubl": "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2",
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}


def read_published(name: str) -> bytes:
    """Return the bytes of a published invoice."""
    return (FOLDER / f"{name}-INVOICE_ubl.xml").read_bytes()


def read_case(name: str) -> bytes:
    """Return a small invoice that an earlier release read wrongly."""
    return (FOLDER / "cases" / f"{name}.xml").read_bytes()


def parse_tree(document: bytes) -> ET.Element:
    """Return the tree of a document, to read or to change."""
    root: ET.Element = fromstring(document)
    return root


def write_tree(root: ET.Element) -> bytes:
    """Return the document of a tree."""
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def change_texts(document: bytes, changes: Mapping[str, str | None]) -> bytes:
    """Return the document with other texts at these paths; None removes the element."""
    root = parse_tree(document)
    for path, text in changes.items():
        parent = root.find(path.rpartition("/")[0] or ".", SPACES)
        found = root.find(path, SPACES)
        if parent is None or found is None:
            raise LookupError(path)
        if text is None:
            parent.remove(found)
        else:
            found.text = text
    return write_tree(root)


def set_attribute(document: bytes, path: str, name: str, value: str | None) -> bytes:
    """Return the document with another attribute at the path; None removes it."""
    root = parse_tree(document)
    found = root.find(path, SPACES)
    if found is None:
        raise LookupError(path)
    if value is None:
        del found.attrib[name]
    else:
        found.set(name, value)
    return write_tree(root)


def append_elements(document: bytes, path: str, xml: str) -> bytes:
    """Return the document with more XML, with the prefixes cac and cbc, at the end of the element at the path."""
    root = parse_tree(document)
    parent = root.find(path, SPACES)
    if parent is None:
        raise LookupError(path)
    namespaces = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in SPACES.items())
    parent.extend(parse_tree(f"<more {namespaces}>{xml}</more>".encode()))
    return write_tree(root)


def write_invoice(content: Content, of: Totals, number: str = "T-1") -> bytes:
    """Write an exclusively priced invoice with these totals; the totals may be wrong."""
    code = content.currency
    parts = [
        _leaf("ID", number),
        _leaf("IssueDate", "2026-03-16"),
        _leaf("InvoiceTypeCode", content.document_type.value),
        _leaf("DocumentCurrencyCode", code),
        _party("AccountingSupplierParty", content.seller.name),
        _party("AccountingCustomerParty", content.buyer.name),
        *(
            _adjustment(adjustment, money.amount, code)
            for adjustment, money in zip(content.adjustments, of.adjustments, strict=True)
        ),
        _node(
            "TaxTotal",
            _amount("TaxAmount", of.tax_total.amount, code),
            *(
                _node(
                    "TaxSubtotal",
                    _amount("TaxableAmount", group.base.amount, code),
                    _amount("TaxAmount", group.amount.amount, code),
                    _tax("TaxCategory", group.tax, reason=True),
                )
                for group in of.subtotals
            ),
        ),
        _node(
            "LegalMonetaryTotal",
            _amount("LineExtensionAmount", of.line_total.amount, code),
            _amount("TaxExclusiveAmount", of.tax_exclusive.amount, code),
            _amount("TaxInclusiveAmount", of.tax_inclusive.amount, code),
            _amount("AllowanceTotalAmount", of.allowance_total.amount, code),
            _amount("ChargeTotalAmount", of.charge_total.amount, code),
            _amount("PrepaidAmount", of.prepaid.amount, code),
            _amount("PayableRoundingAmount", of.rounding.amount, code),
            _amount("PayableAmount", of.payable.amount, code),
        ),
        *(
            _line(position, line, total.net.amount, [each.amount for each in total.adjustments], code)
            for position, (line, total) in enumerate(zip(content.lines, of.lines, strict=True), 1)
        ),
    ]
    namespaces = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in SPACES.items())
    return f"<ubl:Invoice {namespaces}>{''.join(parts)}</ubl:Invoice>".encode()


def _line(position: int, line: Line, net: Decimal, amounts: Iterable[Decimal], code: str) -> str:
    return _node(
        "InvoiceLine",
        _leaf("ID", str(position)),
        f'<cbc:InvoicedQuantity unitCode="{line.unit}">{line.quantity:f}</cbc:InvoicedQuantity>',
        _amount("LineExtensionAmount", net, code),
        *(
            _adjustment(adjustment, amount, code)
            for adjustment, amount in zip(line.adjustments, amounts, strict=True)
        ),
        _node("Item", _leaf("Name", line.name), _tax("ClassifiedTaxCategory", line.tax)),
        _node(
            "Price",
            _amount("PriceAmount", line.unit_price, code),
            _leaf("BaseQuantity", f"{line.base_quantity:f}"),
        ),
    )


def _adjustment(adjustment: Adjustment, amount: Decimal, code: str) -> str:
    return _node(
        "AllowanceCharge",
        _leaf("ChargeIndicator", "true" if adjustment.is_charge else "false"),
        _leaf("AllowanceChargeReason", "For a reason"),
        "" if adjustment.percent is None else _leaf("MultiplierFactorNumeric", f"{adjustment.percent:f}"),
        _amount("Amount", amount, code),
        "" if adjustment.base is None else _amount("BaseAmount", adjustment.base, code),
        "" if adjustment.tax is None else _tax("TaxCategory", adjustment.tax),
    )


def _tax(name: str, tax: Tax, *, reason: bool = False) -> str:
    has_reason = reason and tax.category.value in {"E", "AE", "K", "G", "O"}
    return _node(
        name,
        _leaf("ID", tax.category.value),
        _leaf("Percent", f"{tax.rate:f}"),
        _leaf("TaxExemptionReason", "By law") if has_reason else "",
        _node("TaxScheme", _leaf("ID", "VAT")),
    )


def _party(role: str, name: str) -> str:
    address = _node("PostalAddress", _node("Country", _leaf("IdentificationCode", "DE")))
    return _node(role, _node("Party", address, _node("PartyLegalEntity", _leaf("RegistrationName", name))))


def _node(name: str, *inner: str) -> str:
    return f"<cac:{name}>{''.join(inner)}</cac:{name}>"


def _leaf(name: str, text: str) -> str:
    return f"<cbc:{name}>{text}</cbc:{name}>"


def _amount(name: str, value: Decimal, code: str) -> str:
    return f'<cbc:{name} currencyID="{code}">{value:f}</cbc:{name}>'
