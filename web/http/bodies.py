"""The deadline and the media type of request bodies; Litestar's `request_max_body_size` bounds their size."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from litestar.exceptions import HTTPException
from litestar.status_codes import HTTP_408_REQUEST_TIMEOUT, HTTP_415_UNSUPPORTED_MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litestar.connection import ASGIConnection
    from litestar.datastructures import Headers
    from litestar.handlers.base import BaseRouteHandler
    from litestar.types import Receive
    from litestar.types.asgi_types import HTTPReceiveMessage, WebSocketReceiveMessage

    # Litestar's type of a guard.
    AnyConnection = ASGIConnection[Any, Any, Any, Any]
    Guard = Callable[[AnyConnection, BaseRouteHandler], Awaitable[None]]

DEADLINE_S: Final = 10.0
#: nginx's status for a request whose client has disconnected, in metrics and log. It is never sent.
CLIENT_CLOSED_REQUEST: Final = 499


class ClientDisconnected(Exception):
    """The client has closed the connection before it got a response."""


class BodyReader:
    """Receives the messages of one request; the body must arrive by a deadline."""

    __slots__ = ("_deadline_s", "_receive", "is_answered", "is_complete")

    def __init__(self, receive: Receive, deadline_s: float) -> None:
        """Give the body `deadline_s` seconds from now on."""
        self._receive = receive
        self._deadline_s = asyncio.get_running_loop().time() + deadline_s
        self.is_answered = False
        self.is_complete = False

    async def receive(self) -> HTTPReceiveMessage | WebSocketReceiveMessage:
        """Return the next message; HTTPException 408 after the deadline, ClientDisconnected within the body.

        Once the response has begun, the rest of the body is dropped.
        """
        if self.is_answered:
            return await self._wait_for_disconnect()
        if self.is_complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline_s):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(status_code=HTTP_408_REQUEST_TIMEOUT) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        self.is_complete = message["type"] != "http.request" or not message["more_body"]
        return message

    async def _wait_for_disconnect(self) -> HTTPReceiveMessage | WebSocketReceiveMessage:
        # Litestar's Stream receives while it sends, and recurses for each message other than a disconnect.
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return message


def has_body(headers: Headers) -> bool:
    """Tell whether a body follows the headers (RFC 9112, 6.3)."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def require_media_type(*accepted: str) -> Guard:
    """Return a guard that refuses bodies of other media types: HTTPException 415.

    Litestar decodes a body by what the handler declares, whatever its Content-Type says.
    """

    async def check_media_type(connection: AnyConnection, _handler: BaseRouteHandler) -> None:
        media_type = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in accepted:
            raise HTTPException(status_code=HTTP_415_UNSUPPORTED_MEDIA_TYPE)

    return check_media_type
