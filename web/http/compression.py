"""Compresses whole bodies to one gzip member; equal bodies give equal bytes."""

from __future__ import annotations

import gzip
from typing import Final

SMALLEST: Final = 860  # bytes; a smaller body fits into one packet, compressed or not


def compress(body: bytes, level: int = 6) -> bytes:
    """Return `body` as one gzip member without a time."""
    return gzip.compress(body, level, mtime=0)
