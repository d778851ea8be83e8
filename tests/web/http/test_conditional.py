"""Conditional requests and ranges, as RFC 9110 has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.http.conditional import (
    ByteRange,
    PreconditionFailed,
    RangeNotSatisfiable,
    add_coding,
    find_byte_range,
    is_not_modified,
)

TAG = '"abc"'
SIZE = 1000

FindByteRange = Callable[..., ByteRange | None]
HasFile = Callable[..., bool]


@pytest.fixture(scope="session")
def byte_range(make_request: Any) -> FindByteRange:
    """The part of the file that a Range asks for: `byte_range(range, if_range=…)`."""

    def find(sent: str, *, method: str = "GET", **headers: str) -> ByteRange | None:
        return find_byte_range(make_request(method=method, range=sent, **headers), TAG, SIZE)

    return find


@pytest.fixture(scope="session")
def has_file(make_request: Any) -> HasFile:
    """Whether the client has the file already: `has_file(if_none_match=…)`."""
    return lambda **headers: is_not_modified(make_request(**headers), TAG)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=0-499", ByteRange(0, 500)),
        ("bytes=500-", ByteRange(500, 1000)),
        ("bytes=999-", ByteRange(999, 1000)),
        ("bytes=900-5000", ByteRange(900, 1000)),
        ("bytes=-100", ByteRange(900, 1000)),
        ("bytes=-5000", ByteRange(0, 1000)),
        ("Bytes= 1-2 ", ByteRange(1, 3)),
        # No range of RFC 9110, but werkzeug reads it, and there is one meaning that it can have.
        ("bytes=1 - 2", ByteRange(1, 3)),
    ],
)
def test_one_range_is_a_part(byte_range: FindByteRange, sent: str, expected: ByteRange) -> None:
    assert byte_range(sent) == expected


@pytest.mark.parametrize("sent", ["bytes=1000-", "bytes=1000-2000", f"bytes={'9' * 1000}-"])
def test_a_part_that_the_file_does_not_have_cannot_be_sent(byte_range: FindByteRange, sent: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        byte_range(sent)


@pytest.mark.parametrize(
    "sent",
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
        "bytes=+1-2",
        # The last 0 bytes: RFC 9110, 14.1.2 calls that unsatisfiable, werkzeug no range.
        "bytes=-0",
        # Thousands of digits are more than Python reads: the Range is ignored, as RFC 9110, 14.2 allows.
        f"bytes=0-{'9' * 5000}",
        f"bytes={'0' * 5000}1-2",
        f"bytes={'9' * 5000}-",
    ],
)
def test_what_is_no_single_range_asks_for_the_whole_file(byte_range: FindByteRange, sent: str) -> None:
    assert byte_range(sent) is None


def test_without_a_range_the_whole_file_is_asked_for(make_request: Any) -> None:
    assert find_byte_range(make_request(), TAG, SIZE) is None


def test_a_head_asks_for_no_part(byte_range: FindByteRange) -> None:
    # RFC 9110, 14.2: Range is defined for GET only.
    assert byte_range("bytes=0-9", method="HEAD") is None
    assert byte_range("bytes=1000-", method="HEAD") is None


@pytest.mark.parametrize(
    ("if_range", "expected"),
    [
        (TAG, ByteRange(0, 10)),
        (f" {TAG} ", ByteRange(0, 10)),
        ('"other"', None),
        (f"W/{TAG}", None),
        ("Mon, 16 Mar 2026 09:30:00 GMT", None),
        ("", None),
    ],
)
def test_a_part_of_another_state_is_never_sent(
    byte_range: FindByteRange, if_range: str, expected: ByteRange | None
) -> None:
    assert byte_range("bytes=0-9", if_range=if_range) == expected


@given(first=st.integers(0, 2000), last=st.integers(0, 2000))
def test_every_part_is_what_a_slice_would_be(byte_range: FindByteRange, first: int, last: int) -> None:
    try:
        found = byte_range(f"bytes={first}-{last}")
    except RangeNotSatisfiable:
        assert first >= SIZE
        assert last >= first
        return
    if found is None:
        assert last < first
    else:
        whole = range(SIZE)
        assert whole[found.start : found.end] == whole[first : last + 1]


@given(st.text() | st.text("bytes=0123456789-, ").map("bytes={}".format))
def test_no_header_breaks_the_reader(byte_range: FindByteRange, sent: str) -> None:
    try:
        found = byte_range(sent)
    except RangeNotSatisfiable:
        return
    assert found is None or 0 <= found.start < found.end <= SIZE


@given(st.text())
def test_no_condition_breaks_the_reader(has_file: HasFile, sent: str) -> None:
    assert has_file(if_none_match=sent) in {True, False}


@pytest.mark.parametrize(
    "tags",
    [
        TAG,
        f"W/{TAG}",
        "*",
        f'"x", {TAG}',
        f'"x",W/{TAG} , "y"',
        f'"a,b", {TAG}',
        # RFC 9110, 8.8.3 quotes tags; some clients do not.
        "abc",
        # The client has one coding of it.
        '"abc-gzip"',
        'W/"abc-br"',
    ],
)
def test_a_client_that_has_the_file_is_told_so(has_file: HasFile, tags: str) -> None:
    assert has_file(if_none_match=tags)


@pytest.mark.parametrize("tags", ["", '"x"', '"ABC"', 'W/"x", "y"', '"abc-zstd"'])
def test_a_client_that_has_another_file_is_sent_this_one(has_file: HasFile, tags: str) -> None:
    assert not has_file(if_none_match=tags)


def test_without_a_condition_the_file_is_sent(has_file: HasFile) -> None:
    assert not has_file()


@pytest.mark.parametrize("tags", ['"x"', f"W/{TAG}", ""])
def test_a_client_that_means_another_file_is_told_so(has_file: HasFile, tags: str) -> None:
    with pytest.raises(PreconditionFailed):
        has_file(if_match=tags)


@pytest.mark.parametrize("tags", ["*", TAG, f'"x", {TAG}'])
def test_a_client_that_means_this_file_is_sent_it(has_file: HasFile, tags: str) -> None:
    assert not has_file(if_match=tags)


def test_if_match_is_judged_first(has_file: HasFile) -> None:
    # RFC 9110, 13.2.2.
    with pytest.raises(PreconditionFailed):
        has_file(if_match='"x"', if_none_match=TAG)
    assert has_file(if_match=TAG, if_none_match=TAG)


@pytest.mark.parametrize(("coding", "expected"), [(None, TAG), ("gzip", '"abc-gzip"'), ("br", '"abc-br"')])
def test_each_coding_has_a_tag_of_its_own(coding: str | None, expected: str) -> None:
    assert add_coding(TAG, coding) == expected
