"""Import of UBL 2.1 invoices: `parse` reads a document, `check` believes it or names the broken rule."""

from __future__ import annotations

from tenants.invoices.ubl_check import LINE_NET, check
from tenants.invoices.ubl_node import UblRefused
from tenants.invoices.ubl_read import ParsedInvoice, Stated, StatedTax, parse
from tenants.invoices.ubl_xml import MAX_BYTES

__all__ = ["LINE_NET", "MAX_BYTES", "ParsedInvoice", "Stated", "StatedTax", "UblRefused", "check", "parse"]
