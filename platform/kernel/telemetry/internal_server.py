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

from kernel.telemetry.logs import logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prometheus_client import CollectorRegistry

    from kernel.telemetry.health import Health

HEAD_BYTES: Final = 16 * 1024
#: For one connection: request, checks and answer.
TIMEOUT_S: Final = 5.0

_log: Final = logger("telemetry.internal")


class _Answer(NamedTuple):
    status: HTTPStatus
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


@asynccontextmanager
async def serve(
    registry: CollectorRegistry, health: Health, host: str, port: int, *, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[int]:
    """Serve while the context lasts; yields the port, which the system chooses for 0. OSError if it is in use.

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
    """Answer one request and close the connection; a client that is late or has gone gets no answer."""
    try:
        async with asyncio.timeout(timeout_s):
            is_head, answer = await _answer_request(registry, health, reader)
            body = answer.body or f"{answer.status.phrase}\n".encode()
            head = (
                f"HTTP/1.1 {answer.status} {answer.status.phrase}\r\ncontent-type: {answer.content_type}\r\n"
                f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
            )
            writer.write(head.encode() + (b"" if is_head else body))
            writer.close()
            await writer.wait_closed()
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        pass
    finally:
        # Closing alone would wait without end for a client that does not read.
        writer.transport.abort()


async def _answer_request(
    registry: CollectorRegistry, health: Health, reader: asyncio.StreamReader
) -> tuple[bool, _Answer]:
    """Return whether the method is HEAD, and the answer."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError:
        return False, _Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    first, *lines = head.split("\r\n")
    words = first.split(" ")
    # A bare CR or LF is no end of a line (RFC 9112, 2.2); the encoder may repeat a part of Accept.
    is_malformed = any("\r" in line or "\n" in line for line in lines)
    if is_malformed or len(words) != 3 or not words[2].startswith("HTTP/1."):
        return False, _Answer(HTTPStatus.BAD_REQUEST)
    method, path = words[0], words[1].partition("?")[0]
    match (path, method):
        case "/metrics", "GET" | "HEAD":
            headers = [line.partition(":") for line in lines]
            accept = ",".join(value for name, _, value in headers if name.lower() == "accept")
            answer = await _encode_metrics(registry, accept)
        case "/healthz", "GET" | "HEAD":
            answer = _encode_health([], is_ok=health.live())
        case "/readyz", "GET" | "HEAD":
            failures = await health.ready()
            for failure in failures:
                # The reason is not for whoever reaches the port.
                _log.warning("not ready", check=failure.name, reason=failure.reason)
            answer = _encode_health([failure.name for failure in failures], is_ok=not failures)
        case _:
            answer = _Answer(HTTPStatus.NOT_FOUND)
    return method == "HEAD", answer


async def _encode_metrics(registry: CollectorRegistry, accept: str) -> _Answer:
    try:
        encode, content_type = choose_encoder(accept)
    except TypeError:
        # The library compares the version in Accept with numbers, also where it is none.
        encode, content_type = choose_encoder("")
    # It takes milliseconds, in which the event loop is not to stand still.
    return _Answer(HTTPStatus.OK, await asyncio.to_thread(encode, registry), content_type)


def _encode_health(failing: list[str], *, is_ok: bool) -> _Answer:
    body = msgspec.json.encode({"status": "ok" if is_ok else "failing", "failing": failing})
    status = HTTPStatus.OK if is_ok else HTTPStatus.SERVICE_UNAVAILABLE
    return _Answer(status, body, "application/json")
