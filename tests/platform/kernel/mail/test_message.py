"""A message is what every mail program reads alike, whatever its texts hold."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from email.utils import getaddresses
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Invalid
from kernel.mail import OutgoingMail, build_message_id, compose
from kernel.text import clean_line

NOW = datetime(2026, 3, 16, 9, 30, tzinfo=UTC)
SENDER = "no-reply@portal.example"
MAIL = OutgoingMail(
    purpose="invoice",
    message_id="job.1@acme.portal.example",
    to="ana@buyer.example",
    subject="Invoice 7",
    html="<p>Hello</p>",
    text="Hello\n",
)
texts = st.text(max_size=300)
hostile = st.one_of(
    texts,
    st.lists(
        st.sampled_from(
            [
                "\r\n",
                "\n",
                "\r",
                "\x00",
                "Bcc: eve@evil.example",
                "=?utf-8?q?x?=",
                '"',
                "<",
                ">",
                ",",
                "\\",
                "ü",
                "日",
                "\u202e",
            ]
        )
    ).map("".join),
)


def headers(message: bytes) -> list[tuple[str, str]]:
    """Return the raw headers, unfolded."""
    head = message.partition(b"\r\n\r\n")[0].decode("ascii")
    lines = re.sub(r"\r\n(?=[ \t])", "", head).split("\r\n")
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def header(message: bytes, name: str) -> str:
    """Return one header, decoded as RFC 2047 says."""
    (value,) = [value for each, value in headers(message) if each == name]
    return str(make_header(decode_header(value)))


@given(subject=hostile, name=hostile, sender=hostile)
def test_no_text_adds_a_header_or_changes_an_address(subject: str, name: str, sender: str) -> None:
    message = compose(
        replace(MAIL, subject=subject, to_name=name, sender_name=sender), sender=SENDER, now=NOW
    )
    assert [name for name, _ in headers(message)] == [
        "Content-Type",
        "MIME-Version",
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
    ]
    for field, address in (("From", SENDER), ("To", MAIL.to)):
        (raw,) = [value for each, value in headers(message) if each == field]
        assert [found for _, found in getaddresses([raw])] == [address]


@given(subject=hostile, name=hostile)
def test_subject_and_names_are_read_as_they_were_written(subject: str, name: str) -> None:
    message = compose(replace(MAIL, subject=subject, to_name=name), sender=SENDER, now=NOW)
    assert header(message, "Subject") == clean_line(subject)[:200].strip()
    assert header(message, "To").removesuffix("<ana@buyer.example>").strip() in {
        clean_line(name)[:200].strip(),
        "ana@buyer.example",
    }


@given(text=st.text(max_size=400), html=st.text(max_size=400))
def test_both_texts_arrive_and_every_line_is_short_ascii(text: str, html: str) -> None:
    message = compose(replace(MAIL, text=text, html=html), sender=SENDER, now=NOW)
    assert max(map(len, message.split(b"\r\n"))) <= 998
    assert message.isascii()
    assert b"\n" not in message.replace(b"\r\n", b"")
    parsed = message_from_bytes(message, policy=default)
    assert parsed.get_content_type() == "multipart/alternative"
    parts = list(parsed.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert [part["Content-Transfer-Encoding"] for part in parts] == ["quoted-printable"] * 2
    assert [_read(part.get_content()) for part in parts] == [_read(text), _read(html)]


def _read(text: str) -> str:
    """Return a text with the line ends of mail, and without what has no UTF-8."""
    lines = text.encode("utf-8", "replace").decode()
    return re.sub(r"\r\n|\r|\n", "\n", lines)


def test_a_long_word_is_broken_by_the_encoding_alone() -> None:
    message = compose(replace(MAIL, text="w" * 5000, html="<p>" + "ä" * 5000), sender=SENDER, now=NOW)
    assert max(map(len, message.split(b"\r\n"))) <= 78
    parts = list(message_from_bytes(message, policy=default).iter_parts())
    assert parts[0].get_content().strip() == "w" * 5000
    assert parts[1].get_content().strip() == "<p>" + "ä" * 5000


def test_what_identifies_a_mail_and_its_thread_is_in_its_headers() -> None:
    thread = build_message_id("invoice", UUID(int=7), "acme.portal.example")
    url = "https://acme.portal.example/mute/" + "a" * 300
    mail = replace(MAIL, thread_id=thread, unsubscribe_url=url, reply_to="billing@acme.example")
    found = dict(headers(compose(mail, sender=SENDER, now=NOW)))
    assert found["Date"] == "Mon, 16 Mar 2026 09:30:00 +0000"
    assert found["Message-ID"] == "<job.1@acme.portal.example>"
    assert found["In-Reply-To"] == found["References"] == f"<{thread}>"
    assert found["Reply-To"] == "billing@acme.example"
    assert found["List-Unsubscribe"] == f"<{url}>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert found["Auto-Submitted"] == "auto-generated"


def test_two_attempts_at_a_mail_are_the_same_bytes() -> None:
    assert compose(MAIL, sender=SENDER, now=NOW) == compose(MAIL, sender=SENDER, now=NOW)


@pytest.mark.parametrize(
    "address",
    [
        "ana",
        "ana@buyer.example\r\nBcc: eve@evil.example",
        "ana@buyer.example, eve@evil.example",
        "<ana@buyer.example>",
        "jürgen@buyer.example",
        "",
    ],
)
def test_what_is_no_single_ascii_address_is_refused(address: str) -> None:
    with pytest.raises(Invalid):
        compose(replace(MAIL, to=address), sender=SENDER, now=NOW)
