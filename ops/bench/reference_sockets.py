"""Websocket servers that the hub is measured against: each sends what comes from a Redis channel to all its sockets.

`python -m ops.bench.reference_sockets KIND PORT REDIS_URL`, KIND being a key of `SERVERS`. None of them knows rooms,
tickets or cursors: they only fan out.
"""

from __future__ import annotations

import asyncio
import base64
import ctypes
import hashlib
import shutil
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import uvicorn
import uvloop
from litestar import Litestar, WebSocket, websocket
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server
from redis.asyncio import Redis
from websockets.asyncio.server import ServerConnection, broadcast, serve

CHANNEL: Final = "bench:fan-out"
C_LOOP: Final = "c loop"
BACKLOG: Final = 4096
_SOURCE: Final = Path(__file__).with_name("send_loop.c")
_HANDSHAKE_BYTES: Final = 8192
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3

Send = Callable[[bytes], None]


def find_compiler() -> str | None:
    """Return the C compiler of this machine."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


async def _forward(redis_url: str, send: Callable[[bytes], Awaitable[None] | None]) -> None:
    """Call `send` with each message of the channel."""
    async with Redis.from_url(redis_url, socket_timeout=None) as redis, redis.pubsub() as subscription:
        await subscription.subscribe(CHANNEL)
        async for message in subscription.listen():
            if message["type"] == "message" and (waiting := send(message["data"])) is not None:
                await waiting


async def serve_broadcast(port: int, redis_url: str) -> None:
    """The library's own fan-out."""
    connections: set[ServerConnection] = set()

    async def keep(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()
        connections.discard(connection)

    async with serve(keep, "127.0.0.1", port, compression=None, ping_interval=None, backlog=BACKLOG):
        await _forward(redis_url, lambda frame: broadcast(connections, frame.decode()))


async def serve_picows(port: int, redis_url: str) -> None:
    """A websocket server in Cython."""
    transports: set[WSTransport] = set()

    class Listener(WSListener):
        def on_ws_connected(self, transport: WSTransport) -> None:
            transports.add(transport)

        def on_ws_disconnected(self, transport: WSTransport) -> None:
            transports.discard(transport)

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            """Readers say nothing."""

    def listen(_request: WSUpgradeRequest) -> WSListener:
        return Listener()

    def send(frame: bytes) -> None:
        for transport in transports:
            transport.send(WSMsgType.TEXT, frame)

    server = await ws_create_server(listen, "127.0.0.1", port, backlog=BACKLOG)
    async with server:
        await _forward(redis_url, send)


async def serve_litestar(port: int, redis_url: str) -> None:
    """A websocket route of the framework that the gateway uses."""
    sockets: set[WebSocket[Any, Any, Any]] = set()

    @websocket("/realtime")
    async def follow(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        sockets.add(socket)
        try:
            while (await socket.receive())["type"] != "websocket.disconnect":
                pass
        finally:
            sockets.discard(socket)

    async def send(frame: bytes) -> None:
        text = frame.decode()
        for each in list(sockets):
            await each.send_text(text)

    config = uvicorn.Config(
        Litestar([follow], openapi_config=None),
        host="127.0.0.1",
        port=port,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        log_level="warning",
        access_log=False,
        backlog=BACKLOG,
    )
    forwarding = asyncio.create_task(_forward(redis_url, send))
    await uvicorn.Server(config).serve()
    forwarding.cancel()


async def serve_c_loop(port: int, redis_url: str) -> None:
    """Sends by a loop in C, to sockets that are asked nothing after their handshake."""
    compiler = find_compiler()
    if compiler is None:
        raise FileNotFoundError("There is no C compiler.")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "send_loop.so"
        command = (compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE))
        if await (await asyncio.create_subprocess_exec(*command)).wait() != 0:
            raise OSError("The C compiler has failed.")
        send_to_all = ctypes.CDLL(str(library)).send_to_all
    send_to_all.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t]
    descriptors: list[int] = []
    array = (ctypes.c_int * 0)()
    loop = asyncio.get_running_loop()

    async def accept() -> None:
        nonlocal array
        with socket.create_server(("127.0.0.1", port), backlog=BACKLOG) as server:
            server.setblocking(False)
            kept: list[socket.socket] = []
            while True:
                client, _ = await loop.sock_accept(server)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.sock_sendall(client, _answer(await loop.sock_recv(client, _HANDSHAKE_BYTES)))
                kept.append(client)
                descriptors.append(client.fileno())
                array = (ctypes.c_int * len(descriptors))(*descriptors)

    def send(text: bytes) -> None:
        size = len(text)
        head = bytes((0x81, size)) if size < 126 else bytes((0x81, 126)) + size.to_bytes(2)
        send_to_all(array, len(array), head + text, len(head) + size)

    accepting = asyncio.create_task(accept())
    await _forward(redis_url, send)
    accepting.cancel()


def _answer(request: bytes) -> bytes:
    """Return the answer to a handshake that came in one piece."""
    headers = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:] if b": " in line)
    accept = base64.b64encode(hashlib.sha1(headers[b"Sec-WebSocket-Key"] + _GUID).digest())  # noqa: S324
    lines = (b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade")
    return b"\r\n".join((*lines, b"Sec-WebSocket-Accept: " + accept, b"", b""))


SERVERS: Final[dict[str, Callable[[int, str], Awaitable[None]]]] = {
    "broadcast": serve_broadcast,
    "picows": serve_picows,
    "litestar": serve_litestar,
    C_LOOP: serve_c_loop,
}


async def _serve(kind: str, port: int, redis_url: str) -> None:
    await SERVERS[kind](port, redis_url)


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
