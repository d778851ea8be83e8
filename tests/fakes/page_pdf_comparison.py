"""Compares Live mode with the PDF: position and colour of every word, and the ends of pages."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.fakes.words import Block, Word

# The largest distances of a word in page and PDF, in CSS pixels (ops/decisions/0011).
MAX_X_DISTANCE: Final = 0.25
MAX_Y_DISTANCE: Final = 1.5
#: The upper edge of the content of each printed page (pdf.css), in CSS pixels.
TOP: Final = 64.0
_SHAPED_TOLERANCE: Final = 2.0
# Words whose left edges are nearer than this are in the same column.
_SAME_COLUMN: Final = 0.75
# Height of a line of text above and below its baseline.
_LINE_ASCENT: Final = 10.0
_LINE_DESCENT: Final = 3.0


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a block that is on one page: its upper and lower edge on the paper in CSS pixels."""

    block: int
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of the PDF: its parts, and how much lower they are than in Live mode."""

    name: str
    page: int
    parts: tuple[Part, ...]
    offset_y: float


@dataclass(frozen=True, slots=True)
class WordComparison:
    """The largest distances of words, the words in one of both only or of another colour, and the split rows."""

    x: float
    y: float
    unpaired: tuple[str, ...]
    colours: tuple[str, ...]
    split: tuple[str, ...]
    sheets: tuple[Sheet, ...]

    @property
    def is_same(self) -> bool:
        """Whether page and PDF have the same words at the same positions, within tolerance."""
        is_near = self.x <= MAX_X_DISTANCE and self.y <= MAX_Y_DISTANCE
        return is_near and not (self.unpaired or self.colours or self.split)


class Pairing:
    """Pairs of the words of page and PDF, by text and position."""

    def __init__(self, live: Sequence[Word], blocks: Sequence[Block], pdf: Sequence[Word]) -> None:
        """Pair all words of the page, then the table heads that print repeats."""
        self._blocks = blocks
        self._pairs, unused, unpaired = _pair_words(live, pdf)
        self._pages: dict[int, set[int]] = defaultdict(set)
        for one, two in self._pairs:
            self._pages[one.block].add(two.page)
        self._heads: dict[int, list[tuple[Word, Word]]] = {}
        head = [word for word in live if word.block in self._find_blocks("head")]
        for page in sorted({page for at in self._find_blocks("row") for page in self._pages[at]})[1:]:
            self._heads[page], unused, missing = _pair_words(head, unused, page=page)
            unpaired += [f"{each} again on page {page}" for each in missing]
        unpaired += [
            f"page: {one.text}, pdf: {two.text}"
            for one, two in self._pairs
            if one.plain != two.plain and not (one.is_shaped or one.is_reordered)
        ]
        self._unpaired = (*unpaired, *(f"pdf: {word.text}" for word in unused))

    def compare(self) -> WordComparison:
        """Return the comparison.

        On the first page words must have the positions of the screen; on each other page all must be moved by the same
        distance. Rows must not be split, and the totals must be on the page of the last row.
        """
        pairs = [*self._pairs, *(pair for found in self._heads.values() for pair in found)]
        sheets = [self._build_sheet(page) for page in sorted({two.page for _, two in self._pairs})]
        sheets += [self._build_head_sheet(page) for page, found in self._heads.items() if found]
        offsets = {(part.block, sheet.page): sheet.offset_y for sheet in sheets for part in sheet.parts}
        down = [abs(two.y - one.y - offsets[one.block, two.page]) for one, two in pairs]
        return WordComparison(
            max(_measure_x_distance(one, two) for one, two in pairs),
            max(down),
            self._unpaired,
            tuple(f"{one.text}: {one.colour} {two.colour}" for one, two in pairs if one.colour != two.colour),
            tuple(self._find_split()),
            tuple(sheets),
        )

    def _find_blocks(self, *kinds: str) -> list[int]:
        return [at for at, block in enumerate(self._blocks) if block.kind in kinds]

    def _find_split(self) -> Iterator[str]:
        for at in self._find_blocks("head", "row"):
            if len(self._pages[at]) > 1:
                yield f"{self._blocks[at].kind} {at}"
        last_blocks = (*self._find_blocks("row")[-1:], *self._find_blocks("totals"))
        if len({page for at in last_blocks for page in self._pages[at]}) > 1:
            yield "totals"

    def _build_sheet(self, page: int) -> Sheet:
        pairs = [pair for pair in self._pairs if pair[1].page == page]
        parts = [self._build_part(at, page, pairs) for at in sorted({one.block for one, _ in pairs})]
        if page == 0:
            return Sheet(f"page {page}", page, tuple(parts), 0.0)
        first = self._blocks[parts[0].block]
        if first.kind == "row":
            # Rows begin where the head ends.
            (head,) = (self._blocks[at] for at in self._find_blocks("head"))
            return Sheet(f"page {page}", page, tuple(parts), TOP + head.bottom - head.top - first.top)
        # Print rounds baselines to whole pixels, by half a pixel to either side.
        moves = [two.y - one.y for one, two in pairs]
        return Sheet(f"page {page}", page, tuple(parts), (max(moves) + min(moves)) / 2)

    def _build_part(self, at: int, page: int, pairs: Sequence[tuple[Word, Word]]) -> Part:
        block = self._blocks[at]
        if self._pages[at] == {page}:
            return Part(at, block.top, block.bottom)
        # A text on several pages: only its lines on this page.
        lines = [one.y for one, _ in pairs if one.block == at]
        return Part(at, min(lines) - _LINE_ASCENT, max(lines) + _LINE_DESCENT)

    def _build_head_sheet(self, page: int) -> Sheet:
        (at,) = self._find_blocks("head")
        head = self._blocks[at]
        return Sheet(f"head of page {page}", page, (Part(at, head.top, head.bottom),), TOP - head.top)


def _measure_x_distance(one: Word, two: Word) -> float:
    """Return the larger distance of the left and right edges of two words.

    PDFium reports the ink of shaped letters, not their advance: only the comparison of pixels is exact for them.
    """
    distance = max(abs(one.left - two.left), abs(one.right - two.right))
    return max(0.0, distance - _SHAPED_TOLERANCE) if one.is_shaped else distance


def _pair_words(
    live: Sequence[Word], pdf: Sequence[Word], *, page: int | None = None
) -> tuple[list[tuple[Word, Word]], list[Word], list[str]]:
    """Return the pairs, the words of the PDF without a pair, and a text for each word of the page without one."""
    unused: dict[str, list[Word]] = defaultdict(list)
    for word in sorted(pdf, key=lambda word: (word.page, word.y)):
        unused[word.key].append(word)
    is_long = any(word.page for word in pdf)
    pairs: list[tuple[Word, Word]] = []
    unpaired: list[str] = []
    for word in live:
        candidates = unused[word.key]
        if page is not None:
            candidates = [candidate for candidate in candidates if candidate.page == page]
        if not candidates:
            unpaired.append(f"page: {word.text}")
            continue
        candidate = (
            _choose_across_pages(word, candidates)
            if is_long
            else min(candidates, key=partial(_distance, word))
        )
        unused[word.key].remove(candidate)
        pairs.append((word, candidate))
    return pairs, [word for words in unused.values() for word in words], unpaired


def _choose_across_pages(word: Word, candidates: Sequence[Word]) -> Word:
    """Return the candidate on several pages: the first in the same column, else the nearest in x."""
    near = (candidate for candidate in candidates if abs(word.left - candidate.left) < _SAME_COLUMN)
    return next(near, None) or min(candidates, key=lambda candidate: abs(word.left - candidate.left))


def _distance(word: Word, candidate: Word) -> float:
    return math.hypot(word.left - candidate.left, word.y - candidate.y)
