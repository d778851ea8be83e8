"""The internal port of a process: /metrics for Prometheus, /healthz and /readyz for an orchestrator.

Separate from the public port, so that probes are answered however many clients there are.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from prometheus_client.exposition import choose_encoder

from kernel.telemetry.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prometheus_client import CollectorRegistry

    from kernel.telemetry.health import Health

HEAD_BYTES: Final = 16 * 1024
#: For one connection: request, checks and response.
TIMEOUT_S: Final = 5.0

_log: Final = get_logger("telemetry.internal")


class _Response(NamedTuple):
    status: HTTPStatus
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


@asynccontextmanager
async def serve(
    registry: CollectorRegistry, health: Health, host: str, port: int, *, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[int]:
    """Serve while the context is open; yields the port, which the system chooses for 0. OSError if it is in use.

    Each connection carries one request and lasts `timeout_s` seconds at most.
    """
    handle = partial(_handle, registry, health, timeout_s)
    server = await asyncio.start_server(handle, host, port, limit=HEAD_BYTES)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        # Without wait_closed(), which waits for the clients that are connected.
        server.close()


async def _handle(
    registry: CollectorRegistry,
    health: Health,
    timeout_s: float,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Answer one request and close the connection; a client that is late or has disconnected gets no response."""
    try:
        async with asyncio.timeout(timeout_s):
            is_head, response = await _respond(registry, health, reader)
            body = response.body or f"{response.status.phrase}\n".encode()
            head = (
                f"HTTP/1.1 {response.status} {response.status.phrase}\r\ncontent-type: {response.content_type}\r\n"
                f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
            )
            writer.write(head.encode() + (b"" if is_head else body))
            writer.close()
            await writer.wait_closed()
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        pass
    finally:
        # Closing alone would wait for ever for a client that does not read.
        writer.transport.abort()


async def _respond(
    registry: CollectorRegistry, health: Health, reader: asyncio.StreamReader
) -> tuple[bool, _Response]:
    """Return whether the method is HEAD, and the response."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError:
        return False, _Response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    first, *lines = head.split("\r\n")
    words = first.split(" ")
    # A bare CR or LF is no end of a line (RFC 9112, 2.2); the encoder may repeat a part of Accept.
    is_malformed = any("\r" in line or "\n" in line for line in lines)
    if is_malformed or len(words) != 3 or not words[2].startswith("HTTP/1."):
        return False, _Response(HTTPStatus.BAD_REQUEST)
    method, path = words[0], words[1].partition("?")[0]
    match (path, method):
        case "/metrics", "GET" | "HEAD":
            headers = [line.partition(":") for line in lines]
            accept = ",".join(value for name, _, value in headers if name.lower() == "accept")
            response = await _encode_metrics(registry, accept)
        case "/healthz", "GET" | "HEAD":
            response = _encode_health([], is_ok=health.is_live())
        case "/readyz", "GET" | "HEAD":
            failures = await health.find_failures()
            for failure in failures:
                # The reason is for the log, not for clients.
                _log.warning("not ready", check=failure.name, reason=failure.reason)
            response = _encode_health([failure.name for failure in failures], is_ok=not failures)
        case _:
            response = _Response(HTTPStatus.NOT_FOUND)
    return method == "HEAD", response


async def _encode_metrics(registry: CollectorRegistry, accept: str) -> _Response:
    try:
        encode, content_type = choose_encoder(accept)
    except TypeError:
        # The library compares the version in Accept with numbers, also where it is none.
        encode, content_type = choose_encoder("")
    # Encoding takes milliseconds: not on the event loop.
    return _Response(HTTPStatus.OK, await asyncio.to_thread(encode, registry), content_type)


def _encode_health(failing: list[str], *, is_ok: bool) -> _Response:
    body = msgspec.json.encode({"status": "ok" if is_ok else "failing", "failing": failing})
    status = HTTPStatus.OK if is_ok else HTTPStatus.SERVICE_UNAVAILABLE
    return _Response(status, body, "application/json")
