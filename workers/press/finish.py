"""One pass over Chromium's PDF: the same bytes for the same document, built to PDF/A-3 and PDF/UA."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from kernel.errors import Unavailable
from workers.press import artifacts
from workers.press.xmp import packet

#: Part of every fingerprint: to be raised with every change of what the finisher writes.
VERSION: Final = 2
_CREATOR: Final = "Invoice Portal"
_PRODUCER: Final = "Skia/PDF (Chromium)"
_PROFILE: Final = "sRGB IEC61966-2.1"
_NODE: Final = re.compile(rb"\(node(\d{8})\)")
_NAMED: Final = re.compile(rb"/ID \(node(\d{8})\)")
_NO_CHARACTER: Final = re.compile(rb"(?m)^((?:<[0-9A-F]{4}> ){1,2})<0000>$")
_HEADING: Final = re.compile(r"/H([1-6])")
# Types that PDF 1.7 does not have, by those that it has (ISO 32000-1, 14.8.4).
_ROLES: Final = {
    "Strong": "Span",
    "Em": "Span",
    "Title": "P",
    "Aside": "Div",
    "FENote": "Note",
    "Sub": "Span",
}
_DESCRIPTORS: Final = Path("/proc/self/fd")
_PRINTED: Final = 4  # the flag of an annotation that is printed: all of them must be


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in the PDF; `relationship` is Data, Source, Alternative, Supplement or Unspecified (AFRelationship)."""

    name: str
    media_type: str
    data: bytes
    description: str
    relationship: str = "Data"


@dataclass(frozen=True, slots=True)
class About:
    """What the file says of itself. `moment` is its date of creation, never the machine's time."""

    title: str
    author: str
    language: str
    moment: dt.datetime
    attachments: tuple[Attachment, ...] = ()


def finish(raw: bytes, about: About) -> bytes:
    """Return the finished file; Unavailable("press.unreadable") when Chromium's output is no tagged PDF."""
    try:
        with _opened(_renumbered(raw)) as pdf:
            _describe(pdf, about)
            elements, fonts = _typed(pdf)
            _structure(pdf, elements)
            _letters(fonts)
            for page in pdf.pages:
                artifacts.mark(page)
                page.obj.Tabs = Name.S
                _annotations(page)
            _attach(pdf, about)
            out = io.BytesIO()
            pdf.save(
                out,
                force_version="1.7",
                object_stream_mode=pikepdf.ObjectStreamMode.generate,
                compress_streams=True,
                deterministic_id=True,
            )
    except (pikepdf.PdfError, AttributeError, KeyError) as error:
        raise Unavailable("press.unreadable", "Chromium printed something that is no tagged PDF.") from error
    return out.getvalue()


@contextmanager
def _opened(raw: bytes) -> Iterator[pikepdf.Pdf]:
    """Open a file that is in memory, by a path where there can be one: pikepdf reads such files itself.

    From an object of Python's it reads in thousands of calls, which takes longer than all that is done here.
    """
    if sys.platform != "linux" or not _DESCRIPTORS.is_dir():
        with pikepdf.open(io.BytesIO(raw)) as pdf:
            yield pdf
        return
    with open(os.memfd_create("raw.pdf"), "wb") as file:  # noqa: PTH123  -- a descriptor, no path
        file.write(raw)
        file.flush()
        with pikepdf.open(_DESCRIPTORS / str(file.fileno())) as pdf:
            yield pdf


def _renumbered(raw: bytes) -> bytes:
    """Count the elements' names in the order of the elements.

    Chromium counts on from document to document, and not always in the same order.
    """
    order = {name: place for place, name in enumerate(dict.fromkeys(_NAMED.findall(raw)), 1)}
    return _NODE.sub(lambda found: b"(node%08d)" % order.get(found.group(1), 0), raw)


def _describe(pdf: pikepdf.Pdf, about: About) -> None:
    moment = about.moment.astimezone(dt.UTC)
    date = moment.strftime("D:%Y%m%d%H%M%S+00'00'")
    for key in list(pdf.docinfo.keys()):
        del pdf.docinfo[key]
    said = {
        "/Title": about.title,
        "/Author": about.author,
        "/Producer": _PRODUCER,
        "/Creator": _CREATOR,
        "/CreationDate": date,
        "/ModDate": date,
    }
    for key, value in said.items():
        pdf.docinfo[key] = String(value)
    metadata = pdf.make_stream(
        packet(
            title=about.title,
            author=about.author,
            language=about.language,
            moment=moment.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
            producer=_PRODUCER,
            creator=_CREATOR,
        )
    )
    metadata.Type, metadata.Subtype = Name.Metadata, Name.XML
    root = pdf.Root
    root.Metadata = metadata
    root.Lang = String(about.language)
    root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
    root.MarkInfo = Dictionary(Marked=True)
    profile = pdf.make_stream(_colours())
    profile.N = 3
    intent = Dictionary(
        Type=Name.OutputIntent,
        S=Name.GTS_PDFA1,
        OutputConditionIdentifier=String(_PROFILE),
        Info=String(_PROFILE),
        DestOutputProfile=profile,
    )
    root.OutputIntents = Array([pdf.make_indirect(intent)])


