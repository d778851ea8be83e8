"""Marks what a page draws outside its tagged content as artifacts, as PDF/UA (ISO 14289-1, 7.1) asks."""

from __future__ import annotations

import re
from typing import Final

import pikepdf

_PATH: Final = frozenset({b"m", b"re"})
_PAINT: Final = frozenset({b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"S", b"s"})
_WHOLE: Final = frozenset({b"sh"})
_BEGINS: Final = frozenset({b"BDC", b"BMC"})
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
    return b"\n".join(_artifacts(*_lines(stream), entered))


def _lines(stream: pikepdf.Object) -> tuple[list[bytes], list[bytes]]:
    """Return one operation a line, and the operators; as Skia writes it, else taken apart properly."""
    lines = [line for line in stream.read_bytes().split(b"\n") if line]
    operators = [_operator(line) for line in lines]
    if not _KNOWN.issuperset(operators):
        instructions = pikepdf.parse_content_stream(stream)
        lines = [pikepdf.unparse_content_stream([instruction]) for instruction in instructions]
        operators = [_operator(line) for line in lines]
    return lines, operators


def _operator(line: bytes) -> bytes:
    return line.rpartition(b" ")[2].removeprefix(b">>")


def _artifacts(lines: list[bytes], operators: list[bytes], entered: frozenset[bytes]) -> list[bytes]:
    """Return the lines with every untagged path, text, shading and image between marks."""
    out: list[bytes] = []
    held: list[bytes] = []  # an object under construction, outside of tagged content
    in_text = False
    place = 0
    while place < len(lines):
        operator, line = operators[place], lines[place]
        begin, place = place, place + 1
        if operator in _BEGINS:
            place = _end(operators, begin)
            # A text object that turns out to hold tagged content is not an artifact as a whole.
            out += held + lines[begin:place]
            held = []
            in_text = in_text and b"ET" not in operators[begin:place]
        elif in_text or operator == b"BT":
            in_text = operator != b"ET"
            held.append(line)
            if not in_text:
                held = _mark(out, held)
        elif held or operator in _PATH:
            held.append(line)
            if operator in _PAINT:
                held = _mark(out, held)
            elif operator == b"n":
                out += held
                held = []
        elif operator in _WHOLE or (operator == b"Do" and not _is(line, entered)):
            _mark(out, [line])
        else:
            out.append(line)
    return out + held


def _end(operators: list[bytes], begin: int) -> int:
    """Return the place after the end of the marked content that begins here."""
    depth, place = 0, begin
    while True:
        try:
            end = operators.index(_SHUT, place) + 1
        except ValueError:
            return len(operators)
        inside = operators[place:end]
        depth += sum(map(inside.count, _BEGINS)) - 1
        if depth == 0:
            return end
        place = end


def _mark(out: list[bytes], drawn: list[bytes]) -> list[bytes]:
    """Put an artifact behind what there is, artifacts that follow each other made one; returns a new list."""
    # The very object, not its like: that one ends somebody's content.
    if out and out[-1] is _SHUT:
        out.pop()
    else:
        out.append(_OPEN)
    out += drawn
    out.append(_SHUT)
    return []


def _is(line: bytes, entered: frozenset[bytes]) -> bool:
    found = _FORM.search(line)
    return found is not None and found.group(1) in entered
