"""The language of the page: the recipient's, or the one that the visitor chooses."""

from __future__ import annotations

from typing import Final

from web.http.negotiation import LANGUAGES

#: Seconds for which a choice is remembered.
CHOICE_MAX_AGE_S: Final = 365 * 24 * 3600


def resolve_locale(recipient: str | None, workspace: str, chosen: str | None) -> str:
    """Return the locale of a page or PDF, a BCP 47 tag.

    `recipient` is the contact's or customer's locale, None for the workspace's; `chosen` is one of `LANGUAGES` or None
    without a choice. A choice keeps the region of whichever of the two speaks that language: dates and numbers stay
    as the business writes them.
    """
    locale = recipient or workspace
    if chosen is None:
        return locale
    return next((each for each in (locale, workspace) if extract_primary_language(each) == chosen), chosen)


def extract_primary_language(locale: str) -> str:
    """Return the language of a locale without script and region."""
    return locale.partition("-")[0]


def find_page_language(locale: str) -> str | None:
    """Return which of `LANGUAGES` a locale is in, None for another language."""
    language = extract_primary_language(locale)
    return language if language in LANGUAGES else None