def _typed(pdf: pikepdf.Pdf) -> tuple[list[pikepdf.Object], list[pikepdf.Object]]:
    """Return the elements of the structure and the fonts: most of a tagged file are the former."""
    found: dict[str, list[pikepdf.Object]] = {"/StructElem": [], "/Font": []}
    for each in pdf.objects:
        if isinstance(each, Dictionary) and (kind := each.get("/Type")) is not None:
            found.get(str(kind), []).append(each)
    return found["/StructElem"], found["/Font"]


def _structure(pdf: pikepdf.Pdf, elements: list[pikepdf.Object]) -> None:
    """Let headings begin at the first level, and map types that PDF 1.7 does not know."""
    by_kind: dict[str, list[pikepdf.Object]] = {}
    for element in elements:
        by_kind.setdefault(str(element.S), []).append(element)
    levels = {kind: int(found[1]) for kind in by_kind if (found := _HEADING.fullmatch(kind))}
    above = min(levels.values(), default=1) - 1
    for kind, level in levels.items() if above else ():
        for element in by_kind[kind]:
            element.S = Name(f"/H{level - above}")
    roles = {kind: _ROLES[kind[1:]] for kind in by_kind if kind[1:] in _ROLES}
    tree = pdf.Root.StructTreeRoot
    named = sorted((str(each.ID), each) for each in elements if "/ID" in each)
    if named:
        tree.IDTree = Dictionary(Names=Array([part for name, each in named for part in (String(name), each)]))
    if roles:
        tree.RoleMap = Dictionary({kind: Name(f"/{role}") for kind, role in sorted(roles.items())})


def _letters(fonts: list[pikepdf.Object]) -> None:
    """Parts of letters have no character of their own; U+0000, as Skia writes it, is not allowed for them."""
    for each in fonts:
        if "/ToUnicode" in each:
            told = each.ToUnicode.read_bytes()
            mended = _NO_CHARACTER.sub(rb"\1<200B>", told)
            if mended != told:
                each.ToUnicode.write(mended)


def _annotations(page: pikepdf.Page) -> None:
    for annotation in page.obj.get("/Annots", []):
        annotation.F = int(annotation.get("/F", 0)) | _PRINTED
        if annotation.get("/Subtype") == Name.Link and "/Contents" not in annotation:
            action = annotation.get("/A", Dictionary())
            annotation.Contents = String(str(action.get("/URI", "Link")))


def _attach(pdf: pikepdf.Pdf, about: About) -> None:
    if not about.attachments:
        return
    date = about.moment.astimezone(dt.UTC).strftime("D:%Y%m%d%H%M%S+00'00'")
    named: list[pikepdf.Object] = []
    files: list[pikepdf.Object] = []
    for attachment in sorted(about.attachments, key=lambda each: each.name):
        stream = pdf.make_stream(attachment.data)
        stream.Type, stream.Subtype = Name.EmbeddedFile, Name(f"/{attachment.media_type}")
        checksum = hashlib.md5(attachment.data, usedforsecurity=False).digest()
        stream.Params = Dictionary(Size=len(attachment.data), ModDate=String(date), CheckSum=String(checksum))
        file = pdf.make_indirect(
            Dictionary(
                Type=Name.Filespec,
                F=String(attachment.name),
                UF=String(attachment.name),
                Desc=String(attachment.description),
                AFRelationship=Name(f"/{attachment.relationship}"),
                EF=Dictionary(F=stream, UF=stream),
            )
        )
        named += [String(attachment.name), file]
        files.append(file)
    names = pdf.Root.get("/Names", Dictionary())
    names.EmbeddedFiles = Dictionary(Names=Array(named))
    pdf.Root.Names = names
    pdf.Root.AF = Array(files)


@cache
def _colours() -> bytes:
    """Return the sRGB profile, made by Little CMS, its date left out."""
    return (Path(__file__).parent / "srgb.icc").read_bytes()
