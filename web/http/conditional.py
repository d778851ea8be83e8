"""Conditional requests and ranges: what a client has already, and which part it asks for (RFC 9110, 13 and 14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from werkzeug.http import parse_etags, parse_range_header

if TYPE_CHECKING:
    from web.http.context import GatewayRequest

IMMUTABLE: Final = "public, max-age=31536000, immutable"
REVALIDATE: Final = "no-cache"
# Only the client's own cache may store what a link opens, and it must revalidate each time.
PRIVATE_REVALIDATE: Final = "private, no-cache"
_CODINGS: Final = ("gzip", "br")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from `start` to before `end` of a file."""

    start: int
    end: int


class RangeNotSatisfiable(Exception):
    """The file has no such part: 416."""


class PreconditionFailed(Exception):
    """The file is not the one that If-Match names: 412."""


def add_coding(etag: str, coding: str | None) -> str:
    """Return the entity tag of one coding: a strong tag identifies bytes, and each coding has other bytes."""
    return etag if coding is None else f'{etag[:-1]}-{coding}"'


def is_not_modified(request: GatewayRequest, etag: str) -> bool:
    """Tell by If-None-Match whether the client has the representation; raises PreconditionFailed by If-Match.

    The order is that of RFC 9110, 13.2.2. No representation has a date, so conditions by date are ignored.
    If-None-Match compares weakly (13.1.2) and across codings: whichever coding the client has is current.
    """
    if_match, if_none_match = request.get_header("if-match"), request.get_header("if-none-match")
    plain = etag.strip('"')
    tags = (plain, *(f"{plain}-{coding}" for coding in _CODINGS))
    if if_match is not None and not any(map(parse_etags(if_match).contains, tags)):
        raise PreconditionFailed
    return if_none_match is not None and any(map(parse_etags(if_none_match).contains_weak, tags))


def find_byte_range(request: GatewayRequest, etag: str, size: int) -> ByteRange | None:
    """Return the part that a GET asks for, None for all of it; raises RangeNotSatisfiable.

    A range that cannot be parsed is ignored, and so is one whose If-Range names another state of the file: a weak
    tag never matches there, and neither does a date, because the file has none. Several ranges get the whole file
    (RFC 9110, 14.2): many small or overlapping ones cost the server more than the client (CVE-2011-3192).
    """
    if_range = request.get_header("if-range")
    if request.is_head or (if_range is not None and if_range.strip() != etag):
        return None
    found = parse_range_header(request.get_header("range"))
    if found is None or found.units != "bytes" or len(found.ranges) != 1:
        return None
    start, end = found.ranges[0]
    # Range.range_for_length is not used: it refuses a suffix longer than the file, which RFC 9110, 14.1.2 allows.
    start = max(0, size + start) if start < 0 else start
    if start >= size:
        raise RangeNotSatisfiable
    return ByteRange(start, size if end is None else min(end, size))
