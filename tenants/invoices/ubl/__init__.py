"""Reads UBL 2.1 invoices: `parse` reads a document, `check_totals` compares its totals with its lines."""

from __future__ import annotations

from tenants.invoices.encoding import encode_content, encode_totals
from tenants.invoices.ubl.check import LINE_NET, check_totals
from tenants.invoices.ubl.node import UblRefused
from tenants.invoices.ubl.read import ParsedInvoice, StatedTax, StatedTotals, parse
from tenants.invoices.ubl.xml import MAX_BYTES
from tenants.invoices.values import CheckedInvoice

__all__ = [
    "LINE_NET",
    "MAX_BYTES",
    "ParsedInvoice",
    "StatedTax",
    "StatedTotals",
    "UblRefused",
    "check_totals",
    "parse",
    "read_ubl",
]


def read_ubl(document: bytes) -> CheckedInvoice:
    """Return what `actions.import_invoice` stores of a UBL 2.1 invoice.

    A large document takes up to seconds of processor time: call it before the unit of work is opened, and in a
    thread where an event loop serves others. UblRefused (Invalid) names the broken rule in `data["rule"]`;
    Invalid("invoice.text" | "invoice.too_long") for what cannot be stored.
    """
    parsed = parse(document)
    computed = check_totals(parsed)
    return CheckedInvoice(
        number=parsed.number,
        content=parsed.content,
        payable=computed.payable,
        encoded_content=encode_content(parsed.content),
        encoded_totals=encode_totals(computed),
    )
