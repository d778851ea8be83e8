"""The server as it runs: over a real socket, with what only a socket can send."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from ops.ports import find_free_port
from tests.fakes.http_server import TIMEOUT_S, Start, request
from web.http.server import Server

FORM = "Content-Type: application/x-www-form-urlencoded"


async def test_a_page_is_served_over_a_socket(start: Start, acme: Any, visitor: Any) -> None:
    running = await start()
    answer = await running.exchange(request(f"GET {acme.path}", acme.host, visitor.address))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body.startswith(b"<!doctype html>")
    assert b"\r\nserver:" not in head.lower()
    # Behind a trusted proxy the visitor's own network is what is written down.
    line = json.loads(running.portal.log.getvalue())
    assert line["network"] == str(ip_network((visitor.address, 48), strict=False))


async def test_head_sends_the_length_and_nothing_after_it(start: Start, acme: Any, visitor: Any) -> None:
    running = await start()
    answer = await running.exchange(request(f"HEAD {acme.path}", acme.host, visitor.address))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b""
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length: "))
    assert int(length.split()[1]) > 5000


async def test_a_large_body_is_refused_by_its_announcement(start: Start, acme: Any, visitor: Any) -> None:
    running = await start()
    sent = request(f"POST {acme.path}/language", acme.host, visitor.address, FORM, "Content-Length: 70000")
    # Not one byte of the body has been sent.
    answer = await running.exchange(sent)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"That is too large" in answer


async def test_a_large_body_is_refused_when_it_comes_in_chunks(start: Start, acme: Any, visitor: Any) -> None:
    running = await start()
    sent = request(
        f"POST {acme.path}/language", acme.host, visitor.address, FORM, "Transfer-Encoding: chunked"
    )
    chunk = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
    # Nine chunks of 8 KiB, and no end.
    answer = await running.exchange(sent + chunk * 9)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()


async def test_a_small_body_reaches_the_route(start: Start, acme: Any, visitor: Any) -> None:
    running = await start()
    for headers, body in (
        (("Content-Length: 3",), b"a=1"),
        (("Transfer-Encoding: chunked",), b"3\r\na=1\r\n0\r\n\r\n"),
    ):
        head = request(f"POST {acme.path}/language", acme.host, visitor.address, FORM, *headers)
        # The form was read, and has no token.
        assert (await running.exchange(head + body)).startswith(b"HTTP/1.1 403 ")


async def test_two_hosts_are_no_host(start: Start, acme: Any, visitor: Any) -> None:
    running = await start()
    answer = await running.exchange(
        request(f"GET {acme.path}", acme.host, visitor.address, f"Host: {acme.host}")
    )
    assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 "))
    assert acme.profile.name.encode() not in answer


async def test_an_absolute_request_target_does_not_choose_the_host(
    start: Start, acme: Any, visitor: Any
) -> None:
    running = await start()
    target = f"http://{acme.host}{acme.path}"
    answer = await running.exchange(request(f"GET {target}", "nobody.localhost", visitor.address))
    assert answer.startswith(b"HTTP/1.1 404 ")


async def test_it_ends_when_it_is_to_stop(start: Start) -> None:
    running = await start()
    running.server.should_exit = True
    async with asyncio.timeout(TIMEOUT_S):
        await running.task


async def wait_for_answer(port: int, path: str) -> bytes:
    """Ask until somebody listens, for as long as a slow machine may need to start."""
    async with asyncio.timeout(6 * TIMEOUT_S):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.write(f"GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """The gateway as a process of its own: the port of its pages and its internal port."""

    process: asyncio.subprocess.Process
    port: int
    metrics_port: int

    async def end(self) -> list[Any]:
        """Wait for its end, without an error; returns its log lines."""
        out, _ = await self.process.communicate()
        assert self.process.returncode == 0
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
async def start_process(
    settings: Any, tmp_path: Path
) -> AsyncIterator[Callable[[int], Awaitable[GatewayProcess]]]:
    running: list[asyncio.subprocess.Process] = []

    async def run(port: int) -> GatewayProcess:
        metrics_port = find_free_port()
        environ = environment(settings, tmp_path, port, metrics_port)
        program = (
            "import os; from kernel.settings import Settings; from web.gateway import serve; "
            "serve(Settings.from_environ(os.environ))"
        )
        running.append(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                program,
                env=environ,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        )
        return GatewayProcess(running[-1], port, metrics_port)

    yield run
    for each in running:
        if each.returncode is None:
            each.kill()
            await each.communicate()


@pytest.fixture
async def process(start_process: Callable[[int], Awaitable[GatewayProcess]]) -> GatewayProcess:
    return await start_process(find_free_port())


def environment(settings: Any, folder: Path, port: int, metrics_port: int) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PORTAL_PROFILE": "test",
        "PORTAL_DATABASE_URL": settings.database_url,
        "PORTAL_REDIS_URL": settings.redis_url,
        "PORTAL_PORT": str(port),
        "PORTAL_METRICS_PORT": str(metrics_port),
        "PORTAL_BLOBS_URL": str(folder / "blobs"),
        "PORTAL_COLOUR": "blue",
    }


async def read_until(port: int, path: str, is_expected: Callable[[bytes], bool]) -> bytes:
    """Ask again and again, for as long as a slow machine may need, and return the answer that is as expected."""
    async with asyncio.timeout(6 * TIMEOUT_S):
        while not is_expected(answer := await wait_for_answer(port, path)):  # noqa: ASYNC110  -- another process
            await asyncio.sleep(0.05)
        return answer


def has_status(status: int) -> Callable[[bytes], bool]:
    return lambda answer: answer.startswith(b"HTTP/1.1 %d " % status)


async def test_the_process_starts_shows_its_metrics_and_ends_in_order(process: GatewayProcess) -> None:
    await read_until(process.metrics_port, "/readyz", has_status(200))
    assert (await wait_for_answer(process.metrics_port, "/healthz")).startswith(b"HTTP/1.1 200 ")
    # Ready means that the pages' port is open: nobody waits for it here.
    _, writer = await asyncio.open_connection("127.0.0.1", process.port)
    writer.close()
    await writer.wait_closed()
    assert (await wait_for_answer(process.port, "/assets/nothing.js")).startswith(b"HTTP/1.1 404 ")
    route = b'portal_http_request_seconds_count{method="GET",route="/assets/{name}",status="404"} 1.0'
    await read_until(process.metrics_port, "/metrics", lambda answer: route in answer)
    process.process.terminate()
    lines = await process.end()
    assert {line["process"] for line in lines} == {"gateway"}
    assert [line["route"] for line in lines if line["logger"] == "access"] == ["/assets/{name}"]
    assert "PORTAL_COLOUR" in next(line["text"] for line in lines if line["event"] == "settings warning")
    assert lines[-1]["event"] == "stopped"


async def test_a_port_that_is_taken_is_an_os_error(
    start_process: Callable[[int], Awaitable[GatewayProcess]],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        failing = await start_process(taken.getsockname()[1])
        async with asyncio.timeout(6 * TIMEOUT_S):
            _, err = await failing.process.communicate()
    assert failing.process.returncode == 1
    assert err.splitlines()[-1].startswith(b"OSError: [Errno %d] " % errno.EADDRINUSE)


async def test_a_process_that_was_told_to_end_is_alive_and_not_ready_until_it_has(
    process: GatewayProcess, acme: Any
) -> None:
    await read_until(process.metrics_port, "/readyz", has_status(200))
    reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
    # Answered once its body is there.
    writer.write(request(f"POST {acme.path}/language", acme.host, "192.0.2.1", FORM, "Content-Length: 1"))
    in_flight = b"portal_http_requests_in_flight_count 1.0"
    await read_until(process.metrics_port, "/metrics", lambda answer: in_flight in answer)
    process.process.terminate()
    answer = await read_until(process.metrics_port, "/readyz", has_status(503))
    assert answer.endswith(b'{"status":"failing","failing":["process"]}')
    assert (await wait_for_answer(process.metrics_port, "/healthz")).startswith(b"HTTP/1.1 200 ")
    writer.write(b"x")
    assert (await reader.read()).startswith(b"HTTP/1.1 403 ")
    writer.close()
    await writer.wait_closed()
    assert (await process.end())[-1]["event"] == "stopped"


async def test_a_second_signal_cuts_off_a_request_in_flight(process: GatewayProcess, acme: Any) -> None:
    await read_until(process.metrics_port, "/readyz", has_status(200))
    reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
    # Its body never comes: an orderly end would wait for it.
    writer.write(request(f"POST {acme.path}/language", acme.host, "192.0.2.1", FORM, "Content-Length: 1"))
    in_flight = b"portal_http_requests_in_flight_count 1.0"
    await read_until(process.metrics_port, "/metrics", lambda answer: in_flight in answer)
    process.process.terminate()
    await read_until(process.metrics_port, "/readyz", has_status(503))
    process.process.terminate()
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    assert (await process.end())[-1]["event"] == "stopped"


async def test_a_server_whose_port_is_not_open_is_not_ready(start: Start, settings: Any) -> None:
    running = await start()
    assert await running.server.find_failure() is None
    assert await Server(running.portal.gateway, settings).find_failure() == "is starting"


async def test_what_stands_behind_a_chunked_body_is_no_header(start: Start, acme: Any, visitor: Any) -> None:
    running = await start()
    sent = request(f"POST {acme.path}", acme.host, visitor.address, "Transfer-Encoding: chunked")
    trailers = b"X-Forwarded-For: 203.0.113.9\r\nHost: nobody.localhost\r\n"
    answer = await running.exchange(sent + b"3\r\na=1\r\n0\r\n" + trailers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    line = json.loads(running.portal.log.getvalue())
    assert line["network"] == str(ip_network((visitor.address, 48), strict=False))
