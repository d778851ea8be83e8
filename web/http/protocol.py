"""The connection before there is a request: how many, how long, how large; uvicorn has no such bounds."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from asyncio import BaseTransport, TimerHandle
    from collections.abc import Callable

    from web.http.security import Header


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one connection may take; times in seconds, sizes in bytes."""

    connections: int = 900
    """Below the 1,024 open files that many systems allow a process."""
    head_s: float = 10.0
    """From the first byte, or from the connection's beginning, to a complete head."""
    drain_s: float = 60.0
    """How long a client may take to read what does not fit into the buffers."""
    head_bytes: int = 32 * 1024
    headers: int = 100
    target_bytes: int = 16 * 1024


BOUNDS: Final = Bounds()


class HeadRefusedError(Exception):
    """Ends the parsing of a head; the parser passes it on as an error of its own."""


class Doorkeeper(HttpToolsProtocol):
    """Uvicorn's protocol with bounds; what it refuses never becomes a request of the application.

    Uvicorn logs a warning for each malformed request, at the client's will and without end: here they are
    only counted, by `refused`.
    """

    def __init__(
        self,
        *args: Any,
        bounds: Bounds,
        always: tuple[Header, ...],
        refused: Callable[[int], None],
        **kwargs: Any,
    ) -> None:
        """Send the headers `always` with each refusal, and tell `refused` its status."""
        super().__init__(*args, **kwargs)
        self._bounds = bounds
        self._always = always
        self._refused = refused
        self._head: TimerHandle | None = None
        self._drain: TimerHandle | None = None
        self._status = 400
        self._is_in_head = False
        self._is_over = False
        self._was_asked = False
        self._fed = 0
        self._sum = 0

    def connection_made(self, transport: BaseTransport) -> None:
        """Take a connection, or turn it away when there are too many."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > self._bounds.connections:
            self._turn_away(503)
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self._drained()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that is not complete has a size and a time."""
        self._unset_keepalive_if_required()
        if self._is_over:
            return
        self._fed += len(data)
        try:
            self.parser.feed_data(data)  # pyright: ignore[reportOptionalMemberAccess]
        except httptools.HttpParserUpgrade:
            # Nothing is upgraded here. The parser will read no further request, and the client is told.
            self.cycle.keep_alive = False
            return
        except httptools.HttpParserError:
            self._turn_away(self._status)
            return
        if self._is_in_head and self._fed > self._bounds.head_bytes:
            self._turn_away(431)
        elif self._head is None and (self._is_in_head or self._is_idle()):
            # Idle in spite of bytes: empty lines are allowed before a request, and may not prolong the wait.
            self._expect_head()

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._is_in_head = True
        self._sum = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        super().on_url(url)
        if len(self.url) > self._bounds.target_bytes:
            self._status = 414
            raise HeadRefusedError

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header, of not too many."""
        super().on_header(name, value)
        self._sum += len(name) + len(value)
        if len(self.headers) > self._bounds.headers or self._sum > self._bounds.head_bytes:
            self._status = 431
            raise HeadRefusedError

    def on_headers_complete(self) -> None:
        """Begin the request: its head was in time."""
        self._is_in_head = False
        self._fed = 0
        self._stop_waiting()
        super().on_headers_complete()
        self._was_asked = True

    def on_response_complete(self) -> None:
        """Go on to the next request; after the last one, wait a bounded time until the answer has been taken."""
        super().on_response_complete()
        self._fed = 0
        if self.transport.is_closing():
            self._expect_drain()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also one that never took its last answer."""
        super().timeout_keep_alive_handler()
        self._expect_drain()

    def pause_writing(self) -> None:
        """Wait for a client that reads slowly, but not for ever."""
        super().pause_writing()
        self._expect_drain()

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._drained()

    def _is_idle(self) -> bool:
        return not self._was_asked or (self.cycle.response_complete and not self.pipeline)

    def _head_is_late(self) -> None:
        if not self._is_idle():
            # Part of a next request behind one that is being answered: that one's answer goes first.
            self._expect_head()
        elif self._is_in_head:
            self._turn_away(408)
        else:
            # Nothing was asked, so nothing is answered.
            self.transport.close()

    def _turn_away(self, status: int) -> None:
        """Answer and close; behind a request that is being answered, only close after that one."""
        self._is_over = True
        self._stop_waiting()
        self._refused(status)
        if not self._is_idle() and not self.cycle.more_body:
            self.cycle.keep_alive = False
            return
        if self._is_idle() or not self.cycle.response_started:
            self.transport.write(_refusal(status, self._always))
        self.transport.close()
        self._expect_drain()

    def _expect_head(self) -> None:
        self._stop_waiting()
        self._head = self.loop.call_later(self._bounds.head_s, self._head_is_late)

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _expect_drain(self) -> None:
        self._drained()
        self._drain = self.loop.call_later(self._bounds.drain_s, self.transport.abort)

    def _drained(self) -> None:
        if self._drain is not None:
            self._drain.cancel()
            self._drain = None


def _refusal(status: int, always: tuple[Header, ...]) -> bytes:
    phrase = HTTPStatus(status).phrase.encode()
    body = phrase + b"\n"
    headers = (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
        *always,
    )
    lines = [b"HTTP/1.1 %d %s" % (status, phrase), *(b"%s: %s" % each for each in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
