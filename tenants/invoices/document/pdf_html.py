"""The document as one self-contained HTML file for the PDF: style, fonts and logo are inlined, nothing is fetched."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from tenants.invoices.document.render import FOLDER, load_environment, render_paper

if TYPE_CHECKING:
    from tenants.invoices.document.fonts import Fonts
    from tenants.invoices.document.values import Document

# Nothing may be fetched, run, framed or submitted; images, fonts and styles are inlined.
POLICY: Final = (
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
_STYLES: Final = ("document.css", "pdf.css")


def render_pdf_html(document: Document, fonts: Fonts) -> str:
    """Return the document as a complete page of HTML; its logo, if it has one, is a data: URL already."""
    paper = render_paper(document)
    # The page counter needs only digits and a slash, which are in the Latin subset of every document.
    style = fonts.build_inline_css(paper) + _read_style()
    return (
        load_environment()
        .get_template("pdf.html.jinja")
        # All three are our own; `render_paper` escaped the texts.
        .render(document=document, policy=Markup(POLICY), style=Markup(style), paper=Markup(paper))  # noqa: S704
    )


def encode_data_url(png: bytes) -> str:
    """Return a PNG as a data: URL."""
    return f"data:image/png;base64,{b64encode(png).decode()}"


@cache
def hash_templates() -> str:
    """Return a hash over everything that determines how a document is rendered, except its fonts."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in {".py", ".jinja", ".css", ".po"} and path.is_file():
            digest.update(path.relative_to(FOLDER).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def _read_style() -> str:
    return "".join((FOLDER / name).read_text(encoding="utf-8") for name in _STYLES)
