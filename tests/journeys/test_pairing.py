"""The comparison of words finds split rows, missing heads and moved words."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes.page_pdf_comparison import TOP, Pairing, WordComparison
from tests.fakes.words import Block, Word

INK = (22, 25, 31)
BLOCKS = [
    Block("block", 64, 80),
    Block("head", 100, 120),
    Block("row", 120, 160),
    Block("row", 160, 200),
    Block("totals", 200, 220),
]
LIVE = [
    Word("Invoice", 68, 120, 76, INK, block=0),
    Word("Amount", 600, 640, 115, INK, block=1),
    Word("guide", 68, 100, 135, INK, block=2),
    Word("printed", 68, 110, 150, INK, block=2),
    Word("map", 68, 90, 175, INK, block=3),
    Word("drawn", 68, 100, 190, INK, block=3),
    Word("Total", 500, 530, 212, INK, block=4),
]
# The second row and the totals on a second page, below the repeated head.
SHIFT = TOP + 20 - 160
PDF = [
    *(replace(word, block=-1) for word in LIVE[:4]),
    Word("Amount", 600, 640, TOP + 15, INK, page=1),
    *(replace(word, block=-1, y=word.y + SHIFT, page=1) for word in LIVE[4:]),
]


def compare(pdf: list[Word]) -> WordComparison:
    return Pairing(LIVE, BLOCKS, pdf).compare()


def test_pages_that_end_between_rows_are_the_same() -> None:
    found = compare(PDF)
    assert found.is_same, found
    assert [(sheet.name, sheet.offset_y) for sheet in found.sheets] == [
        ("page 0", 0.0),
        ("page 1", SHIFT),
        ("head of page 1", TOP - 100),
    ]


def test_a_row_on_two_pages_is_split() -> None:
    split = [replace(word, page=0, y=190) if word.text == "map" else word for word in PDF]
    assert compare(split).split == ("row 3", "totals")


def test_totals_without_the_last_row_are_split() -> None:
    split = [replace(word, page=2, y=TOP + 12) if word.text == "Total" else word for word in PDF]
    assert compare(split).split == ("totals",)


def test_a_head_that_is_not_repeated_is_found() -> None:
    found = compare([word for word in PDF if (word.text, word.page) != ("Amount", 1)])
    assert found.unpaired == ("page: Amount again on page 1",)


def test_a_repeated_head_at_another_position_is_found() -> None:
    moved = [
        replace(word, left=600.5, right=640.5) if (word.text, word.page) == ("Amount", 1) else word
        for word in PDF
    ]
    assert compare(moved).x == 0.5


def test_letters_in_another_order_are_another_word() -> None:
    turned = [replace(word, text="pam") if word.text == "map" else word for word in PDF]
    assert compare(turned).unpaired == ("page: map, pdf: pam",)


def test_a_word_that_only_the_pdf_has_is_found() -> None:
    assert compare([*PDF, Word("Paid", 68, 90, 400, INK, page=1)]).unpaired == ("pdf: Paid",)
