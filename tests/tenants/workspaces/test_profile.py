"""What a workspace's values may be."""

from __future__ import annotations

import pytest

from kernel.errors import Invalid
from tenants.workspaces.profile import check_colour, check_contact_line, check_days, check_locale, check_name


@pytest.mark.parametrize("tag", ["en", "de-DE", "ja-JP", "ar", "zh-Hant-TW", "es-419", "fil-PH"])
def test_common_languages_are_known(tag: str) -> None:
    assert check_locale(tag) == tag


@pytest.mark.parametrize(
    "tag", ["", "xx", "DE", "de-de", "de_DE", "en-US-x-private", "e" * 200, "../de", "de-ZZ9"]
)
def test_what_is_no_tag_of_cldr_is_refused(tag: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_locale(tag)
    assert caught.value.code == "locale.unknown"


def test_colours_are_written_one_way() -> None:
    assert check_colour("#ABCdef") == "#abcdef"
    for wrong in ("", "#abc", "abcdef", "#abcdeg", "#abcdef0", "url(x)", "#abcdef\n"):
        with pytest.raises(Invalid):
            check_colour(wrong)


def test_a_name_is_one_line_that_says_something() -> None:
    assert check_name("  さくら商会 & Söhne ") == "さくら商会 & Söhne"
    assert check_contact_line("") == ""
    assert check_name("Cafe\u0301\u200b  a\u202eb") == "Café ab"
    for wrong in ("", " ", "\u200b", "a\nb", "a\u2028b", "x" * 201):
        with pytest.raises(Invalid):
            check_name(wrong)


def test_days_are_within_their_bounds() -> None:
    assert [check_days(days, 365) for days in (0, 365)] == [0, 365]
    for wrong in (-1, 366):
        with pytest.raises(Invalid):
            check_days(wrong, 365)
