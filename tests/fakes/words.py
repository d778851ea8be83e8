"""Reads the words of an invoice and their positions, on the page in Live mode and in its PDF."""

from __future__ import annotations

import ctypes
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pypdfium2
from playwright.async_api import Page
from pypdfium2 import raw as pdfium

PX: Final = 96 / 72
MARGIN_BOTTOM: Final = 18 * 96 / 25.4
# Baseline below the upper edge of a line of Inter: ascent by ascent and descent (its hhea table), in whole pixels
# as browsers round it.
_ASCENT: Final = 1984 / (1984 + 494)
# Scripts from Devanagari to Thai; those that run from right to left are known by their direction.
_SHAPED: Final = ("\u0900", "\u0e7f")
# Letters that Inter composes of two glyphs, of which PDFium reports one.
_DECOMPOSED: Final = "їЇ"
_MAX_LINE_DISTANCE: Final = 7.0
_MAX_GAP: Final = 8.0
_BLOCKS: Final = ".head, .parties, .items tr, .small, .closing > section, .notes > p, .legal"
_READ_WORDS_SCRIPT: Final = """
selector => {
  const root = document.querySelector(".paper").shadowRoot.querySelector(".document");
  const paper = root.getBoundingClientRect();
  const blocks = [...root.querySelectorAll(selector)];
  const words = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement, style = getComputedStyle(parent);
    // Belongs to the box of the last letter, not to what is drawn of it.
    const spacing = parseFloat(style.letterSpacing) || 0;
    const block = blocks.findIndex(each => each.contains(node));
    for (const segment of node.data.matchAll(/\\S+/g)) {
      // A long word may be on several lines: each part is a word of its own.
      let start = segment.index, before = null;
      const put = end => {
        const range = document.createRange();
        range.setStart(node, start); range.setEnd(node, end);
        const box = range.getBoundingClientRect();
        if (box.width > 0) {
          words.push({text: node.data.slice(start, end), block, left: box.left - paper.left,
                      right: box.right - spacing - paper.left, top: box.top - paper.top,
                      bottom: box.bottom - paper.top, colour: style.color});
        }
      };
      for (let at = start; at < segment.index + segment[0].length; at++) {
        const range = document.createRange();
        range.setStart(node, at); range.setEnd(node, at + 1);
        const box = range.getBoundingClientRect();
        if (before !== null && box.width > 0 && box.top > before + 2) { put(at); start = at; }
        if (box.width > 0) { before = box.top; }
      }
      put(segment.index + segment[0].length);
    }
  }
  const kind = each => each.closest("thead") ? "head" : each.closest(".totals") ? "totals"
    : each.matches("tr") ? "row" : "block";
  const rect = each => each.getBoundingClientRect();
  return {words, blocks: blocks.map(each => ({
    kind: kind(each), top: rect(each).top - paper.top, bottom: rect(each).bottom - paper.top}))};
}
"""


def _is_shaped(letter: str) -> bool:
    runs_left = unicodedata.bidirectional(letter) in {"R", "AL", "AN"}
    return runs_left or _SHAPED[0] <= letter <= _SHAPED[1] or letter in _DECOMPOSED


