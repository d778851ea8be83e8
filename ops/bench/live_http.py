"""HTTP for the readers of the realtime benchmarks: one exchange for each connection, for little processor time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

TIMEOUT_S = 35.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request; header names are in lower case, of several values the last."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def read_json(self) -> Any:
        """Return the decoded body."""
        return msgspec.json.decode(self.body)


async def exchange(
    port: int,
    host: str,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    timeout_s: float = TIMEOUT_S,
    sent: Callable[[], None] | None = None,
) -> Answer:
    """Send a request to a port of this machine over a connection of its own; `sent` is called when it is on its way.

    Raises OSError when the connection fails or the answer is cut off, TimeoutError without an answer in time.
    """
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            if sent is not None:
                sent()
            return await _read_answer(reader, has_body=method != "HEAD")
        except (EOFError, ValueError) as error:
            message = f"{method} {path} was cut off"
            raise ConnectionResetError(message) from error
        finally:
            writer.transport.abort()


async def _read_answer(reader: asyncio.StreamReader, *, has_body: bool) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status_line, *lines = head.rstrip("\r\n").split("\r\n")
    status = int(status_line.split()[1])
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if not has_body or status in {204, 304}:
        return Answer(status, headers, b"")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return Answer(status, headers, await _read_chunks(reader))
    if (length := headers.get("content-length")) is not None:
        return Answer(status, headers, await reader.readexactly(int(length)))
    return Answer(status, headers, await reader.read())


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks: list[bytes] = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    return b"".join(chunks)
