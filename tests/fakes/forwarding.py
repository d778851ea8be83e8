"""A server of the test's own before Postgres, which forwards bytes until it is told to stall."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Forwarder:
    """Postgres behind a port of the loopback address: `url` leads there; `connected` is set by the first client."""

    url: str
    flowing: asyncio.Event
    connected: asyncio.Event

    def stall(self) -> None:
        """Forward nothing more: connections stay open and new ones are accepted, and nobody answers."""
        self.flowing.clear()

    def resume(self) -> None:
        """Forward again, also what has come in the meantime."""
        self.flowing.set()


@asynccontextmanager
async def forward(url: str) -> AsyncIterator[Forwarder]:
    """Forward to the Postgres of a URL that names the folder of its socket."""
    parts = urlsplit(url)
    (folder,) = parse_qs(parts.query)["host"]
    flowing, connected = asyncio.Event(), asyncio.Event()
    flowing.set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await flowing.wait()
            writer.write(data)
            await writer.drain()
        writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        behind_reader, behind_writer = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        try:
            await asyncio.gather(
                pump(reader, behind_writer), pump(behind_reader, writer), return_exceptions=True
            )
        finally:
            writer.transport.abort()
            behind_writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    login = parts.netloc.rpartition("@")[0]
    forwarded = parts._replace(netloc=f"{login}@127.0.0.1:{port}", query="").geturl()
    try:
        yield Forwarder(forwarded, flowing, connected)
    finally:
        flowing.set()
        server.close()
