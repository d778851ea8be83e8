"""Compares the page's Live mode with the PDF: every word's place and colour, and every pixel."""

from __future__ import annotations

import ctypes
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pypdfium2
from PIL import Image, ImageChops, ImageFilter
from playwright.async_api import Page
from pypdfium2 import raw as pdfium

PX: Final = 96 / 72
#: Baseline below the upper edge of a line of Inter: ascent by ascent and descent (its hhea table).
_ASCENT: Final = 1984 / (1984 + 494)
# Where the head of the last column is its widest cell, print sets it a third of a pixel narrower than the screen.
_ACROSS: Final = 0.35
_VISIBLE: Final = 176  # of 255: antialiasing of two renderers stays below
_MARGIN_BOTTOM: Final = 18 * 96 / 25.4
_WORDS: Final = """
() => {
  const host = document.querySelector(".paper");
  const paper = host.shadowRoot.querySelector(".document").getBoundingClientRect();
  const words = [];
  const walker = document.createTreeWalker(host.shadowRoot.querySelector(".document"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const style = getComputedStyle(node.parentElement);
    // Belongs to the box of the last letter, not to what is drawn of it.
    const spacing = parseFloat(style.letterSpacing) || 0;
    const isHead = node.parentElement.closest("thead") !== null;
    const isRow = node.parentElement.closest(".items tbody") !== null;
    const segments = [...node.data.matchAll(/\\S+/g)];
    for (const segment of segments) {
      // A long word may stand on several lines: each part counts for itself.
      let start = segment.index, before = null;
      const put = end => {
        const range = document.createRange();
        range.setStart(node, start); range.setEnd(node, end);
        const box = range.getBoundingClientRect();
        if (box.width > 0) {
          words.push({text: node.data.slice(start, end), left: box.left - paper.left,
                      right: box.right - spacing - paper.left,
                      isHead, isRow,
                      top: box.top - paper.top, bottom: box.bottom - paper.top, colour: style.color});
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
  return words;
}
"""


@dataclass(frozen=True, slots=True)
class Word:
    """A word on the paper: in CSS pixels from its upper left corner; `y` is the baseline."""

    text: str
    left: float
    right: float
    y: float
    colour: tuple[int, int, int]
    page: int = 0
    is_head: bool = False
    is_row: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """What was found: how far words are off at most, which have no twin, and how many pixels differ (share)."""

    x: float
    y: float
    lonely: tuple[str, ...]
    colours: tuple[str, ...]
    pixels: float

    @property
    def is_none(self) -> bool:
        """Whether page and PDF are the same within tolerance."""
        near = self.x <= _ACROSS and self.y <= 1.5 and self.pixels <= 0.0005
        return near and not self.lonely and not self.colours


async def live_words(page: Page) -> list[Word]:
    """Return the words of the paper in Live mode, at its natural size."""
    found: list[dict[str, Any]] = await page.evaluate(_WORDS)
    return [
        Word(
            each["text"],
            each["left"],
            each["right"],
            each["top"] + (each["bottom"] - each["top"]) * _ASCENT,
            _rgb(each["colour"]),
            is_head=each["isHead"],
            is_row=each["isRow"],
        )
        for each in found
    ]


def pdf_words(data: bytes) -> list[Word]:
    """Return the words of a PDF without the counters of its pages."""
    words: list[Word] = []
    with pypdfium2.PdfDocument(data) as pdf:
        for number, page in enumerate(pdf):
            height = page.get_height() * PX
            words += [word for word in _of_page(page, number) if word.y < height - _MARGIN_BOTTOM]
    return words


def _of_page(page: Any, number: int) -> Iterator[Word]:
    text = page.get_textpage()
    height = page.get_height()
    letters: list[tuple[str, float, float, float, tuple[int, int, int]]] = []
    for at in range(text.count_chars()):
        sign = chr(pdfium.FPDFText_GetUnicode(text, at))
        box, x, y = pdfium.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
        pdfium.FPDFText_GetLooseCharBox(text, at, box)
        pdfium.FPDFText_GetCharOrigin(text, at, x, y)
        base = (height - y.value) * PX
        is_gap = sign.isspace() or pdfium.FPDFText_IsGenerated(text, at) == 1
        if letters and (is_gap or abs(base - letters[-1][3]) > 2 or box.left * PX > letters[-1][2] + 1.0):
            yield _word(letters, number)
            letters = []
        if not is_gap:
            colour = [ctypes.c_uint() for _ in range(4)]
            pdfium.FPDFText_GetFillColor(text, at, *colour)
            red, green, blue, _ = (each.value for each in colour)
            # A hyphen at the end of a line is told as a sign of its own.
            letters.append(
                (
                    "-" if sign in "\x02\ufffe" else sign,
                    box.left * PX,
                    box.right * PX,
                    base,
                    (red, green, blue),
                )
            )
    if letters:
        yield _word(letters, number)


