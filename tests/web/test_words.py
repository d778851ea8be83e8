"""The catalogues of the pages: every word that is used is there in English and German, and no other."""

from __future__ import annotations

import re
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from web.http.templates import CATALOGUES, FOLDER

_KEYWORDS: dict[str, Any] = {
    "_": None,
    # `web.http.errors.mark`, for texts of the surfaces: they are translated where they are printed.
    "mark": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
#: The packages of web that speak to people.
PACKAGES = ("http", "portal", "console")
_METHODS = [("**.jinja", "jinja2"), ("**.py", "python")]


def used() -> set[tuple[str | None, Any]]:
    return {
        (context, message)
        for folder in (FOLDER, *(FOLDER.parent / package for package in PACKAGES))
        for _, _, message, _, context in extract_from_dir(folder, _METHODS, {}, _KEYWORDS)
    }


def catalogue(tag: str) -> Catalog:
    (folder,) = CATALOGUES
    with (folder / tag / "LC_MESSAGES" / "pages.po").open("rb") as source:
        return read_po(source, abort_invalid=True)


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"%\(\w+\)[sd]", text))


@pytest.mark.parametrize("tag", ["en", "de"])
def test_every_word_of_the_pages_is_in_the_catalogue_and_no_other(tag: str) -> None:
    assert {(each.context, each.id) for each in catalogue(tag) if each.id} == used()


@pytest.mark.parametrize("tag", ["en", "de"])
def test_every_word_is_translated_and_none_is_a_guess(tag: str) -> None:
    for each in catalogue(tag):
        if each.id:
            forms = each.string if isinstance(each.string, (list, tuple)) else (each.string,)
            meant = each.id if isinstance(each.id, (list, tuple)) else (each.id,)
            assert not each.fuzzy
            assert all(forms), each.id
            assert {tuple(placeholders(form or "")) for form in forms} == {
                tuple(placeholders(form)) for form in meant
            }


def test_german_is_not_english() -> None:
    same = {str(each.id) for each in catalogue("de") if each.id and each.id == each.string}
    assert same == {"IBAN", "BIC", "Bank", "Live", "PDF"}
