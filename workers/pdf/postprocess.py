"""Post-processes Chromium's PDF: the same bytes for the same document, as PDF/A-3 and PDF/UA require."""

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
from workers.pdf import artifacts
from workers.pdf.xmp import build_xmp_packet

#: Part of every fingerprint: raise it with every change of the output.
VERSION: Final = 2
_CREATOR: Final = "Invoice Portal"
_PRODUCER: Final = "Skia/PDF (Chromium)"
_COLOUR_PROFILE: Final = "sRGB IEC61966-2.1"
_ELEMENT_NAME: Final = re.compile(rb"\(node(\d{8})\)")
_ELEMENT_ID: Final = re.compile(rb"/ID \(node(\d{8})\)")
_NULL_MAPPING: Final = re.compile(rb"(?m)^((?:<[0-9A-F]{4}> ){1,2})<0000>$")
_HEADING: Final = re.compile(r"/H([1-6])")
# Structure types that PDF 1.7 does not have, mapped to those that it has (ISO 32000-1, 14.8.4).
_ROLES: Final = {
    "Strong": "Span",
    "Em": "Span",
    "Title": "P",
    "Aside": "Div",
    "FENote": "Note",
    "Sub": "Span",
}
_FILE_DESCRIPTORS: Final = Path("/proc/self/fd")
_PRINT_FLAG: Final = 4  # of an annotation; PDF/A requires it


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in the PDF; `relationship` is Data, Source, Alternative, Supplement or Unspecified (AFRelationship)."""

    name: str
    media_type: str
    data: bytes
    description: str
    relationship: str = "Data"


@dataclass(frozen=True, slots=True)
class PdfMetadata:
    """The metadata and attachments of a file. `created_at` is the invoice's date, never the machine's time."""

    title: str
    author: str
    language: str
    created_at: dt.datetime
    attachments: tuple[Attachment, ...] = ()


def postprocess(raw: bytes, metadata: PdfMetadata) -> bytes:
    """Return the complete file; Unavailable("pdf.not_tagged") when Chromium's output is no tagged PDF."""
    try:
        with _open_in_memory(_renumber_elements(raw)) as pdf:
            _write_metadata(pdf, metadata)
            elements, fonts = _find_elements_and_fonts(pdf)
            _repair_structure(pdf, elements)
            _repair_unicode_maps(fonts)
            for page in pdf.pages:
                artifacts.mark_artifacts(page)
                page.obj.Tabs = Name.S
                _repair_annotations(page)
            _attach_files(pdf, metadata)
            out = io.BytesIO()
            pdf.save(
                out,
                force_version="1.7",
                object_stream_mode=pikepdf.ObjectStreamMode.generate,
                compress_streams=True,
                deterministic_id=True,
            )
    except (pikepdf.PdfError, AttributeError, KeyError) as error:
        raise Unavailable("pdf.not_tagged", "Chromium's output is not a tagged PDF.") from error
    return out.getvalue()


@contextmanager
def _open_in_memory(raw: bytes) -> Iterator[pikepdf.Pdf]:
    """Open a file in memory, where possible by the path of a memfd.

    pikepdf reads a path itself; it reads a Python file object in thousands of calls, which takes longer than all
    post-processing.
    """
    if sys.platform != "linux" or not _FILE_DESCRIPTORS.is_dir():
        with pikepdf.open(io.BytesIO(raw)) as pdf:
            yield pdf
        return
    with open(os.memfd_create("raw.pdf"), "wb") as file:  # noqa: PTH123  -- a descriptor, no path
        file.write(raw)
        file.flush()
        with pikepdf.open(_FILE_DESCRIPTORS / str(file.fileno())) as pdf:
            yield pdf


def _renumber_elements(raw: bytes) -> bytes:
    """Number the names of structure elements from 1, in the order of the elements.

    Chromium continues its numbers from document to document, and not always in the same order.
    """
    order = {name: number for number, name in enumerate(dict.fromkeys(_ELEMENT_ID.findall(raw)), 1)}
    return _ELEMENT_NAME.sub(lambda found: b"(node%08d)" % order.get(found.group(1), 0), raw)


