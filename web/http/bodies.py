"""Request bodies: read whole before anything is decided, within a size and a time, chunked ones too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from web.http.context import Headers

LARGEST: Final = 64 * 1024
DEADLINE_S: Final = 10.0


class BodyTooLarge(Exception):
    """More bytes were announced or sent than this gateway takes."""


class BodyTooSlow(Exception):
    """The body was not here within the deadline."""


class ClientGone(Exception):
    """The client hung up before its body was whole: there is nobody to answer."""


def has_body(headers: Headers) -> bool:
    """Tell whether a body follows the headers (RFC 9112, 6.3)."""
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


async def whole_body(
    headers: Headers,
    receive: Callable[[], Awaitable[Any]],
    *,
    largest: int = LARGEST,
    deadline_s: float = DEADLINE_S,
) -> Callable[[], Awaitable[Any]]:
    """Read the body and return a `receive` that gives it out again; raises BodyTooLarge, BodyTooSlow, ClientGone."""
    announced = headers.get(b"content-length", b"0")
    if not announced.isdigit() or len(announced) > 19 or int(announced) > largest:
        raise BodyTooLarge
    try:
        async with asyncio.timeout(deadline_s):
            body = await _read(receive, largest)
    except TimeoutError:
        raise BodyTooSlow from None
    given = False

    async def again() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _read(receive: Callable[[], Awaitable[Any]], largest: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > largest:
            raise BodyTooLarge
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
