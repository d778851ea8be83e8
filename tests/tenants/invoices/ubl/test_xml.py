"""Hostile documents end in a refusal: quickly, and with nothing fetched or unfolded."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tenants.invoices.ubl import UblRefused, parse
from tenants.invoices.ubl.xml import INVOICE, MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, parse_root
from tests.fakes.ubl_writer import append_elements, read_published

ROOT = f'<Invoice xmlns="{INVOICE}">'


def refusal(document: bytes) -> str:
    with pytest.raises(UblRefused) as refused:
        parse(document)
    return str(refused.value.data["rule"])


def after_declaration(more: str) -> bytes:
    """Put something between the XML declaration and the root of an otherwise good invoice."""
    declaration, rest = read_published("01.18a").split(b"?>", 1)
    return declaration + b"?>" + more.encode() + rest


@pytest.mark.parametrize(
    "definition",
    [
        "<!DOCTYPE ubl:Invoice>",
        '<!DOCTYPE ubl:Invoice SYSTEM "http://127.0.0.1:1/invoice.dtd">',
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x [<!ENTITY % out SYSTEM "http://127.0.0.1:1/x"> %out;]>',
    ],
)
def test_a_document_type_definition_is_refused(definition: str) -> None:
    assert refusal(after_declaration(definition)) == "PORTAL-XML"


def test_a_billion_laughs_are_refused_before_the_first() -> None:
    entities = '<!ENTITY l0 "lol">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    document = f"<!DOCTYPE Invoice [{entities}]>{ROOT}&l9;</Invoice>".encode()

    begun = time.monotonic()
    assert refusal(document) == "PORTAL-XML"
    assert time.monotonic() - begun < 1


def test_a_file_of_ours_never_comes_in(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not read", encoding="utf-8")
    document = f'<!DOCTYPE Invoice [<!ENTITY x SYSTEM "{secret.as_uri()}">]>{ROOT}&x;</Invoice>'.encode()

    with pytest.raises(UblRefused) as refused:
        parse(document)

    assert "do not read" not in str(refused.value)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"   ",
        b"\x00",
        b"{}",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"<Invoice>",
        b"<a/><b/>",
        b"<ubl:Invoice/>",
        f"{ROOT}&undefined;</Invoice>".encode(),
        f"{ROOT}&#0;</Invoice>".encode(),
        f"{ROOT}&#xD800;</Invoice>".encode(),
        f"{ROOT}\x08</Invoice>".encode(),
        f"{ROOT}\xe9</Invoice>".encode("latin-1"),
        f'<?xml version="1.0" encoding="klingon"?>{ROOT}</Invoice>'.encode(),
        f'<?xml version="1.0" encoding="shift_jis"?>{ROOT}日本</Invoice>'.encode("shift_jis"),
        f'<?xml version="1.0" encoding="utf-7"?>{ROOT}+2AA-</Invoice>'.encode(),
        read_published("01.18a")[:-40],
        read_published("01.18a") + b"<more/>",
    ],
)
def test_what_is_not_well_formed_is_refused(document: bytes) -> None:
    assert refusal(document) in {"PORTAL-XML", "BR-05"}


@pytest.mark.parametrize(
    "document",
    [
        b"<Invoice/>",
        b'<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-1"/>',
        b'<Order xmlns="urn:oasis:names:specification:ubl:schema:xsd:Order-2"/>',
        f'<x:invoice xmlns:x="{INVOICE}"/>'.encode(),
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    ],
)
def test_another_root_is_refused(document: bytes) -> None:
    assert refusal(document) == "PORTAL-ROOT"


def test_a_credit_note_is_called_one() -> None:
    document = (
        read_published("01.18a")
        .replace(b"ubl:Invoice", b"ubl:CreditNote")
        .replace(b"Invoice-2", b"CreditNote-2")
    )

    with pytest.raises(UblRefused) as refused:
        parse(document)

    assert refused.value.message == "The document is a credit note. (PORTAL-ROOT)"


def test_depth_is_bounded_wherever_it_is() -> None:
    def nested(levels: int) -> str:
        return "<cac:Deep>" * levels + "</cac:Deep>" * levels

    assert parse(append_elements(read_published("01.18a"), ".", nested(MAX_DEPTH - 1))).number == "PRG1502112"
    assert refusal(append_elements(read_published("01.18a"), ".", nested(MAX_DEPTH))) == "PORTAL-SIZE"
    assert refusal(ROOT.encode() + b"<a>" * 1_000_000) == "PORTAL-SIZE"


def test_the_number_of_elements_is_bounded() -> None:
    document = ROOT.encode() + b"<a/>" * MAX_ELEMENTS + b"</Invoice>"
    assert refusal(document) == "PORTAL-SIZE"


def test_the_size_is_bounded_before_anything_is_read() -> None:
    begun = time.monotonic()
    assert refusal(b"<" * (MAX_BYTES + 1)) == "PORTAL-SIZE"
    assert time.monotonic() - begun < 1


def test_a_large_attachment_is_read_past() -> None:
    document = read_published("01.18a").replace(
        b"<cac:AccountingSupplierParty>",
        b"<cac:AdditionalDocumentReference><cbc:ID>A-1</cbc:ID><cac:Attachment>"
        b'<cbc:EmbeddedDocumentBinaryObject filename="plan.pdf">'
        + b"QUJD"
        * 1_000_000
        + b"</cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference>"
        b"<cac:AccountingSupplierParty>",
    )

    [attachment] = parse(document).content.attachments
    embedded = parse_root(document).require(
        "cac:AdditionalDocumentReference/cac:Attachment/cbc:EmbeddedDocumentBinaryObject", "none"
    )

    assert embedded.element.text is None
    assert (attachment.identifier, attachment.filename) == ("A-1", "plan.pdf")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_other_encodings_of_the_same_invoice_are_read_alike(encoding: str) -> None:
    text = (
        read_published("01.18a")
        .decode()
        .replace('encoding="UTF-8"', 'encoding="UTF-16"' if "16" in encoding else "")
    )
    assert parse(text.encode(encoding)) == parse(read_published("01.18a"))


def test_comments_and_instructions_change_nothing() -> None:
    document = read_published("01.18a").replace(
        b"<cbc:IssueDate>2015-04-24<", b"<?x y?><cbc:IssueDate>2015<!-- 2016 -->-04-<![CDATA[24]]><"
    )
    assert parse(document) == parse(read_published("01.18a"))
