"""The faces of the document, chosen by the characters it has: inlined for the PDF, named for pages."""

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
_NEVER_SHOWN: Final = 0x20
# What faces.css declares for every page, as one variable face.
_ON_EVERY_PAGE: Final = "inter-latin-"
# Faces of a family that differ in their weights are no one face: there its other letters are a family of their own.
_OTHER_LETTERS: Final = {"Inter Variable": "Portal Inter"}
# Every letter is a square there, in the visitor's own fonts too: what comes late may still come, and nothing moves.
_SQUARE: Final = frozenset({"Portal Japanese", "Portal Chinese"})


class _Face(msgspec.Struct, frozen=True):
    """One file of the index: `ranges` as in CSS unicode-range."""

    family: str
    weight: int
    file: str
    ranges: str


@dataclass(frozen=True)
class _Subset:
    """The files of one subset of a family, one for each weight, and the characters they are for."""

    order: int
    faces: tuple[_Face, ...]
    folder: Path

    @cached_property
    def css(self) -> str:
        return "".join(self._rule(face) for face in self.faces)

    @property
    def is_on_every_page(self) -> bool:
        """Whether a page has it anyhow."""
        return self.faces[0].file.startswith(_ON_EVERY_PAGE)

    def named(self, prefix: str, points: Iterable[int]) -> str:
        """Return the rules by address, for the characters given only: a whole subset's are a kilobyte each."""
        ranges = ",".join(f"U+{point:X}" for point in points)
        family = _OTHER_LETTERS.get(self.faces[0].family, self.faces[0].family)
        # Optional, as all of a page's faces: a visit whose font comes too late keeps the fallback and never jumps.
        display = "swap" if family in _SQUARE else "optional"
        return "".join(
            f'@font-face{{font-family:"{family}";font-weight:{face.weight};font-display:{display};'
            f'src:url({prefix}{face.file}) format("woff2");unicode-range:{ranges}}}'
            for face in self.faces
        )

    def _rule(self, face: _Face) -> str:
        data = b64encode((self.folder / face.file).read_bytes()).decode()
        return (
            f'@font-face{{font-family:"{face.family}";font-weight:{face.weight};'
            f'src:url(data:font/woff2;base64,{data}) format("woff2");unicode-range:{face.ranges}}}'
        )


@dataclass(frozen=True, slots=True)
class PageFaces:
    """What a page says of the faces its document needs beside those of every page."""

    css: str = ""
    #: Their addresses, for the browser to fetch at once.
    early: tuple[str, ...] = ()


class Fonts:
    """The built folder of faces. Which family comes first for a character is the order of the index."""

    def __init__(self, subsets: tuple[_Subset, ...], version: str) -> None:
        """Take the subsets in their order of fallback; `version` is a hash of all their files."""
        self._subsets = subsets
        self.version = version
        self.families = tuple(dict.fromkeys(face.family for each in subsets for face in each.faces))
        self._starts, self._owners = _claims(subsets)

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
            # Says now which one is missing, not when a document needs it.
            (folder / face.file).stat()
        # The names of the files carry their hashes.
        return cls(subsets, hashlib.sha256(index).hexdigest())

    def css(self, text: str) -> str:
        """Return the @font-face rules, fonts inlined, for every character of a text that one of them has."""
        wanted = {self._owner(ord(character)) for character in set(text)}
        return "".join(each.css for each in self._subsets if each.order in wanted)

    def page_faces(self, text: str, prefix: str) -> PageFaces:
        """Return what a page must say so that a text stands there in the same faces as in the PDF.

        `prefix` is where the files are served. Of a Latin text that is nothing.
        """
        wanted: dict[int, list[int]] = {}
        for point in sorted({ord(character) for character in set(text)}):
            if (owner := self._owner(point)) is not None:
                wanted.setdefault(owner, []).append(point)
        found = [
            (each, wanted[each.order])
            for each in self._subsets
            if each.order in wanted and not each.is_on_every_page
        ]
        return PageFaces(
            "".join(each.named(prefix, points) for each, points in found),
            tuple(prefix + face.file for each, _ in found for face in each.faces),
        )

    def _owner(self, point: int) -> int | None:
        place = bisect_right(self._starts, point) - 1
        return self._owners[place] if place >= 0 and point >= _NEVER_SHOWN else None


@cache
def load_fonts() -> Fonts:
    """Return the built folder, read once; Unavailable("fonts.missing")."""
    return Fonts.load()


def _claims(subsets: Iterable[_Subset]) -> tuple[list[int], list[int | None]]:
    """Return where each stretch of characters begins, and whose it is: the first subset's that has it."""
    taken: dict[int, int] = {}
    for subset in subsets:
        for point in _parse_ranges(subset.faces[0].ranges):
            taken.setdefault(point, subset.order)
    starts: list[int] = []
    owners: list[int | None] = []
    before = -1
    for point in sorted(taken):
        if starts and point != before + 1:
            starts.append(before + 1)
            owners.append(None)
        if not owners or owners[-1] != taken[point]:
            starts.append(point)
            owners.append(taken[point])
        before = point
    return [*starts, before + 1], [*owners, None]


def _parse_ranges(ranges: str) -> Iterable[int]:
    for part in ranges.split(","):
        first, _, last = part.strip().removeprefix("U+").partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)