def _write_metadata(pdf: pikepdf.Pdf, metadata: PdfMetadata) -> None:
    created_at = metadata.created_at.astimezone(dt.UTC)
    date = created_at.strftime("D:%Y%m%d%H%M%S+00'00'")
    for key in list(pdf.docinfo.keys()):
        del pdf.docinfo[key]
    information = {
        "/Title": metadata.title,
        "/Author": metadata.author,
        "/Producer": _PRODUCER,
        "/Creator": _CREATOR,
        "/CreationDate": date,
        "/ModDate": date,
    }
    for key, value in information.items():
        pdf.docinfo[key] = String(value)
    xmp = pdf.make_stream(
        build_xmp_packet(
            title=metadata.title,
            author=metadata.author,
            language=metadata.language,
            timestamp=created_at.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
            producer=_PRODUCER,
            creator=_CREATOR,
        )
    )
    xmp.Type, xmp.Subtype = Name.Metadata, Name.XML
    root = pdf.Root
    root.Metadata = xmp
    root.Lang = String(metadata.language)
    root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
    root.MarkInfo = Dictionary(Marked=True)
    profile = pdf.make_stream(_read_colour_profile())
    profile.N = 3
    intent = Dictionary(
        Type=Name.OutputIntent,
        S=Name.GTS_PDFA1,
        OutputConditionIdentifier=String(_COLOUR_PROFILE),
        Info=String(_COLOUR_PROFILE),
        DestOutputProfile=profile,
    )
    root.OutputIntents = Array([pdf.make_indirect(intent)])


def _find_elements_and_fonts(pdf: pikepdf.Pdf) -> tuple[list[pikepdf.Object], list[pikepdf.Object]]:
    """Return the structure elements and the fonts."""
    found: dict[str, list[pikepdf.Object]] = {"/StructElem": [], "/Font": []}
    for each in pdf.objects:
        if isinstance(each, Dictionary) and (kind := each.get("/Type")) is not None:
            found.get(str(kind), []).append(each)
    return found["/StructElem"], found["/Font"]


def _repair_structure(pdf: pikepdf.Pdf, elements: list[pikepdf.Object]) -> None:
    """Let headings begin at the first level, and map structure types that PDF 1.7 does not have."""
    by_kind: dict[str, list[pikepdf.Object]] = {}
    for element in elements:
        by_kind.setdefault(str(element.S), []).append(element)
    levels = {kind: int(found[1]) for kind in by_kind if (found := _HEADING.fullmatch(kind))}
    offset = min(levels.values(), default=1) - 1
    for kind, level in levels.items() if offset else ():
        for element in by_kind[kind]:
            element.S = Name(f"/H{level - offset}")
    roles = {kind: _ROLES[kind[1:]] for kind in by_kind if kind[1:] in _ROLES}
    tree = pdf.Root.StructTreeRoot
    ids = sorted((str(each.ID), each) for each in elements if "/ID" in each)
    if ids:
        tree.IDTree = Dictionary(Names=Array([part for name, each in ids for part in (String(name), each)]))
    if roles:
        tree.RoleMap = Dictionary({kind: Name(f"/{role}") for kind, role in sorted(roles.items())})


def _repair_unicode_maps(fonts: list[pikepdf.Object]) -> None:
    """Map glyphs without a character of their own to U+200B: Skia writes U+0000, which PDF/UA forbids."""
    for each in fonts:
        if "/ToUnicode" in each:
            skia_map = each.ToUnicode.read_bytes()
            repaired = _NULL_MAPPING.sub(rb"\1<200B>", skia_map)
            if repaired != skia_map:
                each.ToUnicode.write(repaired)


def _repair_annotations(page: pikepdf.Page) -> None:
    for annotation in page.obj.get("/Annots", []):
        annotation.F = int(annotation.get("/F", 0)) | _PRINT_FLAG
        if annotation.get("/Subtype") == Name.Link and "/Contents" not in annotation:
            action = annotation.get("/A", Dictionary())
            annotation.Contents = String(str(action.get("/URI", "Link")))


def _attach_files(pdf: pikepdf.Pdf, metadata: PdfMetadata) -> None:
    if not metadata.attachments:
        return
    date = metadata.created_at.astimezone(dt.UTC).strftime("D:%Y%m%d%H%M%S+00'00'")
    name_tree: list[pikepdf.Object] = []
    files: list[pikepdf.Object] = []
    for attachment in sorted(metadata.attachments, key=lambda each: each.name):
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
        name_tree += [String(attachment.name), file]
        files.append(file)
    names = pdf.Root.get("/Names", Dictionary())
    names.EmbeddedFiles = Dictionary(Names=Array(name_tree))
    pdf.Root.Names = names
    pdf.Root.AF = Array(files)


@cache
def _read_colour_profile() -> bytes:
    """Return the sRGB profile, made by Little CMS, without a date."""
    return (Path(__file__).parent / "srgb.icc").read_bytes()
