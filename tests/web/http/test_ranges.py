"""Parts of files and conditions on them, as RFC 9110 has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.http.ranges import PreconditionFailed, RangeUnmet, Span, is_known, requested_span

TAG = '"abc"'
SIZE = 1000


def span(asked: str, **headers: str) -> Span | None:
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return requested_span({b"range": asked.encode(), **named}, TAG, SIZE)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=0-499", Span(0, 500)),
        ("bytes=500-", Span(500, 1000)),
        ("bytes=999-", Span(999, 1000)),
        ("bytes=900-5000", Span(900, 1000)),
        ("bytes=-100", Span(900, 1000)),
        ("bytes=-5000", Span(0, 1000)),
        (f"bytes=0-{'9' * 5000}", Span(0, 1000)),
        (f"bytes={'0' * 5000}1-2", Span(1, 3)),
        ("Bytes= 1-2 ", Span(1, 3)),
    ],
)
def test_one_range_is_a_part(asked: str, expected: Span) -> None:
    assert span(asked) == expected


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=1000-2000", "bytes=-0", f"bytes={'9' * 5000}-"])
def test_a_part_that_is_not_there_is_unmet(asked: str) -> None:
    with pytest.raises(RangeUnmet):
        span(asked)


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=2-1",
        "bytes=1-2,4-5",
        "bytes=1-2, 1-2",
        "pages=1-2",
        "bytes=１-２",
        "bytes=1 - 2",
        "bytes=+1-2",
    ],
)
def test_what_is_no_single_range_asks_for_nothing(asked: str) -> None:
    assert span(asked) is None


def test_without_a_range_all_is_asked_for() -> None:
    assert requested_span({}, TAG, SIZE) is None


@pytest.mark.parametrize(
    ("if_range", "expected"),
    [
        (TAG, Span(0, 10)),
        (f" {TAG} ", Span(0, 10)),
        ('"other"', None),
        (f"W/{TAG}", None),
        ("Mon, 16 Mar 2026 09:30:00 GMT", None),
        ("", None),
    ],
)
def test_a_part_of_another_state_is_never_sent(if_range: str, expected: Span | None) -> None:
    assert span("bytes=0-9", if_range=if_range) == expected


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_every_part_is_what_a_slice_would_be(first: int, last: int) -> None:
    try:
        found = span(f"bytes={first}-{last}")
    except RangeUnmet:
        assert first >= SIZE
        assert last >= first
        return
    if found is None:
        assert last < first
    else:
        whole = range(SIZE)
        assert whole[found.start : found.end] == whole[first : last + 1]


@given(st.text())
def test_no_header_breaks_the_reader(asked: str) -> None:
    try:
        found = requested_span({b"range": asked.encode(errors="replace")}, TAG, SIZE)
    except RangeUnmet:
        return
    assert found is None or 0 <= found.start < found.end <= SIZE


def known(**headers: str) -> bool:
    return is_known({name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}, TAG)


@pytest.mark.parametrize("tags", [TAG, f"W/{TAG}", "*", f'"x", {TAG}', f'"x",W/{TAG} , "y"', f'"a,b", {TAG}'])
def test_who_has_the_file_is_known(tags: str) -> None:
    assert known(if_none_match=tags)


@pytest.mark.parametrize("tags", ["", '"x"', "abc", '"ABC"', 'W/"x", "y"'])
def test_who_has_another_is_not(tags: str) -> None:
    assert not known(if_none_match=tags)


@pytest.mark.parametrize("tags", ['"x"', f"W/{TAG}", ""])
def test_who_means_another_is_told(tags: str) -> None:
    with pytest.raises(PreconditionFailed):
        known(if_match=tags)


@pytest.mark.parametrize("tags", ["*", TAG, f'"x", {TAG}'])
def test_who_means_this_one_gets_it(tags: str) -> None:
    assert not known(if_match=tags)
