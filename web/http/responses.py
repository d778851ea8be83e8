"""Responses of any size: a body larger than `PIECE` is sent in pieces, as fast as the client reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from litestar import Response
from litestar.response import Stream

from web.http.conditional import PreconditionFailed, add_coding, is_not_modified

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from litestar.datastructures import Cookie

    from web.http.context import GatewayRequest

# Bytes. A slow client holds about two pieces in memory, however large the body is.
PIECE: Final = 128 * 1024

Body = Response[bytes] | Stream


def respond(
    parts: Sequence[bytes],
    *,
    media_type: str,
    headers: Mapping[str, str],
    cookies: Sequence[Cookie] = (),
    status_code: int = 200,
) -> Body:
    """Return the response whose body is `parts`, one after the other."""
    size = sum(map(len, parts))
    if size <= PIECE:
        return Response(
            b"".join(parts), media_type=media_type, headers=headers, cookies=cookies, status_code=status_code
        )
    return Stream(
        _split(parts),
        media_type=media_type,
        headers={**headers, "content-length": str(size)},
        cookies=cookies,
        status_code=status_code,
    )


def answer_conditions(
    request: GatewayRequest, etag: str, cache_control: str, coding: str | None = None
) -> Response[bytes] | None:
    """Return 304 when the client has the representation already, 412 when If-Match names another one, else None."""
    try:
        if not is_not_modified(request, etag):
            return None
        status = 304
    except PreconditionFailed:
        status = 412
    return Response(
        b"",
        status_code=status,
        headers=build_validators(etag, cache_control, coding),
        media_type="text/plain",
    )


def build_validators(etag: str, cache_control: str, coding: str | None = None) -> dict[str, str]:
    """Return the headers for caching and revalidation: the ETag of a coding, Cache-Control and Vary."""
    return {"etag": add_coding(etag, coding), "cache-control": cache_control, "vary": "accept-encoding"}


async def _split(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    waiting = b""
    for part in parts:
        for start in range(0, len(part), PIECE):
            piece = part[start : start + PIECE]
            if len(waiting) + len(piece) > PIECE:
                yield waiting
                waiting = piece
            else:
                waiting += piece
    if waiting:
        yield waiting
