"""Refusals: which language, which form, and words for every status that can be answered."""

import pytest

from web.http.assets import Assets
from web.http.errors import _WORDS, SPOKEN, STATUS, Refusals, negotiated, prefers_json, retry_after
from web.http.templates import Templates, words


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (b"", "en"),
        (b"de", "de"),
        (b"de-CH, en;q=0.9", "de"),
        (b"en;q=0.5, de;q=0.6", "de"),
        (b"fr-FR, es", "en"),
        (b"de;q=0, en;q=0.1", "en"),
        (b"de;q=nonsense", "en"),
        (b"DE", "de"),
        (b"\xff\xfe;q=\x00", "en"),
        (b"," * 5000, "en"),
    ],
)
def test_a_refusal_is_in_the_language_that_is_wanted_most(header: bytes, language: str) -> None:
    assert negotiated(header) == language


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"", False),
        (b"*/*", False),
        (b"text/html,application/json;q=0.1", False),
        (b"application/json", True),
        (b"application/problem+json", True),
    ],
)
def test_who_asks_for_json_gets_it(header: bytes, *, expected: bool) -> None:
    assert prefers_json(header) is expected


def test_waiting_is_told_in_whole_seconds_and_never_none() -> None:
    assert [retry_after(seconds)[1] for seconds in (0, 0.2, 1, 1.2, 59.5)] == [b"1", b"1", b"1", b"2", b"60"]


def test_every_kind_of_error_has_words_in_every_language() -> None:
    refusals = Refusals(Templates(Assets.load()))
    assert set(STATUS.values()) <= set(_WORDS)
    for status, (_key, title, _text) in _WORDS.items():
        pages = [refusals.answer(status, {b"accept-language": tag.encode()}) for tag in SPOKEN]
        assert [page.status for page in pages] == [status] * len(SPOKEN)
        for tag, page in zip(SPOKEN, pages, strict=True):
            assert words(tag).gettext(title).replace("'", "&#39;") in page.body.decode()
        assert len({page.body for page in pages}) == len(SPOKEN)


def test_a_page_without_a_request_id_is_built_once() -> None:
    refusals = Refusals(Templates(Assets.load()))
    assert refusals.answer(404, {}).body is refusals.answer(404, {}, request_id="another").body
