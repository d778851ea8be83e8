"""Compressed answers: what the client accepts, and pages whose cached part is compressed only once."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

SMALLEST: Final = 860  # bytes; below it the saving is less than the packet it travels in
_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # RFC 1952: deflate, no time, unknown system
_RAW: Final = -zlib.MAX_WBITS
_ZERO: Final = re.compile(r"0(?:\.0{0,3})?\Z")


@lru_cache(maxsize=256)
def accepts(header: bytes, coding: str) -> bool:
    """Tell whether an Accept-Encoding header allows `coding` (RFC 9110, 12.5.3): "q=0" forbids it."""
    quality: dict[str, bool] = {}
    for part in header.decode("latin-1").lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weights = [each[2:].strip() for each in parameters if each.startswith("q=")]
        quality[name] = not (weights and _ZERO.match(weights[0]))
    return quality.get(coding, quality.get("*", False))


def gzipped(body: bytes, level: int = 6) -> bytes:
    """Return `body` as one gzip member with no time in it: the same bytes for the same body."""
    return Tail.of(body, level).after(b"")


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a page that stays the same, kept plain and deflated.

    Only the head of a page differs from one answer to the next (by its nonce). It is deflated alone and
    flushed to a byte boundary, and the blocks kept here follow it: one valid gzip member, for little work.
    """

    plain: bytes
    deflated: bytes

    @classmethod
    def of(cls, plain: bytes, level: int = 9) -> Tail:
        """Deflate `plain` for any number of later answers."""
        packer = zlib.compressobj(level, zlib.DEFLATED, _RAW)
        return cls(plain, packer.compress(plain) + packer.flush())

    def after(self, head: bytes) -> bytes:
        """Return the gzip member of `head` followed by this tail."""
        packer = zlib.compressobj(1, zlib.DEFLATED, _RAW)
        start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
        checksum = zlib.crc32(self.plain, zlib.crc32(head))
        size = (len(head) + len(self.plain)) & 0xFFFFFFFF
        return b"".join((_HEADER, start, self.deflated, struct.pack("<II", checksum, size)))
