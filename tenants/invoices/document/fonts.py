"""Selects the font faces of a document by its characters: inlined for the PDF, by URL for pages."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final

import msgspec

from kernel.errors import Unavailable

FOLDER: Final = Path(__file__).parent / "fonts"
_FIRST_PRINTABLE: Final = 0x20
# Files of the subset that faces.css declares for every page, as one variable font.
_BASE_FACE_PREFIX: Final = "inter-latin-"
# Pages have Inter's Latin subset as a variable font: the static faces of its other subsets need another family name.
_PAGE_FAMILIES: Final = {"Inter Variable": "Portal Inter"}
# All characters have the width 1em, also in fallback fonts: a late swap does not shift the layout.
_FULL_WIDTH_FAMILIES: Final = frozenset({"Portal Japanese", "Portal Chinese"})


class _Face(msgspec.Struct, frozen=True):
    """One file of the index: `ranges` as in CSS unicode-range."""

    family: str
    weight: int
    file: str
    ranges: str


@dataclass(frozen=True)
class _Subset:
    """The files of one subset of a family, one for each weight; `order` is its index in the order of fallback."""

    order: int
    faces: tuple[_Face, ...]
    folder: Path

    @cached_property
    def inline_css(self) -> str:
        return "".join(self._build_inline_rule(face) for face in self.faces)

    @property
    def is_in_base_style(self) -> bool:
        """Whether the style of every page declares it."""
        return self.faces[0].file.startswith(_BASE_FACE_PREFIX)

    def build_page_css(self, prefix: str, points: Iterable[int]) -> str:
        """Return @font-face rules by URL, limited to these characters: the ranges of a whole subset take a kilobyte."""
        ranges = ",".join(f"U+{point:X}" for point in points)
        family = _PAGE_FAMILIES.get(self.faces[0].family, self.faces[0].family)
        # Optional, as all faces of a page: if the font is late, the fallback stays and the layout does not shift.
        display = "swap" if family in _FULL_WIDTH_FAMILIES else "optional"
        return "".join(
            f'@font-face{{font-family:"{family}";font-weight:{face.weight};font-display:{display};'
            f'src:url({prefix}{face.file}) format("woff2");unicode-range:{ranges}}}'
            for face in self.faces
        )

    def _build_inline_rule(self, face: _Face) -> str:
        data = b64encode((self.folder / face.file).read_bytes()).decode()
        return (
            f'@font-face{{font-family:"{face.family}";font-weight:{face.weight};'
            f'src:url(data:font/woff2;base64,{data}) format("woff2");unicode-range:{face.ranges}}}'
        )


@dataclass(frozen=True, slots=True)
class PageFonts:
    """The faces that a document needs in addition to those of every page: CSS rules and files."""

    css: str = ""
    #: URLs of the files, to be preloaded.
    preload_urls: tuple[str, ...] = ()


class Fonts:
    """The built fonts. The order of the index decides which family is used for a character."""

    def __init__(self, subsets: tuple[_Subset, ...], version: str) -> None:
        """Take the subsets in their order of fallback; `version` is a hash of all their files."""
        self._subsets = subsets
        self.version = version
        self.families = tuple(dict.fromkeys(face.family for each in subsets for face in each.faces))
        self._starts, self._orders = _index_characters(subsets)

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Fonts:
        """Read the index; Unavailable("fonts.missing") when the fonts were not built, OSError when one has gone."""
        try:
            index = (folder / "index.json").read_bytes()
        except OSError:
            message = "The fonts are not built: run `npm ci && npx vite build` in web/assets."
            raise Unavailable("fonts.missing", message) from None
        faces = msgspec.json.decode(index, type=tuple[_Face, ...])
        grouped: dict[tuple[str, str], list[_Face]] = {}
        for face in faces:
            grouped.setdefault((face.family, face.ranges), []).append(face)
        subsets = tuple(_Subset(order, tuple(group), folder) for order, group in enumerate(grouped.values()))
        for face in faces:
            # Fails here for a missing file, not when a document needs it.
            (folder / face.file).stat()
        # The names of the files carry their hashes.
        return cls(subsets, hashlib.sha256(index).hexdigest())

    def build_inline_css(self, text: str) -> str:
        """Return the @font-face rules, fonts inlined, for every character of a text that one of them has."""
        wanted = {self._find_subset(ord(character)) for character in set(text)}
        return "".join(each.inline_css for each in self._subsets if each.order in wanted)

    def select_page_fonts(self, text: str, prefix: str) -> PageFonts:
        """Return the faces that a page needs so that a text has the same fonts as in the PDF.

        `prefix` is the URL of the folder. A Latin text needs none.
        """
        wanted: dict[int, list[int]] = {}
        for point in sorted({ord(character) for character in set(text)}):
            if (order := self._find_subset(point)) is not None:
                wanted.setdefault(order, []).append(point)
        found = [
            (each, wanted[each.order])
            for each in self._subsets
            if each.order in wanted and not each.is_in_base_style
        ]
        return PageFonts(
            "".join(each.build_page_css(prefix, points) for each, points in found),
            tuple(prefix + face.file for each, _ in found for face in each.faces),
        )

    def _find_subset(self, point: int) -> int | None:
        place = bisect_right(self._starts, point) - 1
        return self._orders[place] if place >= 0 and point >= _FIRST_PRINTABLE else None


@cache
def load_fonts() -> Fonts:
    """Return the built folder, read once; Unavailable("fonts.missing")."""
    return Fonts.load()


def _index_characters(subsets: Iterable[_Subset]) -> tuple[list[int], list[int | None]]:
    """Return the starts of ranges of code points, and for each range the order of the first subset that has it."""
    order_by_point: dict[int, int] = {}
    for subset in subsets:
        for point in _parse_ranges(subset.faces[0].ranges):
            order_by_point.setdefault(point, subset.order)
    starts: list[int] = []
    orders: list[int | None] = []
    before = -1
    for point in sorted(order_by_point):
        if starts and point != before + 1:
            starts.append(before + 1)
            orders.append(None)
        if not orders or orders[-1] != order_by_point[point]:
            starts.append(point)
            orders.append(order_by_point[point])
        before = point
    return [*starts, before + 1], [*orders, None]


def _parse_ranges(ranges: str) -> Iterable[int]:
    for part in ranges.split(","):
        first, _, last = part.strip().removeprefix("U+").partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)
