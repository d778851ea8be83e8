"""Thousands of websocket readers in one process: bare sockets behind one epoll, for little processor time; Linux."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

RECEIVED_AT_ONCE: Final = 65536
#: Handshakes at a time, fewer than a server's backlog.
IN_FLIGHT: Final = 200
_EVENT: Final = b'{"type":"event"'
_HELLO: Final = b'{"type":"hello"'
_KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455, 1.3
_TEXT, _CLOSE, _PING = 1, 8, 9


@dataclass(frozen=True, slots=True)
class SocketRequest:
    """The handshake of a reader."""

    port: int
    host: str
    path: str
    headers: tuple[str, ...] = ()
    says_hello: bool = False
    """Whether the server begins with a hello."""

    def encode(self) -> bytes:
        """Return it as it is sent."""
        lines = (
            f"GET {self.path} HTTP/1.1",
            f"Host: {self.host}:{self.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {_KEY}",
            *self.headers,
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


@dataclass(slots=True, eq=False)
class _Client:
    socket: socket.socket
    rest: bytes = b""
    says_hello: bool = False
    is_open: bool = False


@dataclass(slots=True)
class SocketReaders:
    """Open sockets. `closes` are the codes of those that the server has closed; 1006 is a cut."""

    closes: list[int] = field(default_factory=list)
    events: int = 0
    """All that have arrived."""
    _clients: dict[int, _Client] = field(default_factory=dict)
    _epoll: select.epoll = field(default_factory=select.epoll)
    _opened: int = 0

    def __len__(self) -> int:
        return len(self._clients)

    def open(
        self,
        requests: Iterable[SocketRequest],
        *,
        timeout_s: float = 60.0,
        receive_buffer: int = 0,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        """Open a socket for each request and wait for the hello or, of a server without, the end of the handshake.

        ConnectionError when one is refused.
        """
        self._opened, begun = 0, 0
        for request in requests:
            client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            if receive_buffer:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            client.connect(("127.0.0.1", request.port))
            client.sendall(request.encode())
            client.setblocking(False)
            self._clients[client.fileno()] = _Client(client, says_hello=request.says_hello)
            self._epoll.register(client.fileno(), select.EPOLLIN)
            begun += 1
            while begun - self._opened >= in_flight:
                self._poll(timeout_s)
        while self._opened < begun:
            self._poll(timeout_s)

    def read(self, count: int, *, timeout_s: float = 20.0) -> list[float]:
        """Return when each of the next `count` events arrived; TimeoutError when they do not come."""
        times: list[float] = []
        deadline = perf_counter() + timeout_s
        while len(times) < count:
            times += self._poll(deadline - perf_counter())
        return times

    def drain(self, seconds: float) -> list[float]:
        """Read for so long; returns when events arrived."""
        times: list[float] = []
        deadline = perf_counter() + seconds
        while ready := self._epoll.poll(max(0.0, deadline - perf_counter())):
            for descriptor, _ in ready:
                times += [perf_counter()] * self._receive(self._clients[descriptor])
            if perf_counter() >= deadline:
                break
        return times

    def close(self) -> None:
        """Cut all sockets off."""
        for client in list(self._clients.values()):
            self._forget(client)

    def _poll(self, timeout_s: float) -> list[float]:
        ready: Sequence[tuple[int, int]] = self._epoll.poll(max(0.0, timeout_s))
        if not ready:
            message = f"Nothing came for {timeout_s:.1f} s; closed were {self.closes[:5]}."
            raise TimeoutError(message)
        times: list[float] = []
        for descriptor, _ in ready:
            if events := self._receive(self._clients[descriptor]):
                times += [perf_counter()] * events
        return times

    def _receive(self, client: _Client) -> int:
        """Read what is there; returns the number of events."""
        try:
            data = client.socket.recv(RECEIVED_AT_ONCE)
        except BlockingIOError:
            return 0
        except ConnectionError:
            data = b""
        if not data:
            if client.socket.fileno() in self._clients:
                self.closes.append(1006)
                self._forget(client)
            return 0
        data = client.rest + data
        if not client.is_open:
            head, separator, data = data.partition(b"\r\n\r\n")
            if not separator:
                client.rest = head
                return 0
            if not head.startswith(b"HTTP/1.1 101"):
                message = f"A socket was refused: {head[:200]!r} {data[:200]!r}"
                raise ConnectionError(message)
            client.is_open = True
            self._opened += not client.says_hello
        return self._read_frames(client, data)

    def _read_frames(self, client: _Client, data: bytes) -> int:
        events = place = 0
        while len(data) >= place + 2:
            size, start = data[place + 1], place + 2
            if size == 126:
                size, start = int.from_bytes(data[start : start + 2]), start + 2
            elif size == 127:
                size, start = int.from_bytes(data[start : start + 8]), start + 8
            if len(data) < start + size:
                break
            opcode = data[place] & 0x0F
            if opcode == _TEXT:
                if data.startswith(_EVENT, start):
                    events += 1
                elif data.startswith(_HELLO, start):
                    self._opened += 1
            elif opcode == _PING:
                client.socket.send(bytes((0x8A, 0x80 | size)) + bytes(4) + data[start : start + size])
            elif opcode == _CLOSE:
                self.closes.append(int.from_bytes(data[start : start + 2]))
                self._forget(client)
                self.events += events
                return events
            place = start + size
        self.events += events
        client.rest = data[place:]
        return events

    def _forget(self, client: _Client) -> None:
        descriptor = client.socket.fileno()
        self._epoll.unregister(descriptor)
        del self._clients[descriptor]
        client.socket.close()
