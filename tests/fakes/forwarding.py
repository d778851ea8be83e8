"""A server in front of Postgres that forwards bytes, or stalls."""

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
    is_forwarding: asyncio.Event
    connected: asyncio.Event

    def stall(self) -> None:
        """Forward nothing more: connections stay open and new ones are accepted, and nothing is sent."""
        self.is_forwarding.clear()

    def resume(self) -> None:
        """Forward again, with the bytes received meanwhile."""
        self.is_forwarding.set()


@asynccontextmanager
async def open_forwarder(url: str) -> AsyncIterator[Forwarder]:
    """Forward to the Postgres of a URL that names the folder of its socket."""
    parts = urlsplit(url)
    (folder,) = parse_qs(parts.query)["host"]
    is_forwarding, connected = asyncio.Event(), asyncio.Event()
    is_forwarding.set()

    async def forward_bytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await is_forwarding.wait()
            writer.write(data)
            await writer.drain()
        writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        postgres_reader, postgres_writer = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        try:
            await asyncio.gather(
                forward_bytes(reader, postgres_writer),
                forward_bytes(postgres_reader, writer),
                return_exceptions=True,
            )
        finally:
            writer.transport.abort()
            postgres_writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    login = parts.netloc.rpartition("@")[0]
    forwarder_url = parts._replace(netloc=f"{login}@127.0.0.1:{port}", query="").geturl()
    try:
        yield Forwarder(forwarder_url, is_forwarding, connected)
    finally:
        is_forwarding.set()
        server.close()
