from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from tenants.invoices import document as package
from tenants.invoices.document.model import CATALOGUES

_KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}


def find_used_messages() -> set[tuple[str | None, str | tuple[str, ...]]]:
    folder = Path(package.__path__[0])
    found = extract_from_dir(folder, [("**.py", "python")], {}, _KEYWORDS)
    return {(context, message) for _, _, message, _, context in found}


@pytest.mark.parametrize("tag", ["en", "de"])
def test_the_catalogue_has_every_word_of_the_document_and_no_other(tag: str) -> None:
    with (CATALOGUES / tag / "LC_MESSAGES" / "document.po").open("rb") as source:
        catalogue = read_po(source, abort_invalid=True)
    told = {(each.context, each.id) for each in catalogue if each.id}
    assert told == find_used_messages()
    assert [each.id for each in catalogue if each.id and (each.fuzzy or not each.string)] == []
    for each in catalogue:
        if each.id and isinstance(each.string, str):
            assert re.findall(r"%\(\w+\)s", each.string) == re.findall(r"%\(\w+\)s", str(each.id))


def test_the_english_catalogue_says_what_the_code_says() -> None:
    with (CATALOGUES / "en" / "LC_MESSAGES" / "document.po").open("rb") as source:
        assert [each.id for each in read_po(source) if each.id and each.id != each.string] == []
