"""Texts come in clean: what cannot be seen does not come in."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.invoices.ubl.text import many_lines, one_line, strip_subject_code


def test_white_space_becomes_single_spaces() -> None:
    assert one_line("  Teststraße \n\t 12\u00a0a ") == "Teststraße 12 a"


def test_lines_are_kept_where_they_are_meant() -> None:
    assert many_lines("\n  first \r\n\r\nsecond\tline\rthird\n\n") == "first\n\nsecond line\nthird"


@pytest.mark.parametrize(
    "hidden",
    ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\u202e", "\u2066", "\u2069", "\ufffe", "\ufdd0", "\ud800"],
)
def test_what_is_hidden_is_stripped(hidden: str) -> None:
    assert one_line(f"DE79{hidden} 0000") == "DE79 0000"


def test_right_to_left_text_keeps_its_letters_and_marks() -> None:
    assert one_line("شركة اللؤلؤ\u200f ١٢") == "شركة اللؤلؤ\u200f ١٢"


@given(st.text())
def test_no_control_character_is_left_and_cleaning_twice_changes_nothing(text: str) -> None:
    clean = many_lines(text)
    assert not [c for c in clean if unicodedata.category(c) in {"Cc", "Cs"} and c != "\n"]
    assert many_lines(clean) == clean
    assert one_line(one_line(text)) == one_line(text)
    assert "\n" not in one_line(text)


@pytest.mark.parametrize(
    ("note", "text"),
    [
        ("#ADU#Trainer", "Trainer"),
        ("#AAC# Trainer", "Trainer"),
        ("#ADU#", ""),
        ("#adu#Trainer", "#adu#Trainer"),
        ("See #ADU#12", "See #ADU#12"),
        ("#ADUX#12", "#ADUX#12"),
        ("#ADU##AAC#12", "#AAC#12"),
    ],
)
def test_only_a_subject_code_before_the_text_is_taken_off(note: str, text: str) -> None:
    assert strip_subject_code(note) == text
