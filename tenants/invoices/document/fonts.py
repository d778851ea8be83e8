"""The faces that go into PDFs: chosen by the characters a document has, inlined as data."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec

from kernel.errors import Unavailable

FOLDER: Final = Path(__file__).parent / "fonts"
_NEVER_SHOWN: Final = 0x20


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

    def _rule(self, face: _Face) -> str:
        data = b64encode((self.folder / face.file).read_bytes()).decode()
        return (
            f'@font-face{{font-family:"{face.family}";font-weight:{face.weight};'
            f'src:url(data:font/woff2;base64,{data}) format("woff2");unicode-range:{face.ranges}}}'
        )


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
        """Read the index; Unavailable("fonts.missing") when the fonts were not built."""
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
        digest = hashlib.sha256(index)
        for face in faces:
            digest.update(hashlib.sha256((folder / face.file).read_bytes()).digest())
        return cls(subsets, digest.hexdigest())

    def css(self, text: str) -> str:
        """Return the @font-face rules, fonts inlined, for every character of a text that one of them has."""
        wanted = {self._owner(ord(character)) for character in set(text)}
        return "".join(each.css for each in self._subsets if each.order in wanted)

    def _owner(self, point: int) -> int | None:
        place = bisect_right(self._starts, point) - 1
        return self._owners[place] if place >= 0 and point >= _NEVER_SHOWN else None


def _claims(subsets: Iterable[_Subset]) -> tuple[list[int], list[int | None]]:
    """Return where each stretch of characters begins, and whose it is: the first subset's that has it."""
    taken: dict[int, int] = {}
    for subset in subsets:
        for point in _points(subset.faces[0].ranges):
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


def _points(ranges: str) -> Iterable[int]:
    for part in ranges.split(","):
        first, _, last = part.strip().removeprefix("U+").partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)
