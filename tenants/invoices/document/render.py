"""Prints the render model: the paper for page and press, and the list a phone reads."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from tenants.invoices.document.values import Document

FOLDER: Final = Path(__file__).parent


def render_paper(document: Document) -> str:
    """Return the paper as HTML without style or script: what a shadow root or a press puts around it."""
    return environment().get_template("paper.html.jinja").render(document=document)


def render_list(document: Document) -> str:
    """Return items and totals as a list made for reading on a small screen."""
    return environment().get_template("list.html.jinja").render(document=document)


@cache
def environment() -> Environment:
    """Return the environment of the document's templates; texts are escaped."""
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
