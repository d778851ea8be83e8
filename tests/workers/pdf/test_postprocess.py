"""Post-processed PDFs have tags, metadata, artifacts, embedded fonts and readable text in every script."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import msgspec
import pikepdf
import pypdfium2
import pytest

from kernel.errors import Unavailable
from tenants.invoices.document.pdf_html import render_pdf_html
from tests.fakes.documents import METADATA, build_document, build_logo, load_fonts, render_seed_sheet
from tests.fakes.sample_workspaces import build_content
from workers.pdf.postprocess import Attachment, postprocess
from workers.pdf.renderer import Renderer

SCRIPTS = {
    "Latin": "Zażółć gęślą jaźń, Straße, œuvre",
    "Greek": "Τιμολόγιο υπηρεσιών",
    "Cyrillic": "Счёт за услуги, їжак",
    "Arabic": "فاتورة الخدمات",
    "Hebrew": "חשבונית עבור שירותים",
    "Devanagari": "सेवाओं का चालान",
    "Thai": "ใบแจ้งหนี้ค่าบริการ",
    "CJK": "請求書 发票 發票 청구서 カタカナ",
    "emoji": "🙂🚀✅",
}
LATIN = ("lines-3", "lines-40", "tax-inclusive", "allowances", "huge")


async def render(renderer: Renderer, html: str) -> bytes:
    return postprocess(await renderer.render(html, owner=None, within_s=30), METADATA)


def find_fonts(data: bytes) -> Iterator[pikepdf.Object]:
    with pikepdf.open(io.BytesIO(data)) as pdf:
        for each in pdf.objects:
            if isinstance(each, pikepdf.Dictionary) and each.get("/Type") == "/Font":
                yield each


def has_mapping(font: pikepdf.Object, pattern: str) -> bool:
    """Whether a line of the font's map from glyphs to characters is of this form."""
    if "/ToUnicode" not in font:
        return False
    _, _, lines = font.ToUnicode.read_bytes().decode().partition("endcodespacerange")
    return re.search(pattern, lines, re.MULTILINE) is not None


@pytest.mark.parametrize("tag", LATIN)
async def test_latin_documents_have_truetype_fonts_embedded_and_no_type_3(
    renderer: Renderer, tag: str
) -> None:
    kinds, names = set(), set()
    for font in find_fonts(await render(renderer, render_seed_sheet(tag, logo=build_logo()))):
        kinds.add(str(font.Subtype))
        names.add(str(font.BaseFont).partition("+")[2])
        if "/FontDescriptor" in font:
            assert "/FontFile2" in font.FontDescriptor
    assert (kinds, names) == ({"/Type0", "/CIDFontType2"}, {"Inter-Regular", "Inter-SemiBold"})


async def test_nine_scripts_in_one_invoice_lack_no_glyph_and_use_no_system_font(
    renderer: Renderer,
) -> None:
    sample = build_content()
    lines = tuple(
        msgspec.structs.replace(sample.lines[0], name=text, description=text) for text in SCRIPTS.values()
    )
    data = await render(
        renderer, render_pdf_html(build_document(msgspec.structs.replace(sample, lines=lines)), load_fonts())
    )
    names = set()
    for font in find_fonts(data):
        assert str(font.Subtype) != "/Type3"
        names.add(str(font.BaseFont).partition("+")[2])
        # Glyph 0 is the box that stands for a missing one; only what is used is mapped.
        assert not has_mapping(font, r"^<0000> ")
        assert not has_mapping(font, r" <0000>$")
    families = {name.partition("-")[0] for name in names}
    assert families == {
        "Inter",
        "NotoSansArabic",
        "NotoSansHebrewThin",
        "NotoSansDevanagari",
        "NotoSansThai",
        "NotoSansJPThin",
        "NotoSansKRThin",
        "NotoSansSCThin",
        "NotoEmoji",
    }
    with pypdfium2.PdfDocument(data) as pdf:
        text = "".join(page.get_textpage().get_text_range() for page in pdf)
    for script in ("Latin", "Greek", "Cyrillic", "CJK"):
        for word in SCRIPTS[script].replace(",", "").split():
            assert word in text, script


async def test_a_character_that_no_font_has_is_the_only_one_without_a_glyph(renderer: Renderer) -> None:
    """The control: a private character is shown as a missing glyph, and the search above finds it."""
    sample = build_content()
    lines = (msgspec.structs.replace(sample.lines[0], name="\ue123"),)
    data = await render(
        renderer, render_pdf_html(build_document(msgspec.structs.replace(sample, lines=lines)), load_fonts())
    )
    names = {str(font.get("/BaseFont", "/Type3")).partition("+")[2] for font in find_fonts(data)}
    is_missing = any(has_mapping(font, r"^<0000> ") for font in find_fonts(data))
    assert is_missing or names - {"Inter-Regular", "Inter-SemiBold"}


async def test_only_the_subsets_a_document_needs_are_inlined() -> None:
    latin, thai = load_fonts().build_inline_css("Invoice 1 / 2"), load_fonts().build_inline_css("Invoice ใบ")
    assert (latin.count("@font-face"), thai.count("@font-face")) == (2, 4)
    assert load_fonts().build_inline_css("") == ""