def _word(letters: Sequence[tuple[str, float, float, float, tuple[int, int, int]]], page: int) -> Word:
    # Signs beyond the first plane come in two halves.
    halves = "".join(each[0] for each in letters).encode("utf-16-le", "surrogatepass")
    text = halves.decode("utf-16-le", "replace")
    left, right = min(each[1] for each in letters), max(each[2] for each in letters)
    return Word(text, left, right, letters[0][3], letters[0][4], page)


def compare(live: Sequence[Word], pdf: Sequence[Word], pixels: float = 0.0) -> Difference:
    """Pair the words by text and place, in their order.

    Over several pages the head of the table is expected again on each, and `y` is how far the words of one page are
    from moving all by the same distance; words of one line are to be on one page.
    """
    pages = 1 + max(word.page for word in pdf)
    waiting: dict[str, list[Word]] = defaultdict(list)
    for word in pdf:
        waiting[word.text].append(word)
    pairs: list[tuple[Word, Word]] = []
    lonely: list[str] = []
    for word in live:
        if not waiting[word.text]:
            lonely.append(f"page: {word.text}")
            continue
        twin = min(waiting[word.text], key=lambda each: _distance(word, each, is_ordered=pages > 1))
        waiting[word.text].remove(twin)
        pairs.append((word, twin))
    again = len({two.page for one, two in pairs if one.is_row}) - 1
    heads = Counter(word.text for word in live if word.is_head for _ in range(again))
    left = Counter(text for text, words in waiting.items() for _ in words)
    lonely += [f"pdf: {text}" for text in (left - heads)] + [f"no head: {text}" for text in (heads - left)]
    across = [max(abs(one.left - two.left), abs(one.right - two.right)) for one, two in pairs]
    colours = [f"{one.text}: {one.colour} {two.colour}" for one, two in pairs if one.colour != two.colour]
    down = _down(pairs) if pages > 1 else max(abs(one.y - two.y) for one, two in pairs)
    return Difference(max(across), down, tuple(lonely), tuple(colours), pixels)


def _down(pairs: Sequence[tuple[Word, Word]]) -> float:
    lines: dict[int, set[int]] = defaultdict(set)
    moved: dict[int, list[float]] = defaultdict(list)
    for one, two in pairs:
        moved[two.page].append(one.y - two.y)
        lines[round(one.y)].add(two.page)
    if any(len(on) > 1 for on in lines.values()):
        return math.inf
    return max((max(by) - min(by)) / 2 for by in moved.values())


def _distance(word: Word, twin: Word, *, is_ordered: bool) -> tuple[float, ...]:
    across = abs(word.left - twin.left)
    # Over several pages the first of its kind at the same place across is the next in order.
    return (round(across), twin.page, twin.y) if is_ordered else (math.hypot(across, word.y - twin.y),)


def pixels_apart(screenshot: Image.Image, data: bytes) -> float:
    """Return the share of pixels at 2x that differ, footer aside; a pixel's width of grace for the edges of letters."""
    with pypdfium2.PdfDocument(data) as pdf:
        first: Any = pdf[0]
        drawn: Image.Image = first.render(scale=2 * PX).to_pil().convert("RGB")
    width, height = (
        min(drawn.width, screenshot.width),
        int(min(drawn.height, screenshot.height) - 2 * _MARGIN_BOTTOM),
    )
    one, two = (each.convert("RGB").crop((0, 0, width, height)) for each in (screenshot, drawn))
    apart = ImageChops.lighter(_unlike(one, two), _unlike(two, one))
    shares = apart.convert("L").histogram()
    return sum(shares[_VISIBLE:]) / (width * height)


def _unlike(one: Image.Image, two: Image.Image) -> Image.Image:
    """How far each pixel of one is from the nearest value among the neighbours of the same place in two."""
    darkest, lightest = two.filter(ImageFilter.MinFilter(3)), two.filter(ImageFilter.MaxFilter(3))
    return ImageChops.lighter(ImageChops.subtract(one, lightest), ImageChops.subtract(darkest, one))


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = colour.removeprefix("rgb(").removesuffix(")").split(", ")
    return int(red), int(green), int(blue)
