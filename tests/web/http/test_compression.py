"""Compression: one gzip member, and the same bytes for the same body."""

import gzip

from web.http.compression import compress


def test_the_same_body_is_the_same_gzip() -> None:
    assert compress(b"data" * 1000) == compress(b"data" * 1000)
    assert gzip.decompress(compress(b"data" * 1000)) == b"data" * 1000


def test_a_gzip_tells_no_time() -> None:
    # RFC 1952, 2.3.1: MTIME.
    assert compress(b"data" * 1000)[4:8] == bytes(4)