async def test_every_page_draws_only_tagged_content_and_artifacts(renderer: Renderer) -> None:
    data = await render(renderer, render_seed_sheet("lines-40", logo=build_logo()))
    paints = {"f", "F", "f*", "B", "B*", "b", "b*", "S", "s", "Do", "sh", "Tj", "TJ"}
    with pikepdf.open(io.BytesIO(data)) as pdf:
        assert len(pdf.pages) == 3
        for page in pdf.pages:
            depth, untagged, artifacts = 0, [], 0
            for instruction in pikepdf.parse_content_stream(page):
                name = str(instruction.operator)
                depth += (name in {"BDC", "BMC"}) - (name == "EMC")
                artifacts += name == "BMC" and str(instruction.operands[0]) == "/Artifact"
                if name in paints and depth == 0:
                    untagged.append(name)
            assert (untagged, depth) == ([], 0)
            assert artifacts >= 1


async def test_the_file_has_what_pdf_a_3_and_pdf_ua_require(renderer: Renderer) -> None:
    data = await render(renderer, render_seed_sheet("lines-3", logo=build_logo()))
    with pikepdf.open(io.BytesIO(data)) as pdf:
        root = pdf.Root
        assert (str(root.Lang), bool(root.MarkInfo.Marked)) == ("en", True)
        assert bool(root.ViewerPreferences.DisplayDocTitle)
        assert str(root.OutputIntents[0].S) == "/GTS_PDFA1"
        assert {str(page.obj.Tabs) for page in pdf.pages} == {"/S"}
        assert "/Encrypt" not in pdf.trailer
        xmp = root.Metadata.read_bytes().decode()
        elements = [
            each
            for each in pdf.objects
            if isinstance(each, pikepdf.Dictionary) and each.get("/Type") == "/StructElem"
        ]
        kinds = [str(each.S) for each in elements]
        pictures = [each for each in elements if str(each.S) == "/Figure"]
        heads = [each for each in elements if str(each.S) == "/TH"]
        assert [str(each.Alt) for each in pictures] == ["Acme & Co."]
        assert all("/Scope" in str(each.A.unparse()) for each in heads)
        levels = [int(kind[2]) for kind in kinds if kind in {"/H1", "/H2", "/H3"}]
        assert (levels[0], max(b - a for a, b in pairwise(levels))) == (1, 1)
        assert "/H3" not in kinds
        named = [str(each.ID) for each in elements if "/ID" in each]
        tree = list(root.StructTreeRoot.IDTree.Names)
        assert [str(name) for name in tree[::2]] == sorted(named)
    claims = ("<pdfaid:part>3<", "<pdfaid:conformance>A<", "<pdfuaid:part>1<")
    for text in (*claims, ">Invoice INV-1<", "2026-03-16T00:00:00"):
        assert text in xmp


async def test_the_page_size_is_that_of_the_senders_country(renderer: Renderer) -> None:
    with pikepdf.open(io.BytesIO(await render(renderer, render_seed_sheet("lines-3")))) as pdf:
        letter = [float(each) for each in pdf.pages[0].mediabox]
    with pikepdf.open(io.BytesIO(await render(renderer, render_seed_sheet("german")))) as pdf:
        a4 = [float(each) for each in pdf.pages[0].mediabox]
    assert letter == pytest.approx([0, 0, 612, 792], abs=0.5)
    assert a4 == pytest.approx([0, 0, 595.28, 841.89], abs=0.5)


async def test_an_attachment_is_in_the_file_with_its_relationship(renderer: Renderer) -> None:
    raw = await renderer.render(render_seed_sheet("lines-3"), owner=None, within_s=30)
    attached = Attachment("invoice.xml", "text/xml", b"<Invoice/>", "The invoice as data")
    data = postprocess(raw, replace(METADATA, attachments=(attached,)))
    assert data == postprocess(raw, replace(METADATA, attachments=(attached,)))
    with pikepdf.open(io.BytesIO(data)) as pdf:
        file = pdf.Root.AF[0]
        assert (str(file.AFRelationship), file.EF.F.read_bytes()) == ("/Data", b"<Invoice/>")
        assert list(pdf.attachments) == ["invoice.xml"]


async def test_postprocessing_halves_the_size(renderer: Renderer) -> None:
    raw = await renderer.render(render_seed_sheet("lines-40", logo=build_logo()), owner=None, within_s=30)
    assert len(postprocess(raw, METADATA)) <= len(raw) / 2


async def test_pikepdf_finds_no_syntax_error(renderer: Renderer) -> None:
    with pikepdf.open(
        io.BytesIO(await render(renderer, render_seed_sheet("lines-200", logo=build_logo())))
    ) as pdf:
        assert pdf.check_pdf_syntax() == []


@pytest.mark.parametrize("broken", [b"", b"%PDF-1.4\n", b"not a file at all"])
def test_output_that_is_no_tagged_pdf_is_an_error(broken: bytes) -> None:
    with pytest.raises(Unavailable) as caught:
        postprocess(broken, METADATA)
    assert caught.value.code == "pdf.not_tagged"
