"""A gateway on a real socket, and requests as bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from web.http.server import Server

TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class HttpServer:
    """A gateway behind a port."""

    port: int
    portal: Any
    server: Server
    task: asyncio.Task[None]

    async def exchange(self, sent: bytes) -> bytes:
        """Send bytes over one connection and return all that the server sends before it closes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        async with asyncio.timeout(TIMEOUT_S):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


Start = Callable[..., Awaitable[HttpServer]]


def request(line: str, host: str, address: str, *headers: str) -> bytes:
    """Return a request with which the server closes the connection."""
    head = [f"{line} HTTP/1.1", f"Host: {host}", f"X-Forwarded-For: {address}", "Connection: close", *headers]
    return ("\r\n".join(head) + "\r\n\r\n").encode()
