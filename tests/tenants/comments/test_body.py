"""The text of comments: cleaned, limited, and nothing in it but text and safe links."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Invalid
from tenants.comments.body import (
    Link,
    Text,
    check_client_id,
    clean_author_name,
    clean_body,
    split_links,
)
from tenants.comments.values import MAX_LENGTH
from tests.fakes.xss_vectors import VECTORS


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("  Hello,\r\n\r\nAna  \n", "Hello,\n\nAna"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("pay \u202eDNUFER\u202c now", "pay DNUFER now"),
        ("a\x00b\x1b[31mc\x07", "ab[31mc"),
        ("\u200bhidden\ufeff", "hidden"),
        ("\u200fשלום\u200f", "שלום"),
        ("👩\u200d👧 ok", "👩\u200d👧 ok"),
    ],
    ids=["lines", "nfc", "bidi", "control", "invisible", "marks", "emoji"],
)
def test_a_text_is_stored_in_one_form(written: str, stored: str) -> None:
    assert clean_body(written) == stored


@given(st.text(max_size=200).map("x".__add__))
def test_a_stored_text_has_nothing_invisible_and_is_stored_again_as_it_is(written: str) -> None:
    body = clean_body(written)
    assert clean_body(body) == body
    assert unicodedata.is_normalized("NFC", body)
    assert not any(unicodedata.category(each) == "Cc" and each != "\n" for each in body)


@pytest.mark.parametrize("length", [1, MAX_LENGTH])
def test_a_comment_may_be_as_long_as_the_limit(length: int) -> None:
    # Two units of UTF-16 each, one character.
    assert clean_body("🙂" * length) == "🙂" * length


def test_a_comment_that_is_longer_is_refused_with_its_length() -> None:
    with pytest.raises(Invalid) as caught:
        clean_body("x" * (MAX_LENGTH + 3))
    assert (caught.value.code, caught.value.data) == ("comment.too_long", {"length": 4003, "most": 4000})


@pytest.mark.parametrize("text", ["", " \n\t ", "\u200b\u2060", "\u202e"])
def test_a_comment_without_anything_to_read_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"comment\.empty"):
        clean_body(text)


@pytest.mark.parametrize("name", ["", " \n ", "\u202e", "x" * 201])
def test_a_name_without_anything_to_read_or_without_end_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match=r"comment\.name"):
        clean_author_name(name)


def test_a_name_is_one_line() -> None:
    assert clean_author_name(" Ana\r\nBcc: all@example.com ") == "Ana Bcc: all@example.com"


@pytest.mark.parametrize("client_id", ["", "short", "x" * 65, "with space", "a\nb-c-d-e-f", "ümläute-"])
def test_a_client_id_of_another_form_is_refused(client_id: str) -> None:
    with pytest.raises(Invalid, match=r"comment\.client_id"):
        check_client_id(client_id)


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("No link", (Text("No link"),)),
        ("https://a.example", (Link("https://a.example/", "https://a.example"),)),
        (
            "See https://a.example/x?y=1&z=2, please.",
            (
                Text("See "),
                Link("https://a.example/x?y=1&z=2", "https://a.example/x?y=1&z=2"),
                Text(", please."),
            ),
        ),
        (
            "(https://a.example/wiki/Tax_(law))",
            (
                Text("("),
                Link("https://a.example/wiki/Tax_(law)", "https://a.example/wiki/Tax_(law)"),
                Text(")"),
            ),
        ),
        (
            "http://a.example/p#part-2!",
            (Link("http://a.example/p#part-2", "http://a.example/p#part-2"), Text("!")),
        ),
        (
            "見て：https://a.example/日本。次",
            (
                Text("見て："),
                Link("https://a.example/%E6%97%A5%E6%9C%AC", "https://a.example/日本"),
                Text("。次"),
            ),
        ),
        (
            "<https://a.example>",
            (Text("<"), Link("https://a.example/", "https://a.example"), Text(">")),
        ),
        (
            "one\nhttps://a.example\ntwo",
            (Text("one\n"), Link("https://a.example/", "https://a.example"), Text("\ntwo")),
        ),
    ],
)
def test_addresses_of_the_web_become_links(body: str, parts: tuple[Text | Link, ...]) -> None:
    assert split_links(body) == parts


def test_a_host_that_imitates_another_is_shown_as_it_is_encoded() -> None:
    (link,) = split_links("https://аcme.example/pay")
    assert link == Link("https://xn--cme-5cd.example/pay", "https://xn--cme-5cd.example/pay")


@pytest.mark.parametrize(
    "body",
    [
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:msgbox(1)",
        "https://",
        "https://acme.example@evil.example/",
        "https://user:password@evil.example/",
        "https://exa mple.com".replace(" ", "_%"),
        "https://a.example:port/",
        "ftp://a.example/",
        "//a.example/x",
        "mailto:ana@buyer.example",
        "javascript://a.example/%0aalert(1)",
        "xhttps://a.example/",
    ],
)
def test_other_addresses_stay_text(body: str) -> None:
    assert split_links(body) == (Text(body),)


@pytest.mark.parametrize("vector", VECTORS)
def test_markup_stays_text_and_no_link_can_run_a_script(vector: str) -> None:
    body = clean_body(vector)
    parts = split_links(body)
    assert "".join(part.text for part in parts) == body
    for part in parts:
        if isinstance(part, Link):
            assert part.href.startswith(("http://", "https://"))
            assert part.href.isascii()
            assert not set("<>\"'` ") & set(part.href.replace("'", ""))


@given(st.text(alphabet="hHtps:/.@#?()[]a1ü。<>\"' \n", max_size=60).map("https://a".__add__))
def test_the_parts_of_a_text_are_all_of_it(body: str) -> None:
    parts = split_links(body)
    for part in parts:
        if isinstance(part, Link):
            assert part.href.isascii()
            assert part.href.startswith(("http://", "https://"))
    if body.isascii():
        assert "".join(part.text for part in parts) == body
