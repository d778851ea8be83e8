"""Names of files: what the customer reads, and nothing that a system or a header could take for something else."""

from __future__ import annotations

import re
from email.message import Message
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.http.content_disposition import LONGEST, clean_filename, format_content_disposition

# RFC 9110, 5.6.4, without anything that would need quoting; RFC 8187, 3.2.1.
_FORM = re.compile(
    r'(?:attachment|inline); filename="[ -!#-\[\]-~]+"'
    r"(?:; filename\*=UTF-8''(?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})+)?"
)


def value(stem: str, *, inline: bool = False) -> str:
    return format_content_disposition(stem, ".pdf", inline=inline)


def full_name(stem: str) -> str:
    """The name as a client that knows RFC 8187 stores it."""
    said = value(stem)
    extended = re.search(r"filename\*=UTF-8''(\S+)", said)
    if extended is not None:
        return unquote(extended[1])
    plain = re.search(r'filename="([^"]*)"', said)
    assert plain is not None
    return plain[1]


@pytest.mark.parametrize(
    ("stem", "plain", "full"),
    [
        ("Invoice INV-7 - Acme", "Invoice INV-7 - Acme.pdf", "Invoice INV-7 - Acme.pdf"),
        (
            "Rechnung 7 – Müller & Söhne",
            "Rechnung 7 - Muller & Sohne.pdf",
            "Rechnung 7 – Müller & Söhne.pdf",
        ),
        ("Invoice 7 – 東京電力", "Invoice 7.pdf", "Invoice 7 – 東京電力.pdf"),
        ("東京", "file.pdf", "東京.pdf"),
        ('a/b\\c:d*e?f"g<h>i|j%20', "a-b-c-d-e-f'g-h-i-j-20.pdf", "a-b-c-d-e-f'g-h-i-j-20.pdf"),
        ("7\r\nSet-Cookie: a=b", "7 Set-Cookie- a=b.pdf", "7 Set-Cookie- a=b.pdf"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}fdp.exe", "afdp.exe.pdf", "afdp.exe.pdf"),
        ("../../etc/passwd", "-..-etc-passwd.pdf", "-..-etc-passwd.pdf"),
        (". . .", "file.pdf", "file.pdf"),
        ("CON", "_CON.pdf", "_CON.pdf"),
        ("lpt1.x", "_lpt1.x.pdf", "_lpt1.x.pdf"),
        ("Contoso", "Contoso.pdf", "Contoso.pdf"),
        ("\N{FULLWIDTH SOLIDUS}\N{FULLWIDTH QUOTATION MARK}x", "-'x.pdf", "／＂x.pdf"),
    ],
)
def test_names_are_made_harmless(stem: str, plain: str, full: str) -> None:
    assert f'filename="{plain}"' in value(stem)
    assert full_name(stem) == full


def test_a_name_in_ascii_is_written_once() -> None:
    assert value("Invoice 7") == 'attachment; filename="Invoice 7.pdf"'
    assert value("Invoice 7", inline=True) == 'inline; filename="Invoice 7.pdf"'


def test_a_long_name_is_cut_between_characters() -> None:
    name = full_name("日" * 500)
    assert name == "日" * (LONGEST // 3) + ".pdf"
    assert full_name("x" * 500) == "x" * LONGEST + ".pdf"


@given(st.text(max_size=300))
def test_any_name_makes_a_header_and_a_file(stem: str) -> None:
    said = value(stem)
    assert _FORM.fullmatch(said), said
    name = full_name(stem)
    assert len(name.encode()) <= LONGEST + 4
    assert name.endswith(".pdf")
    assert not name.startswith((".", " "))
    assert not re.search(r'[/\\:*?"<>|%\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]', name)


@given(st.text(max_size=300))
def test_the_standard_library_reads_the_same_name(stem: str) -> None:
    message = Message()
    message["Content-Disposition"] = value(stem)
    assert message.get_filename() is not None
    assert message.get_content_disposition() == "attachment"


@given(st.text(max_size=300))
def test_what_is_safe_stays_as_it_is(text: str) -> None:
    assert clean_filename(clean_filename(text)) == clean_filename(text)
