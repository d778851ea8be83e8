"""Compression: what clients accept, and pages whose tail is compressed once."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.http.compression import Tail, accepts, gzipped


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (b"", []),
        (b"gzip", ["gzip"]),
        (b"gzip, deflate, br, zstd", ["gzip", "br"]),
        (b"GZIP;q=0.5", ["gzip"]),
        (b"gzip;q=0", []),
        (b"gzip; q=0.000, br", ["br"]),
        (b"*", ["gzip", "br"]),
        (b"*;q=0", []),
        (b"*, gzip;q=0", ["br"]),
        (b"identity", []),
        (b"xgzip", []),
    ],
)
def test_a_coding_is_used_when_the_client_allows_it(header: bytes, wanted: list[str]) -> None:
    assert [coding for coding in ("gzip", "br") if accepts(header, coding)] == wanted


@given(st.binary(max_size=4000), st.binary(max_size=4000))
def test_a_head_and_a_kept_tail_are_one_gzip_member(head: bytes, tail: bytes) -> None:
    assert gzip.decompress(Tail.of(tail).after(head)) == head + tail


def test_a_large_page_survives_and_shrinks() -> None:
    body = b"<tr><td>Consulting</td><td>100.00</td></tr>" * 5000
    packed = Tail.of(body).after(b"<head nonce=x>")
    assert gzip.decompress(packed) == b"<head nonce=x>" + body
    assert len(packed) < len(body) // 50


def test_the_same_body_is_the_same_gzip() -> None:
    assert gzipped(b"data" * 1000) == gzipped(b"data" * 1000)
    assert gzip.decompress(gzipped(b"data" * 1000)) == b"data" * 1000
