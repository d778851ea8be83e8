"""The document as one self-contained HTML file for the PDF: style, fonts and logo inlined, nothing to fetch."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from tenants.invoices.document.render import FOLDER, environment, render_paper

if TYPE_CHECKING:
    from tenants.invoices.document.fonts import Fonts
    from tenants.invoices.document.values import Document

# Nothing may be fetched, run, framed or submitted; what there is comes inlined.
POLICY: Final = (
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
_STYLES: Final = ("document.css", "pdf.css")


def render_sheet(document: Document, fonts: Fonts) -> str:
    """Return the document as a whole page of HTML; its logo, if it has one, is a data: address already."""
    paper = render_paper(document)
    # The counter of pages is made of digits and a slash, which every document's Latin subset has.
    style = fonts.css(paper) + _style()
    return (
        environment()
        .get_template("sheet.html.jinja")
        # All three are of our own making; texts in them were escaped when they were written.
        .render(document=document, policy=Markup(POLICY), style=Markup(style), paper=Markup(paper))  # noqa: S704
    )


def png_address(png: bytes) -> str:
    """Return a PNG as an address that holds it."""
    return f"data:image/png;base64,{b64encode(png).decode()}"


@cache
def template_version() -> str:
    """Return a hash over everything that decides how a document is drawn, fonts aside."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in {".py", ".jinja", ".css", ".po"} and path.is_file():
            digest.update(path.relative_to(FOLDER).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def _style() -> str:
    return "".join((FOLDER / name).read_text(encoding="utf-8") for name in _STYLES)
