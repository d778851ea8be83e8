"""Renders the document model to HTML: the printed layout (paper) for page and PDF, and a list for phones."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenants.invoices.document.values import Document, TotalRow

FOLDER: Final = Path(__file__).parent


def render_paper(document: Document) -> str:
    """Return the paper as HTML without style or script: a shadow root or the HTML of the PDF contains it."""
    return load_environment().get_template("paper.html.jinja").render(document=document)


def render_list(document: Document, *, later_rows: Sequence[TotalRow] = ()) -> str:
    """Return the document as a list made for reading on a small screen.

    `later_rows` follow the totals and state payments since the issue, which are not part of the document.
    """
    return load_environment().get_template("list.html.jinja").render(document=document, later_rows=later_rows)


@cache
def load_environment() -> Environment:
    """Return the environment of the document's templates; texts are escaped."""
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