@dataclass(frozen=True, slots=True)
class Word:
    """A word on the paper: in CSS pixels from its upper left corner; `y` is the baseline."""

    text: str
    left: float
    right: float
    y: float
    colour: tuple[int, int, int]
    page: int = 0
    block: int = -1

    @property
    def plain(self) -> str:
        """Its letters in compatibility form, without invisible format characters."""
        letters = unicodedata.normalize("NFKC", self.text)
        return "".join(each for each in letters if unicodedata.category(each) != "Cf")

    @property
    def key(self) -> str:
        """Its letters, sorted; of shaped scripts each letter once: the two readers agree on no more."""
        return "".join(sorted({*filter(_is_shaped, self.plain)} or self.plain))

    @property
    def is_shaped(self) -> bool:
        """Whether its letters are placed, joined or reordered by rules that the text of a PDF does not have."""
        return any(_is_shaped(each) for each in self.plain)

    @property
    def is_reordered(self) -> bool:
        """Whether its parts are displayed in another order than they are written."""
        return "\u200f" in self.text


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the document that stays whole, or a text: its upper and lower edge in CSS pixels of the paper."""

    kind: str
    top: float
    bottom: float


async def read_live_words(page: Page) -> tuple[list[Word], list[Block]]:
    """Return the words and the blocks of the paper in Live mode, at its natural size."""
    found: dict[str, list[dict[str, Any]]] = await page.evaluate(_READ_WORDS_SCRIPT, _BLOCKS)
    words = [
        Word(
            each["text"],
            each["left"],
            each["right"],
            each["top"] + round((each["bottom"] - each["top"]) * _ASCENT),
            _parse_rgb(each["colour"]),
            block=each["block"],
        )
        for each in found["words"]
    ]
    return _join_runs(words), [Block(**each) for each in found["blocks"]]


def read_pdf_words(data: bytes) -> list[Word]:
    """Return the words of a PDF without the counters of its pages."""
    words: list[Word] = []
    with pypdfium2.PdfDocument(data) as pdf:
        for number, page in enumerate(pdf):
            height = page.get_height() * PX
            words += [word for word in _read_page_words(page, number) if word.y < height - MARGIN_BOTTOM]
    return _join_runs(words)


def _read_page_words(page: Any, number: int) -> Iterator[Word]:
    text = page.get_textpage()
    height = page.get_height()
    letters: list[tuple[str, float, float, float, tuple[int, int, int]]] = []
    for at in range(text.count_chars()):
        character = chr(pdfium.FPDFText_GetUnicode(text, at))
        box, x, y = pdfium.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
        pdfium.FPDFText_GetLooseCharBox(text, at, box)
        pdfium.FPDFText_GetCharOrigin(text, at, x, y)
        base = (height - y.value) * PX
        is_gap = character.isspace() or pdfium.FPDFText_IsGenerated(text, at) == 1
        if letters and (is_gap or abs(base - letters[-1][3]) > 2 or box.left * PX > letters[-1][2] + 1.0):
            yield _build_word(letters, number)
            letters = []
        if not is_gap:
            colour = [ctypes.c_uint() for _ in range(4)]
            pdfium.FPDFText_GetFillColor(text, at, *colour)
            red, green, blue, _ = (each.value for each in colour)
            # PDFium reports a hyphen at the end of a line as a special character.
            letters.append(
                (
                    "-" if character in "\x02\ufffe" else character,
                    box.left * PX,
                    box.right * PX,
                    base,
                    (red, green, blue),
                )
            )
    if letters:
        yield _build_word(letters, number)


def _build_word(letters: Sequence[tuple[str, float, float, float, tuple[int, int, int]]], page: int) -> Word:
    # Characters beyond the first plane are pairs of surrogates.
    surrogates = "".join(each[0] for each in letters).encode("utf-16-le", "surrogatepass")
    text = surrogates.decode("utf-16-le", "replace")
    left, right = min(each[1] for each in letters), max(each[2] for each in letters)
    return Word(text, left, right, letters[0][3], letters[0][4], page)


def _join_runs(words: Sequence[Word]) -> list[Word]:
    """Return the words, with adjacent ones of shaped letters joined.

    PDFium returns such letters in pieces, marks separately, some of them twice.
    """
    found: list[Word] = []
    plain = [word for word in words if not word.is_shaped]
    shaped = [word for word in words if word.is_shaped]
    points = [word for word in plain if not any(map(str.isalnum, word.text))]
    while shaped:
        run = [shaped.pop(0)]
        while near := [word for word in shaped + points if any(_is_near(word, each) for each in run)]:
            run += near
            shaped, points, plain = (
                [word for word in rest if word not in near] for rest in (shaped, points, plain)
            )
        longest = max(run, key=lambda word: len(word.text))
        left, right = min(word.left for word in run), max(word.right for word in run)
        found.append(replace(longest, text=" ".join(word.text for word in run), left=left, right=right))
    return plain + found


def _is_near(one: Word, two: Word) -> bool:
    gap = max(one.left, two.left) - min(one.right, two.right)
    is_alike = (one.page, one.block, one.colour) == (two.page, two.block, two.colour)
    return is_alike and abs(one.y - two.y) < _MAX_LINE_DISTANCE and gap < _MAX_GAP


def _parse_rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = colour.removeprefix("rgb(").removesuffix(")").split(", ")
    return int(red), int(green), int(blue)
