"""Marks all drawing outside of tagged content as artifacts, as PDF/UA (ISO 14289-1, 7.1) requires."""

from __future__ import annotations

import re
from typing import Final

import pikepdf

_PATH_START: Final = frozenset({b"m", b"re"})
_PATH_PAINT: Final = frozenset({b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"S", b"s"})
_SHADING: Final = frozenset({b"sh"})
_MARKED_CONTENT_BEGIN: Final = frozenset({b"BDC", b"BMC"})
_SKIA_OPERATORS: Final = (
    _PATH_START | _PATH_PAINT | _SHADING
    | frozenset(b"q Q cm gs g G rg RG k K cs CS sc scn SC SCN w J j M d i ri n W W* l c v y h".split())
    | frozenset(b"BT ET Tf Td TD Tm T* Tj TJ Tc Tw Tz TL Tr Ts BDC BMC EMC DP MP Do".split())
)  # fmt: skip
_ARTIFACT_BEGIN: Final = b"/Artifact BMC"
_ARTIFACT_END: Final = b"EMC"
_FORM_USE: Final = re.compile(rb"/(\S+)\s+Do$")


def mark_artifacts(page: pikepdf.Page) -> None:
    """Mark the page's untagged drawing; a form with tagged content is not marked as a whole, but inside."""
    resources = page.obj.get("/Resources", pikepdf.Dictionary())
    tagged_forms = _mark_tagged_forms(resources, set())
    content = page.obj.Contents
    if isinstance(content, pikepdf.Array):
        page.contents_coalesce()
        content = page.obj.Contents
    content.write(_mark_stream(content, tagged_forms))


def _mark_tagged_forms(resources: pikepdf.Object, seen: set[tuple[int, int]]) -> frozenset[bytes]:
    """Mark artifacts inside the forms that have tagged content; returns the names of these forms."""
    names: set[bytes] = set()
    for name, form in dict(resources.get("/XObject", {})).items():
        if form.get("/Subtype") != "/Form" or b"/MCID" not in form.read_bytes():
            continue
        names.add(name.removeprefix("/").encode())
        if form.objgen not in seen:
            seen.add(form.objgen)
            nested = _mark_tagged_forms(form.get("/Resources", pikepdf.Dictionary()), seen)
            form.write(_mark_stream(form, nested))
    return frozenset(names)


def _mark_stream(stream: pikepdf.Object, tagged_forms: frozenset[bytes]) -> bytes:
    return b"\n".join(_mark_lines(*_split_operations(stream), tagged_forms))


def _split_operations(stream: pikepdf.Object) -> tuple[list[bytes], list[bytes]]:
    """Return one line for each operation, and the operators.

    Skia writes one operation a line; a stream with other operators is parsed, which is slower.
    """
    lines = [line for line in stream.read_bytes().split(b"\n") if line]
    operators = [_get_operator(line) for line in lines]
    if not _SKIA_OPERATORS.issuperset(operators):
        instructions = pikepdf.parse_content_stream(stream)
        lines = [pikepdf.unparse_content_stream([instruction]) for instruction in instructions]
        operators = [_get_operator(line) for line in lines]
    return lines, operators


def _get_operator(line: bytes) -> bytes:
    return line.rpartition(b" ")[2].removeprefix(b">>")


def _mark_lines(lines: list[bytes], operators: list[bytes], tagged_forms: frozenset[bytes]) -> list[bytes]:
    """Return the lines with every untagged path, text, shading and image marked as an artifact."""
    out: list[bytes] = []
    pending: list[bytes] = []  # the lines of an unfinished path or text object outside of tagged content
    in_text = False
    index = 0
    while index < len(lines):
        operator, line = operators[index], lines[index]
        begin, index = index, index + 1
        if operator in _MARKED_CONTENT_BEGIN:
            index = _find_end(operators, begin)
            # A text object that turns out to hold tagged content is not an artifact as a whole.
            out += pending + lines[begin:index]
            pending = []
            in_text = in_text and b"ET" not in operators[begin:index]
        elif in_text or operator == b"BT":
            in_text = operator != b"ET"
            pending.append(line)
            if not in_text:
                pending = _append_artifact(out, pending)
        elif pending or operator in _PATH_START:
            pending.append(line)
            if operator in _PATH_PAINT:
                pending = _append_artifact(out, pending)
            elif operator == b"n":
                out += pending
                pending = []
        elif operator in _SHADING or (operator == b"Do" and not _uses_form(line, tagged_forms)):
            _append_artifact(out, [line])
        else:
            out.append(line)
    return out + pending


def _find_end(operators: list[bytes], begin: int) -> int:
    """Return the index after the end of the marked content that begins at `begin`."""
    depth, index = 0, begin
    while True:
        try:
            end = operators.index(_ARTIFACT_END, index) + 1
        except ValueError:
            return len(operators)
        inside = operators[index:end]
        depth += sum(map(inside.count, _MARKED_CONTENT_BEGIN)) - 1
        if depth == 0:
            return end
        index = end


def _append_artifact(out: list[bytes], lines: list[bytes]) -> list[bytes]:
    """Append lines as an artifact, joined to an artifact right before; returns a new empty list."""
    # By identity: an equal line may end tagged content.
    if out and out[-1] is _ARTIFACT_END:
        out.pop()
    else:
        out.append(_ARTIFACT_BEGIN)
    out += lines
    out.append(_ARTIFACT_END)
    return []


def _uses_form(line: bytes, names: frozenset[bytes]) -> bool:
    match = _FORM_USE.search(line)
    return match is not None and match.group(1) in names
