"""What a client has already, and which part of a file it asks for (RFC 9110, 13 and 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from web.http.conditional import tags

if TYPE_CHECKING:
    from web.http.context import Headers

# One range only. Of several we send none but the whole file, as RFC 9110, 14.2 lets us: no viewer asks for
# them any more, and many small or overlapping ones would cost us much more than whoever asks (CVE-2011-3192).
_ONE: Final = re.compile(r"bytes=[ \t]*(\d*)-(\d*)[ \t]*", re.ASCII | re.IGNORECASE)
# More digits than any size has. Python refuses to read thousands of them.
_MOST_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` to before `end` of a file."""

    start: int
    end: int


class RangeUnmet(Exception):
    """The file has no such part: 416."""


class PreconditionFailed(Exception):
    """The file is not the one that the client means: 412."""


def is_known(headers: Headers, etag: str) -> bool:
    """Tell whether the client has the file already, by If-None-Match; raises PreconditionFailed by If-Match.

    In the order of RFC 9110, 13.2.2. There is no date to compare with, so that conditions by date say nothing.
    """
    meant = headers.get(b"if-match")
    if meant is not None and not {"*", etag} & set(tags(meant)):
        raise PreconditionFailed
    has = headers.get(b"if-none-match")
    return has is not None and bool({"*", etag} & {tag.removeprefix("W/") for tag in tags(has)})


def requested_span(headers: Headers, etag: str, size: int) -> Span | None:
    """Return the part that a GET asks for, None for all of it; raises RangeUnmet.

    What cannot be read asks for nothing, and so does a range of another state of the file (If-Range): a weak
    tag never matches there, and neither does a date, because the file has none.
    """
    asked = headers.get(b"range")
    if asked is None or headers.get(b"if-range", etag.encode()).strip() != etag.encode():
        return None
    matched = _ONE.fullmatch(asked.decode("latin-1").strip())
    if matched is None:
        return None
    first, last = matched.groups()
    if not first:
        return _suffix(last, size)
    start, end = _number(first), _number(last) + 1 if last else size
    if end <= start and last:
        return None
    if start >= size:
        raise RangeUnmet
    return Span(start, min(end, size))


def _suffix(digits: str, size: int) -> Span | None:
    if not digits:
        return None
    length = _number(digits)
    if not length:
        raise RangeUnmet
    return Span(max(0, size - length), size)


def _number(digits: str) -> int:
    significant = digits.lstrip("0")
    return int("9" * _MOST_DIGITS if len(significant) > _MOST_DIGITS else significant or "0")
