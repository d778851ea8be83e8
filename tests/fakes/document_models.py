"""Render models of invoices, and a strict parser of their HTML."""

from __future__ import annotations

import io
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

from kernel.language import Language
from tenants.invoices.content import (
    Address,
    Content,
    Line,
    Party,
    Tax,
    TaxCategory,
)
from tenants.invoices.document.model import CATALOGUES, compose_document
from tenants.invoices.document.values import Document, DocumentBrand
from tenants.invoices.totals import compute_totals

VAT19 = Tax(TaxCategory.STANDARD, Decimal(19))
VAT7 = Tax(TaxCategory.STANDARD, Decimal(7))
SELLER = Party(
    name="Nordlicht GmbH",
    address=Address(street="Speicherstraße 14", city="Hamburg", postal_code="20457", country="DE"),
    vat_id="DE123456789",
)
BUYER = Party(name="Müller KG", address=Address(city="Göttingen", postal_code="37079", country="DE"))
MINUS = "\N{MINUS SIGN}"
BRAND = DocumentBrand("Nordlicht")


def build_line(price: str = "100", quantity: str = "1", *, tax: Tax = VAT19, **more: Any) -> Line:
    return Line(more.pop("name", "Work"), Decimal(quantity), Decimal(price), tax, **more)


def build_content(*lines: Line, currency: str = "EUR", **more: Any) -> Content:
    defaults: dict[str, Any] = {
        "currency": currency,
        "seller": SELLER,
        "buyer": BUYER,
        "lines": lines or (build_line(),),
    }
    return Content(**(defaults | more))


def build_document(what: Content, tag: str = "en-GB", *, brand: DocumentBrand = BRAND) -> Document:
    language = Language.load(tag, (CATALOGUES,))
    return compose_document(what, compute_totals(what), "R-1", language, brand=brand)


class HtmlReader(HTMLParser):
    """Collects tags, attributes and text; asserts that every tag is closed."""

    VOID = frozenset({"img", "link", "meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = io.StringIO()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.write(data)


def parse_html(html: str) -> HtmlReader:
    reader = HtmlReader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader
