"""Content negotiation: coding, language and media type that a client accepts (RFC 9110, 12.5)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

#: The languages of pages and errors; the values are their names in the language itself.
LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
_DEFAULT: Final = "en"
# The answers are cached by the header: a client must not fill the cache with headers of any size.
_LONGEST: Final = 512


def accepts_coding(header: str | None, coding: str) -> bool:
    """Tell whether an Accept-Encoding header allows `coding`; `q=0` forbids it."""
    return bool(header) and _accepts_coding((header or "")[:_LONGEST], coding)


def negotiate_language(header: str | None) -> str:
    """Return which of `LANGUAGES` an Accept-Language header prefers; English when it names none of them."""
    return _negotiate_language((header or "")[:_LONGEST])


def prefers_json(header: str | None) -> bool:
    """Tell whether an Accept header asks for JSON and not for a page."""
    names_json, names_html = _find_named_types((header or "")[:_LONGEST])
    return names_json and not names_html


def prefers_page(header: str | None) -> bool:
    """Tell whether an Accept header names HTML, as browsers do when a person opens an address."""
    return _find_named_types((header or "")[:_LONGEST])[1]


@lru_cache(maxsize=256)
def _accepts_coding(header: str, coding: str) -> bool:
    return parse_accept_header(header).quality(coding) > 0


@lru_cache(maxsize=256)
def _negotiate_language(header: str) -> str:
    # Not LanguageAccept.best_match: it prefers an exact tag of a lower quality to "de-CH".
    tags = (tag.lower().partition("-")[0] for tag, quality in parse_accept_header(header) if quality > 0)
    return next((tag for tag in tags if tag in LANGUAGES), _DEFAULT)


@lru_cache(maxsize=256)
def _find_named_types(header: str) -> tuple[bool, bool]:
    names = [name.lower() for name, quality in parse_accept_header(header, MIMEAccept) if quality > 0]
    return any("json" in name for name in names), any("html" in name for name in names)
