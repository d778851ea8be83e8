"""Bounds of a connection before there is a request, which uvicorn lacks: how many, how long, how large."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from kernel.client_addresses import UNKNOWN

if TYPE_CHECKING:
    from asyncio import BaseTransport, TimerHandle
    from collections.abc import Callable

    from web.http.connections import ConnectionLimiter
    from web.http.security import RawHeaders


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of one process and of each of its connections; times in seconds, sizes in bytes."""

    connections: int = 900
    """Below the 1,024 open files that many systems allow a process."""
    connections_per_address: int = 100
    """Of one client address; browsers open six to a host, however many tabs they show."""
    head_s: float = 10.0
    """From the first byte, or from the start of the connection, to a complete head."""
    drain_s: float = 60.0
    """How long a client may take to read what does not fit into the buffers."""
    head_bytes: int = 32 * 1024
    headers: int = 100
    target_bytes: int = 16 * 1024
    queued_requests: int = 16
    """Pipelined behind the one that is being answered; browsers and proxies pipeline none."""


BOUNDS: Final = Bounds()


class HeadRefusedError(Exception):
    """Ends the parsing of a head; the parser raises it again as an error of its own."""


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol with bounds; what it refuses never becomes a request of the application.

    Uvicorn logs a warning for each malformed request, as many as a client sends: here they are only counted.
    """

    def __init__(
        self,
        *args: Any,
        bounds: Bounds,
        limiter: ConnectionLimiter,
        security_headers: RawHeaders,
        count_refusal: Callable[[int], None],
        **kwargs: Any,
    ) -> None:
        """Send `security_headers` with each refusal, and pass its status to `count_refusal`."""
        super().__init__(*args, **kwargs)
        self._bounds = bounds
        self._limiter = limiter
        self._security_headers = security_headers
        self._count_refusal = count_refusal
        self._timers: dict[str, TimerHandle] = {}
        self._status = 400
        self._is_in_head = self._is_refused = False
        # The request that is being answered, or was last; uvicorn's own `cycle` is the newest of those queued.
        self._active_cycle: RequestResponseCycle | None = None
        self._unparsed_bytes = self._header_bytes = 0

    def connection_made(self, transport: BaseTransport) -> None:
        """Accept a connection where there is room."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if status := self._limiter.admit(self, self.client[0] if self.client else UNKNOWN):
            self._refuse(status)
        else:
            self._set_timer("head", self._bounds.head_s, self._on_head_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release what belongs to the connection, and tell the application that the client has gone."""
        super().connection_lost(exc)
        # Uvicorn leaves this timer running after a reset.
        self._unset_keepalive_if_required()
        for timer in self._timers.values():
            timer.cancel()
        self._limiter.release(self)
        if self._active_cycle:
            # Uvicorn does so for the newest request only; those queued have not been started.
            self._active_cycle.disconnected = True
            self._active_cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Parse the data; what is neither a whole head nor a part of a body has a size and a time."""
        self._unset_keepalive_if_required()
        if self._is_refused:
            return
        self._unparsed_bytes += len(data)
        try:
            self.parser.feed_data(data)  # pyright: ignore[reportOptionalMemberAccess]
        except httptools.HttpParserUpgrade:
            # Upgrades are not supported. The parser will read no further request, so the connection ends.
            self.cycle.keep_alive = False
            return
        except httptools.HttpParserError:
            self._refuse(self._status)
            return
        if self._unparsed_bytes > self._bounds.head_bytes:
            self._refuse(431)
        elif "head" not in self._timers and (self._is_in_head or self._is_idle()):
            # Idle in spite of bytes: empty lines are allowed before a request and must not extend its time.
            self._set_timer("head", self._bounds.head_s, self._on_head_timeout)

    def on_message_begin(self) -> None:
        """Start a head."""
        super().on_message_begin()
        self._is_in_head, self._header_bytes = True, 0

    def on_url(self, url: bytes) -> None:
        """Append a part of the target."""
        super().on_url(url)
        if len(self.url) > self._bounds.target_bytes:
            self._status = 414
            raise HeadRefusedError

    def on_header(self, name: bytes, value: bytes) -> None:
        """Append a header; a trailer counts towards the bounds and is dropped (RFC 9110, 6.5.1)."""
        self._header_bytes += len(name) + len(value)
        if self._is_in_head:
            super().on_header(name, value)
        if len(self.headers) > self._bounds.headers or self._header_bytes > self._bounds.head_bytes:
            self._status = 431
            raise HeadRefusedError

    def on_headers_complete(self) -> None:
        """Start the request; one of HTTP/1.1 names its host (RFC 9112, 3.2)."""
        version = self.parser.get_http_version()  # pyright: ignore[reportOptionalMemberAccess]
        if version != "1.0" and all(name != b"host" for name, _ in self.headers):
            raise HeadRefusedError
        if len(self.pipeline) >= self._bounds.queued_requests:
            self._status = 429
            raise HeadRefusedError
        self._is_in_head, self._unparsed_bytes = False, 0
        self._cancel_timer("head")
        super().on_headers_complete()
        # Uvicorn stops reading behind a queued request, and would not notice that the client has gone.
        self.flow.resume_reading()
        self._limiter.mark_busy(self)

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body, whose size the application bounds; it does not yet read a queued one."""
        self._unparsed_bytes = 0
        super().on_body(body)
        if self.cycle is not self._active_cycle:
            self.flow.pause_reading()

    def on_response_complete(self) -> None:
        """Go on to the next request; after the last one, wait a bounded time until the client has read."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._set_timer("drain", self._bounds.drain_s, self.transport.abort)
        elif self._is_idle():
            self._limiter.mark_idle(self)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also one whose client never read the last answer."""
        super().timeout_keep_alive_handler()
        self._set_timer("drain", self._bounds.drain_s, self.transport.abort)

    def pause_writing(self) -> None:
        """Wait a bounded time for a client that reads slowly."""
        super().pause_writing()
        self._set_timer("drain", self._bounds.drain_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._cancel_timer("drain")

    def _is_idle(self) -> bool:
        # Part of a head is not yet a request.
        return self._active_cycle is None or self._active_cycle.response_complete

    def _on_head_timeout(self) -> None:
        if not self._is_idle():
            # Part of a next request behind one that is being answered: that answer goes first.
            self._set_timer("head", self._bounds.head_s, self._on_head_timeout)
        elif self._is_in_head:
            self._refuse(408)
        else:
            # There is no request to answer.
            self.transport.close()

    def _refuse(self, status: int) -> None:
        """Answer and close; where a response has begun or its request is complete, only close after it."""
        self._is_refused = True
        self._cancel_timer("head")
        self._count_refusal(status)
        if (cycle := self._active_cycle) and not cycle.response_complete:
            if cycle.response_started or not cycle.more_body:
                # The connection closes then: what is queued behind it is never begun.
                cycle.keep_alive = False
                return
            cycle.disconnected = True
        self.transport.write(_encode_refusal(status, self._security_headers))
        self.transport.close()
        self._set_timer("drain", self._bounds.drain_s, self.transport.abort)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._active_cycle = cycle
        super()._start_asgi_task(cycle, app)

    def _set_timer(self, name: str, seconds: float, callback: Callable[[], None]) -> None:
        self._cancel_timer(name)
        self._timers[name] = self.loop.call_later(seconds, callback)

    def _cancel_timer(self, name: str) -> None:
        if timer := self._timers.pop(name, None):
            timer.cancel()


def _encode_refusal(status: int, security_headers: RawHeaders) -> bytes:
    phrase = HTTPStatus(status).phrase
    head = (
        f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(phrase) + 1}\r\ncache-control: no-store\r\nconnection: close\r\n"
    )
    headers = b"".join(b"%s: %s\r\n" % each for each in security_headers)
    return head.encode() + headers + f"\r\n{phrase}\n".encode()
