"""A websocket that is only written to: the protocol of `websockets` without its tasks, timers and queues.

Frames go straight to the transport. What a client sends is parsed and answered by the library's protocol, counted,
and dropped.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABCMeta, abstractmethod
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from websockets.protocol import OPEN, Protocol, Side
from websockets.server import ServerProtocol

from web.hub.close_codes import CloseCode
from web.hub.handshake import RefusedError, select_subprotocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.http11 import Request
    from websockets.typing import Subprotocol

    from web.hub.bounds import Bounds

# A client's bytes are parsed in parts, so that a flood is noticed before all of it was parsed and answered.
_PART_BYTES: Final = 512
_ABNORMAL: Final = 1006

# The library logs each connection.
_log: Final = logging.getLogger("websockets.hub")
_log.setLevel(logging.WARNING)


class State(Enum):
    """What a connection does."""

    HEAD = auto()
    """The request is being read."""
    JOINING = auto()
    """The upgrade was answered, and the first frame has not been sent."""
    LIVE = auto()
    CLOSING = auto()
    """The hub has sent a close frame or a response, or the client has gone."""


class _Handshake(ServerProtocol):
    """The library's protocol; a function passed to it would refer to each instance, and keep it from being freed."""

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        """Choose among those that the client offers."""
        return select_subprotocol(subprotocols)


class WebSocket(asyncio.Protocol, metaclass=ABCMeta):
    """One connection, from its first byte to its last."""

    __slots__ = ("_bounds", "_budget", "_has_answered", "_protocol", "_state", "_transport")

    def __init__(self, bounds: Bounds) -> None:
        """Wait for the transport."""
        self._bounds = bounds
        self._state = State.HEAD
        self._protocol: Protocol = _Handshake(max_size=bounds.message_bytes, logger=_log)
        self._transport: asyncio.Transport
        # Bytes of the request, then frames until the next heartbeat.
        self._budget = bounds.head_bytes
        # Whether the client has sent anything since the last ping.
        self._has_answered = True

    # What a reader does with it.

    @abstractmethod
    def handle_request(self, request: Request) -> None:
        """Answer the request: `accept` or `refuse`."""

    @abstractmethod
    def handle_refusal(self, reason: str) -> None:
        """Note that the request was refused."""

    @abstractmethod
    def handle_backlog(self) -> None:
        """Note that more waits for the client than may; called while a frame is being written."""

    @abstractmethod
    def handle_closing(self) -> None:
        """Stop writing: the connection ends. The transport must be aborted if the client takes too long."""

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the request."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(self._bounds.write_buffer_bytes)

    def data_received(self, data: bytes) -> None:
        """Read the request, or count and drop frames."""
        if self._state is State.HEAD:
            self._read_head(data)
        else:
            self._read_frames(data)

    def eof_received(self) -> None:
        """Close: the client has gone."""
        self._protocol.receive_eof()
        self.flush()

    def pause_writing(self) -> None:
        """Note that the write buffer is full."""
        self.handle_backlog()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Leave nothing behind."""
        if self._state is not State.CLOSING:
            self._state = State.CLOSING
            self.handle_closing()
        _release(self._protocol)

    # For the reader.

    def accept(self, request: Request) -> bool:
        """Answer the upgrade; False if the request is none."""
        protocol = cast("ServerProtocol", self._protocol)
        response = protocol.accept(request)
        protocol.send_response(response)
        is_accepted = response.status_code == HTTPStatus.SWITCHING_PROTOCOLS
        if is_accepted:
            self._state = State.JOINING
            self._budget = self._bounds.frames_per_heartbeat
        else:
            self.handle_refusal("upgrade")
        self.flush()
        if is_accepted:
            # The first protocol would keep the request, of some kilobytes, for as long as the connection lasts.
            _release(protocol)
            self._protocol = Protocol(Side.SERVER, max_size=self._bounds.message_bytes, logger=_log)
        return is_accepted

    def refuse(self, error: RefusedError) -> None:
        """Answer with a status, and close."""
        protocol = cast("ServerProtocol", self._protocol)
        self.handle_refusal(error.reason)
        if not protocol.eof_sent:
            protocol.send_response(protocol.reject(error.status, f"{error.reason}\n"))
        self.flush()

    def close(self, code: CloseCode) -> None:
        """Begin the closing handshake, unless the request has not come yet; of several codes the first one counts."""
        if self._state in {State.JOINING, State.LIVE} and self._protocol.state is OPEN:
            self._protocol.send_close(code, code.name.lower())
            self.flush()

    def abort(self) -> None:
        """End without a closing handshake."""
        self._transport.abort()

    def find_close_code(self) -> int:
        """Return the code of the close frame that began the end; 1006 when there was none (RFC 6455, 7.1.5)."""
        protocol = self._protocol
        close = protocol.close_rcvd if protocol.close_rcvd_then_sent else protocol.close_sent
        return _ABNORMAL if close is None else close.code

    def get_peer(self) -> str:
        """Return the address at the other end: of the client, or of a proxy."""
        peer = self._transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else "unknown"

    def flush(self) -> None:
        """Write what the protocol wants to send, and notice when it is to end."""
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                # Not close(): with unread bytes it would reset the connection, and the close frame could be lost.
                self._transport.write_eof()
        # Of a client that went without a close frame nothing is expected, and nothing may be written to it.
        if self._state is not State.CLOSING and (self._protocol.close_expected() or self._protocol.eof_sent):
            self._state = State.CLOSING
            self.handle_closing()

    def _read_head(self, data: bytes) -> None:
        protocol = cast("ServerProtocol", self._protocol)
        self._budget -= len(data)
        protocol.receive_data(data)
        events = protocol.events_received()
        if self._budget < 0:
            self.refuse(RefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "request"))
        # A client has nothing to send before it is answered (RFC 6455, 4.1).
        elif protocol.handshake_exc is not None or len(events) > 1 or (events and protocol.reader.buffer):
            self.refuse(RefusedError(HTTPStatus.BAD_REQUEST, "request"))
        elif events:
            self.handle_request(cast("Request", events[0]))

    def _read_frames(self, data: bytes) -> None:
        self._has_answered = True
        for start in range(0, len(data), _PART_BYTES):
            self._protocol.receive_data(data[start : start + _PART_BYTES])
            self._budget -= len(self._protocol.events_received())
            if self._budget < 0 and self._protocol.state is OPEN and self._state is not State.CLOSING:
                # Unlike close(): what the client goes on sending is not parsed.
                self._protocol.fail(CloseCode.BACK_OFF, CloseCode.BACK_OFF.name.lower())
            self.flush()


def _release(protocol: Protocol) -> None:
    """Let a protocol be freed with its last reference; otherwise thousands would wait for the garbage collector.

    Its suspended parser refers to it, and so do the tracebacks of its errors.
    """
    protocol.parser.close()
    protocol.parser_exc = protocol.handshake_exc = None
