"""Clients that hang up or do not read, over a real socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.fakes.http_server import TIMEOUT_S, HttpServer, Start, request


async def waits_for_pdf(running: HttpServer, *, count: int = 1) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while running.portal.count("portal_pdf_waiting_count") != count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("rendering_worker")
async def test_who_hangs_up_stops_waiting_for_a_pdf(start: Start, acme: Any, visitor: Any) -> None:
    running = await start()
    _, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(request(f"GET {acme.path}/invoice.pdf", acme.host, visitor.address))
    await waits_for_pdf(running)
    writer.close()
    await writer.wait_closed()
    await waits_for_pdf(running, count=0)
    async with asyncio.timeout(TIMEOUT_S):
        while not running.portal.log.getvalue():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert json.loads(running.portal.log.getvalue())["status"] == 499
    assert running.portal.count("portal_pdf_answers_total", outcome="gone") == 1


@pytest.mark.parametrize("is_at_once", [True, False], ids=["at once", "later"])
@pytest.mark.usefixtures("rendering_worker")
async def test_who_hangs_up_stops_waiting_for_a_pdf_also_with_a_request_queued_behind_it(
    start: Start, acme: Any, visitor: Any, *, is_at_once: bool
) -> None:
    running = await start()
    _, writer = await asyncio.open_connection("127.0.0.1", running.port)
    first, second = (
        f"GET {path} HTTP/1.1\r\nHost: {acme.host}\r\nX-Forwarded-For: {visitor.address}\r\n\r\n".encode()
        for path in (f"{acme.path}/invoice.pdf", acme.path)
    )
    writer.write(first + second if is_at_once else first)
    await waits_for_pdf(running)
    (connection,) = running.server.server_state.connections
    if not is_at_once:
        writer.write(second)
    async with asyncio.timeout(TIMEOUT_S):
        while not connection.pipeline:  # type: ignore[union-attr]  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    writer.close()
    await writer.wait_closed()
    await waits_for_pdf(running, count=0)
    async with asyncio.timeout(TIMEOUT_S):
        while not running.portal.log.getvalue():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert json.loads(running.portal.log.getvalue())["status"] == 499
    assert running.portal.count("portal_pdf_answers_total", outcome="gone") == 1


@pytest.mark.usefixtures("rendering_worker")
async def test_at_the_end_who_waits_for_a_pdf_is_answered_first(
    start: Start, acme: Any, visitor: Any
) -> None:
    running = await start()
    asked = request(f"GET {acme.path}/invoice.pdf", acme.host, visitor.address, "Accept: text/html")
    waiting = [asyncio.create_task(running.exchange(asked)) for _ in range(3)]
    await waits_for_pdf(running, count=3)
    running.server.should_exit = True
    for answer in await asyncio.gather(*waiting):
        assert answer.startswith(b"HTTP/1.1 202 Accepted\r\n")
        assert b"Your PDF is being prepared" in answer
    async with asyncio.timeout(TIMEOUT_S):
        await running.task


async def test_a_reader_that_does_not_read_holds_a_piece_and_no_more(
    start: Start, acme: Any, visitor: Any, add_pdf: Any
) -> None:
    data = await add_pdf(acme, size=20_000_000)
    running = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1024)
    writer.write(request(f"GET {acme.path}/invoice.pdf", acme.host, visitor.address))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    held = max(each.transport.get_write_buffer_size() for each in running.server.server_state.connections)
    assert held < 1_000_000
    async with asyncio.timeout(TIMEOUT_S):
        assert await reader.read(-1) == data
    writer.close()
    await writer.wait_closed()
