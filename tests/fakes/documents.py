"""Documents for the tests of PDFs: the demo's invoices and hostile ones, ready to be rendered."""

from __future__ import annotations

import datetime as dt
from functools import cache

from kernel.language import Language
from ops.seed.workspaces import SEED_WORKSPACES
from tenants.invoices.content import Content
from tenants.invoices.document.fonts import Fonts
from tenants.invoices.document.model import CATALOGUES, compose_document
from tenants.invoices.document.pdf_html import encode_data_url, render_pdf_html
from tenants.invoices.document.values import Document, DocumentBrand, DocumentLogo
from tenants.invoices.totals import compute_totals
from tenants.workspaces.logo import reencode
from tests.fakes.sample_workspaces import build_jpeg
from workers.pdf.postprocess import PdfMetadata

DAY = dt.date(2026, 3, 16)
METADATA = PdfMetadata("Invoice INV-1", "Acme", "en", dt.datetime(2026, 3, 16, tzinfo=dt.UTC))
_LOGO = reencode(build_jpeg(240, 80))


@cache
def load_fonts() -> Fonts:
    """The built fonts, read once."""
    return Fonts.load()


def build_logo() -> DocumentLogo:
    """A red logo, inlined as HTML for the renderer."""
    return DocumentLogo(encode_data_url(_LOGO.png), 120, 40)


def load_seed_content(tag: str) -> tuple[Content, str]:
    """Return the demo's invoice with a tag, and its workspace's locale."""
    for workspace in SEED_WORKSPACES:
        for example in workspace.examples(DAY):
            if tag in example.tags:
                return example.content, workspace.new.locale
    raise KeyError(tag)


def build_document(
    content: Content, locale: str = "en-US", *, logo: DocumentLogo | None = None, number: str = "INV-1"
) -> Document:
    """Return the render model of an invoice's content."""
    language = Language.load(locale, (CATALOGUES,))
    brand = DocumentBrand("Acme & Co.", logo)
    size = language.page_size
    return compose_document(content, compute_totals(content), number, language, brand=brand, page_size=size)


def render_seed_sheet(tag: str, *, logo: DocumentLogo | None = None) -> str:
    """Return one of the demo's invoices as HTML for the renderer."""
    content, locale = load_seed_content(tag)
    return render_pdf_html(build_document(content, locale, logo=logo), load_fonts())
