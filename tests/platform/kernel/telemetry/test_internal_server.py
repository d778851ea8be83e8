"""The internal port over real sockets: metrics and probes, and clients that send or read badly."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest
from prometheus_client import CollectorRegistry, Counter

from kernel.telemetry import internal_server
from kernel.telemetry.health import Check, Health
from kernel.telemetry.metrics import Metrics

TIMEOUT_S = 10


def serve(
    health: Health | None = None,
    *,
    registry: CollectorRegistry | None = None,
    port: int = 0,
    timeout_s: float = internal_server.TIMEOUT_S,
) -> AbstractAsyncContextManager[int]:
    return internal_server.serve(
        registry or Metrics().registry, health or Health([]), "127.0.0.1", port, timeout_s=timeout_s
    )


def check(name: str, reason: str | None) -> Check:
    async def failure() -> str | None:
        return reason

    return Check(name, failure)


async def exchange(port: int, sent: bytes) -> bytes:
    """Send bytes and return all that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(TIMEOUT_S):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def request(port: int, path: str, *headers: str, method: str = "GET") -> tuple[int, list[str], str]:
    """Send one request; returns status, headers and body of the answer."""
    lines = [f"{method} {path} HTTP/1.1", "Host: internal", *headers]
    answer = (await exchange(port, ("\r\n".join(lines) + "\r\n\r\n").encode())).decode()
    head, _, body = answer.partition("\r\n\r\n")
    first, *found = head.split("\r\n")
    return int(first.split()[1]), found, body


async def test_a_process_without_failures_is_alive_and_ready() -> None:
    async with serve(Health([check("database", None)])) as port:
        for path in ("/healthz", "/readyz"):
            status, headers, body = await request(port, path)
            assert (status, body) == (200, '{"status":"ok","failing":[]}')
            assert {
                "content-type: application/json",
                "cache-control: no-store",
                "connection: close",
                f"content-length: {len(body)}",
            } <= set(headers)


async def test_a_process_that_is_not_ready_names_the_check_and_logs_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    health = Health([check("database", "no route to db.internal"), check("server", None)])
    async with serve(health) as port:
        status, _, body = await request(port, "/readyz")
        assert (status, body) == (503, '{"status":"failing","failing":["database"]}')
        assert (await request(port, "/healthz"))[0] == 200
    logged = capsys.readouterr()
    assert "no route to db.internal" in logged.out + logged.err


async def test_a_draining_process_is_alive_and_not_ready() -> None:
    health = Health([check("database", None)])
    async with serve(health) as port:
        assert (await request(port, "/readyz"))[0] == 200
        health.drain()
        assert (await request(port, "/readyz"))[::2] == (503, '{"status":"failing","failing":["process"]}')
        assert (await request(port, "/healthz"))[0] == 200


async def test_what_happened_is_read_from_the_port() -> None:
    metrics = Metrics()
    metrics.request_seconds.labels("GET", "/i/{token}", "200").observe(0.004)
    metrics.rate_limit_verdicts.labels("page", "refused", "local").inc()
    held = 3
    metrics.observe_pool(lambda: held, lambda: 10, lambda: 2)
    async with serve(registry=metrics.registry) as port:
        status, headers, text = await request(port, "/metrics")
        assert status == 200
        assert "content-type: text/plain; version=0.0.4; charset=utf-8" in headers
        seconds = (
            'portal_http_request_seconds_bucket{le="%s",method="GET",route="/i/{token}",status="200"} %s'
        )
        assert seconds % ("0.005", "1.0") in text
        assert seconds % ("0.0025", "0.0") in text
        assert 'portal_rate_limit_verdicts_total{limit="page",source="local",verdict="refused"} 1.0' in text
        assert "portal_pool_in_use_connections 3.0" in text
        assert "portal_pool_size_connections 10.0" in text
        assert "portal_pool_waiting_count 2.0" in text
        assert "process_resident_memory_bytes" in text
        held = 0
        assert "portal_pool_in_use_connections 0.0" in (await request(port, "/metrics"))[2]


async def test_prometheus_chooses_the_format() -> None:
    async with serve() as port:
        accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
        _, headers, text = await request(port, "/metrics?name=x", accept)
        assert any(
            each.startswith("content-type: application/openmetrics-text; version=1.0.0") for each in headers
        )
        assert text.endswith("# EOF\n")


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=x",
        "text/plain;version=1.x",
        "application/openmetrics-text;version=" + "9" * 5000,
    ],
)
async def test_a_format_that_there_is_not_is_answered_in_one_that_there_is(accept: str) -> None:
    async with serve() as port:
        status, _, text = await request(port, "/metrics", f"Accept: {accept}")
        assert (status, "process_resident_memory_bytes" in text) == (200, True)


async def test_head_has_the_headers_of_get_and_no_body() -> None:
    async with serve() as port:
        for path in ("/healthz", "/readyz", "/nowhere"):
            status, headers, body = await request(port, path)
            assert await request(port, path, method="HEAD") == (status, headers, "")
            assert body
        status, headers, body = await request(port, "/metrics", method="HEAD")
        assert (status, body) == (200, "")
        assert any(each.startswith("content-length: ") for each in headers)


async def test_there_is_nothing_else_and_nothing_to_write() -> None:
    async with serve() as port:
        assert (await request(port, "/nowhere"))[::2] == (404, "Not Found\n")
        assert (await request(port, "/metrics", method="POST"))[0] == 404
        assert (await request(port, "/healthz/"))[0] == 404


@pytest.mark.parametrize(
    "sent",
    [
        b"rubbish\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz SMTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=2.\nSet-Cookie: a=b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\r\n\r\n",
    ],
)
async def test_a_malformed_request_is_refused(sent: bytes) -> None:
    async with serve() as port:
        assert (await exchange(port, sent)).startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_headers_that_are_too_large_are_refused() -> None:
    async with serve() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"a" * (internal_server.HEAD_BYTES + 1000))
        async with asyncio.timeout(TIMEOUT_S):
            assert (await reader.readline()).startswith(b"HTTP/1.1 431 ")
        writer.transport.abort()


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nX-"], ids=["silent", "stops"])
async def test_a_client_that_does_not_go_on_is_disconnected_and_delays_nobody(
    sent: bytes,
) -> None:
    async with serve(timeout_s=0.5) as port:
        slow = asyncio.create_task(exchange(port, sent))
        assert (await request(port, "/healthz"))[0] == 200
        assert not slow.done()
        assert await slow == b""


async def test_a_client_that_does_not_read_is_disconnected() -> None:
    registry = CollectorRegistry()
    for number in range(20):
        Counter(f"large_{number}", "x" * 1_000_000, registry=registry)
    # Encoding the metrics takes a part of the time.
    async with serve(registry=registry, timeout_s=3) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(3.5)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            async with asyncio.timeout(TIMEOUT_S):
                await reader.readexactly(20_000_000)
        writer.transport.abort()


async def test_a_closed_port_is_free_again_and_one_in_use_is_refused() -> None:
    async with serve() as port:
        with pytest.raises(OSError, match="in use"):
            async with serve(port=port):
                pass
    async with serve(port=port) as again:
        assert again == port
        assert "portal_http" in (await request(again, "/metrics"))[2]
