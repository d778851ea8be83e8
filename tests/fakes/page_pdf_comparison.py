"""Compares the page's Live mode with the PDF: every word's place and colour, and where pages end."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.fakes.words import Block, Word

# rendering.md's targets, in CSS pixels.
ACROSS: Final = 0.25
DOWN: Final = 1.5
#: Where print begins on each page (pdf.css).
TOP: Final = 64.0
_SHAPED: Final = 2.0
# What begins at the same place across is nearer than that.
_APART: Final = 0.75
# Of a line of text, above and below its baseline.
_ABOVE: Final = 10.0
_BELOW: Final = 3.0


@dataclass(frozen=True, slots=True)
class Part:
    """What one page has of a block: between two heights of the paper in CSS pixels."""

    block: int
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of the PDF: the parts that stand there, and how much lower than in Live mode."""

    name: str
    page: int
    parts: tuple[Part, ...]
    lower: float


@dataclass(frozen=True, slots=True)
class Words:
    """How far the words of both are off at most, what is in one only or coloured otherwise, and what is split."""

    x: float
    y: float
    unpaired: tuple[str, ...]
    colours: tuple[str, ...]
    split: tuple[str, ...]
    sheets: tuple[Sheet, ...]

    @property
    def are_the_same(self) -> bool:
        """Whether page and PDF say the same at the same places, within tolerance."""
        is_near = self.x <= ACROSS and self.y <= DOWN
        return is_near and not (self.unpaired or self.colours or self.split)


class Pairing:
    """The words of both in pairs, by text and place, in their order."""

    def __init__(self, live: Sequence[Word], blocks: Sequence[Block], pdf: Sequence[Word]) -> None:
        """Pair all of the page, then the heads of the table that print repeats."""
        self._blocks = blocks
        self._pairs, left, unpaired = _pair(live, pdf)
        self._pages: dict[int, set[int]] = defaultdict(set)
        for one, two in self._pairs:
            self._pages[one.block].add(two.page)
        self._heads: dict[int, list[tuple[Word, Word]]] = {}
        head = [word for word in live if word.block in self._of("head")]
        for page in sorted({page for at in self._of("row") for page in self._pages[at]})[1:]:
            self._heads[page], left, missing = _pair(head, left, page=page)
            unpaired += [f"{each} again on page {page}" for each in missing]
        unpaired += [
            f"page: {one.text}, pdf: {two.text}"
            for one, two in self._pairs
            if one.plain != two.plain and not (one.is_shaped or one.is_turned)
        ]
        self._unpaired = (*unpaired, *(f"pdf: {word.text}" for word in left))

    def words(self) -> Words:
        """Return what is to be said of them.

        On the first page words are to stand where they do on the screen; on a further one all are to have moved by
        the same distance. Rows are to be whole, and the totals with the last row.
        """
        pairs = [*self._pairs, *(pair for found in self._heads.values() for pair in found)]
        sheets = [self._sheet(page) for page in sorted({two.page for _, two in self._pairs})]
        sheets += [self._head(page) for page, found in self._heads.items() if found]
        lower = {(part.block, sheet.page): sheet.lower for sheet in sheets for part in sheet.parts}
        down = [abs(two.y - one.y - lower[one.block, two.page]) for one, two in pairs]
        return Words(
            max(_across(one, two) for one, two in pairs),
            max(down),
            self._unpaired,
            tuple(f"{one.text}: {one.colour} {two.colour}" for one, two in pairs if one.colour != two.colour),
            tuple(self._find_split()),
            tuple(sheets),
        )

    def _of(self, *kinds: str) -> list[int]:
        return [at for at, block in enumerate(self._blocks) if block.kind in kinds]

    def _find_split(self) -> Iterator[str]:
        for at in self._of("head", "row"):
            if len(self._pages[at]) > 1:
                yield f"{self._blocks[at].kind} {at}"
        if len({page for at in (*self._of("row")[-1:], *self._of("totals")) for page in self._pages[at]}) > 1:
            yield "totals"

    def _sheet(self, page: int) -> Sheet:
        pairs = [pair for pair in self._pairs if pair[1].page == page]
        parts = [self._part(at, page, pairs) for at in sorted({one.block for one, _ in pairs})]
        if page == 0:
            return Sheet(f"page {page}", page, tuple(parts), 0.0)
        first = self._blocks[parts[0].block]
        if first.kind == "row":
            # Rows begin where the head ends.
            (head,) = (self._blocks[at] for at in self._of("head"))
            return Sheet(f"page {page}", page, tuple(parts), TOP + head.bottom - head.top - first.top)
        # Baselines of print are whole pixels: what they were rounded from lies half a pixel to either side.
        moves = [two.y - one.y for one, two in pairs]
        return Sheet(f"page {page}", page, tuple(parts), (max(moves) + min(moves)) / 2)

    def _part(self, at: int, page: int, pairs: Sequence[tuple[Word, Word]]) -> Part:
        block = self._blocks[at]
        if self._pages[at] == {page}:
            return Part(at, block.top, block.bottom)
        # A text that goes on on the next page: the lines that are here.
        lines = [one.y for one, _ in pairs if one.block == at]
        return Part(at, min(lines) - _ABOVE, max(lines) + _BELOW)

    def _head(self, page: int) -> Sheet:
        (at,) = self._of("head")
        head = self._blocks[at]
        return Sheet(f"head of page {page}", page, (Part(at, head.top, head.bottom),), TOP - head.top)


def _across(one: Word, two: Word) -> float:
    """Return how far two words are apart at either end.

    Of shaped letters PDFium tells where their ink begins, not where they end: of those only the pixels tell exactly.
    """
    apart = max(abs(one.left - two.left), abs(one.right - two.right))
    return max(0.0, apart - _SHAPED) if one.is_shaped else apart


def _pair(
    live: Sequence[Word], pdf: Sequence[Word], *, page: int | None = None
) -> tuple[list[tuple[Word, Word]], list[Word], list[str]]:
    """Return pairs, the words of the PDF that are in none, and what the page says and the PDF does not."""
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
            _next_below(word, candidates) if is_long else min(candidates, key=partial(_distance, word))
        )
        unused[word.key].remove(candidate)
        pairs.append((word, candidate))
    return pairs, [word for words in unused.values() for word in words], unpaired


def _next_below(word: Word, candidates: Sequence[Word]) -> Word:
    """Return the candidate over several pages: the next in order at the same place across, else the nearest across."""
    near = (candidate for candidate in candidates if abs(word.left - candidate.left) < _APART)
    return next(near, None) or min(candidates, key=lambda candidate: abs(word.left - candidate.left))


def _distance(word: Word, candidate: Word) -> float:
    return math.hypot(word.left - candidate.left, word.y - candidate.y)
