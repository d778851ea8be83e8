"""A sample invoice without anybody's data, which warms up new pages."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

from kernel.language import Language
from tenants.invoices.content import Address, Content, Line, Party, Tax, TaxCategory, Transfer
from tenants.invoices.document.model import CATALOGUES, compose_document
from tenants.invoices.document.pdf_html import render_pdf_html
from tenants.invoices.document.values import DocumentBrand
from tenants.invoices.totals import compute_totals

if TYPE_CHECKING:
    from tenants.invoices.document.fonts import Fonts

_TAX = Tax(TaxCategory.STANDARD, Decimal(20))


def render_sample(fonts: Fonts) -> str:
    """Return the HTML of a small invoice that needs the same fonts and layout as real ones."""
    seller = Party(name="Sample", address=Address(street="1 Sample Street", city="Sample", country="IE"))
    content = Content(
        currency="EUR",
        seller=seller,
        buyer=seller,
        lines=tuple(
            Line(name=f"Sample {n}", quantity=Decimal(n), unit_price=Decimal("9.99"), tax=_TAX)
            for n in range(1, 7)
        ),
        due_date=dt.date(2026, 1, 1),
        transfers=(Transfer(account="IE12BOFI90000112345678"),),
        notes=("Sample.",),
    )
    language = Language.load("en-IE", (CATALOGUES,))
    model = compose_document(content, compute_totals(content), "1", language, brand=DocumentBrand("Sample"))
    return render_pdf_html(model, fonts)
