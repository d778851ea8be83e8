"""Marks what a page draws outside its tagged content as artifacts, as PDF/UA (ISO 14289-1, 7.1) asks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import pikepdf

_PATH: Final = frozenset({b"m", b"re"})
_PAINT: Final = frozenset({b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"S", b"s"})
_WHOLE: Final = frozenset({b"sh"})
_KNOWN: Final = (
    _PATH | _PAINT | _WHOLE
    | frozenset(b"q Q cm gs g G rg RG k K cs CS sc scn SC SCN w J j M d i ri n W W* l c v y h".split())
    | frozenset(b"BT ET Tf Td TD Tm T* Tj TJ Tc Tw Tz TL Tr Ts BDC BMC EMC DP MP Do".split())
)  # fmt: skip
_OPEN: Final = b"/Artifact BMC"
_SHUT: Final = b"EMC"
_FORM: Final = re.compile(rb"/(\S+)\s+Do$")


def mark(page: pikepdf.Page) -> None:
    """Wrap the page's untagged drawing; forms that hold tagged content are entered, not wrapped."""
    resources = page.obj.get("/Resources", pikepdf.Dictionary())
    entered = _enter(resources, set())
    content = page.obj.Contents
    if isinstance(content, pikepdf.Array):
        page.contents_coalesce()
        content = page.obj.Contents
    content.write(_wrapped(content, entered))


def _enter(resources: pikepdf.Object, seen: set[tuple[int, int]]) -> frozenset[bytes]:
    """Mark inside the forms that have tagged content; returns their names."""
    names: set[bytes] = set()
    for name, form in dict(resources.get("/XObject", {})).items():
        if form.get("/Subtype") != "/Form" or b"/MCID" not in form.read_bytes():
            continue
        names.add(name.removeprefix("/").encode())
        if form.objgen not in seen:
            seen.add(form.objgen)
            form.write(_wrapped(form, _enter(form.get("/Resources", pikepdf.Dictionary()), seen)))
    return frozenset(names)


def _wrapped(stream: pikepdf.Object, entered: frozenset[bytes]) -> bytes:
    lines = _lines(stream)
    return b"\n".join(_joined(_artifacts(lines, entered)))


def _lines(stream: pikepdf.Object) -> list[bytes]:
    """Return one operation a line; as Skia writes it, else taken apart properly."""
    lines = [line for line in stream.read_bytes().split(b"\n") if line]
    if all(_operator(line) in _KNOWN for line in lines):
        return lines
    return [
        pikepdf.unparse_content_stream([instruction]) for instruction in pikepdf.parse_content_stream(stream)
    ]


def _operator(line: bytes) -> bytes:
    return line.rsplit(None, 1)[-1].rpartition(b">>")[2]


def _artifacts(lines: list[bytes], entered: frozenset[bytes]) -> Iterator[bytes]:
    """Yield the lines with every untagged path, text, shading and image between marks."""
    depth = 0
    held: list[bytes] = []  # an object under construction, outside of tagged content
    in_text = False
    for line in lines:
        operator = _operator(line)
        if operator in {b"BDC", b"BMC"}:
            depth += 1
        if depth:
            # A text object that turns out to hold tagged content is not an artifact as a whole.
            yield from held
            held.clear()
            in_text = in_text and operator != b"ET"
            yield line
            depth -= operator == b"EMC"
            continue
        if in_text or operator == b"BT":
            in_text = operator != b"ET"
            held.append(line)
            if not in_text:
                yield from (_OPEN, *held, _SHUT)
                held.clear()
        elif held or operator in _PATH:
            held.append(line)
            if operator in _PAINT:
                yield from (_OPEN, *held, _SHUT)
                held.clear()
            elif operator == b"n":
                yield from held
                held.clear()
        elif operator in _WHOLE or (operator == b"Do" and not _is(line, entered)):
            yield from (_OPEN, line, _SHUT)
        else:
            yield line
    yield from held


def _is(line: bytes, entered: frozenset[bytes]) -> bool:
    found = _FORM.search(line)
    return found is not None and found.group(1) in entered


def _joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines with artifacts that follow each other made one."""
    waiting: bytes | None = None
    inside = False
    for line in lines:
        if line == _OPEN:
            inside = True
            if waiting is not None:
                waiting = None
                continue
        elif waiting is not None:
            yield waiting
            waiting = None
        if line == _SHUT and inside:
            inside = False
            waiting = line
            continue
        yield line
    if waiting is not None:
        yield waiting
