"""Content negotiation: coding, language and media type, and caches that no header fills."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.http import negotiation
from web.http.negotiation import accepts_coding, negotiate_language, prefers_json, prefers_page


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, []),
        ("", []),
        ("gzip", ["gzip"]),
        ("gzip, deflate, br, zstd", ["gzip", "br"]),
        ("GZIP;q=0.5", ["gzip"]),
        ("gzip;q=0", []),
        ("gzip; q=0.000, br", ["br"]),
        ("*", ["gzip", "br"]),
        ("*;q=0", []),
        ("*, gzip;q=0", ["br"]),
        ("identity", []),
        ("xgzip", []),
    ],
)
def test_a_coding_is_used_when_the_client_allows_it(header: str | None, wanted: list[str]) -> None:
    assert [coding for coding in ("gzip", "br") if accepts_coding(header, coding)] == wanted


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("de-CH, en;q=0.9", "de"),
        ("en;q=0.5, de;q=0.6", "de"),
        ("fr-FR, es", "en"),
        ("de;q=0, en;q=0.1", "en"),
        ("de;q=nonsense", "en"),
        ("DE", "de"),
        ("\xff\xfe;q=\x00", "en"),
        ("," * 5000, "en"),
    ],
)
def test_an_error_is_in_the_language_that_is_wanted_most(header: str | None, language: str) -> None:
    assert negotiate_language(header) == language


@pytest.mark.parametrize(
    ("header", "is_json", "is_page"),
    [
        (None, False, False),
        ("", False, False),
        ("*/*", False, False),
        ("text/html,application/json;q=0.1", False, True),
        ("application/json", True, False),
        ("application/problem+json", True, False),
        ("text/html;q=0, application/json", True, False),
        ("application/json;q=0", False, False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False, True),
        ("APPLICATION/JSON", True, False),
    ],
)
def test_a_program_gets_json_and_a_browser_gets_a_page(
    header: str | None, *, is_json: bool, is_page: bool
) -> None:
    assert (prefers_json(header), prefers_page(header)) == (is_json, is_page)


@given(st.text())
def test_no_header_breaks_the_readers(header: str) -> None:
    sent = header.encode(errors="replace").decode("latin-1")
    assert accepts_coding(sent, "gzip") in {True, False}
    assert negotiate_language(sent) in negotiation.LANGUAGES
    assert not (prefers_json(sent) and prefers_page(sent))


@pytest.mark.parametrize(
    ("read", "cache"),
    [
        (lambda header: accepts_coding(header, "gzip"), negotiation._accepts_coding),
        (negotiate_language, negotiation._negotiate_language),
        (prefers_json, negotiation._find_named_types),
        (prefers_page, negotiation._find_named_types),
    ],
)
def test_headers_of_30_kb_are_cut_before_they_are_cached(read: object, cache: object) -> None:
    assert callable(read)
    assert isinstance(cache, negotiation._accepts_coding.__class__)
    cache.cache_clear()
    start = "x" * 512
    for number in range(1000):
        # Alike in what is kept of them: so they are one entry, and their ends are in no key.
        read(start + f"{number}," + "y" * 30_000)
    assert (cache.cache_info().currsize, cache.cache_info().misses) == (1, 1)
    for number in range(1000):
        read(f"{number}," + "y" * 30_000)
    assert cache.cache_info().currsize == cache.cache_info().maxsize == 256
