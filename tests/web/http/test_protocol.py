"""Heads of requests over a real socket: their size, their time, and what is no request."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from tests.fakes.protocol_server import (
    REQUEST,
    UPLOAD,
    StartBounded,
    is_refusal,
)


async def test_a_flood_of_headers_ends_at_once_and_holds_nobody_up(start_bounded: StartBounded) -> None:
    running = await start_bounded()
    flood = asyncio.create_task(running.exchange(REQUEST + b"X-Forwarded-For: 1\r\n" * 400_000 + b"\r\n"))
    began = time.monotonic()
    answer = await running.exchange(REQUEST + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    # The quadratic way took more than half a minute.
    assert time.monotonic() - began < 5
    # It is cut off while it still sends: the refusal may be lost with the rest.
    with contextlib.suppress(ConnectionError):
        assert is_refusal(await flood, 431)
    assert running.count_refused(431) == 1


@pytest.mark.parametrize(
    ("count", "size", "expected"), [(98, 1, 200), (99, 1, 431), (3, 10_000, 200), (4, 10_000, 431)]
)
async def test_a_head_has_so_many_headers_and_so_many_bytes(
    start_bounded: StartBounded, count: int, size: int, expected: int
) -> None:
    running = await start_bounded()
    headers = b"".join(b"X-%d: %s\r\n" % (number, b"a" * size) for number in range(count))
    answer = await running.exchange(REQUEST + b"Connection: close\r\n" + headers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % expected)
    if expected == 431:
        assert is_refusal(answer, 431)


async def test_one_header_without_end_is_not_waited_for(start_bounded: StartBounded) -> None:
    running = await start_bounded(head_s=5)
    answer = await running.exchange(REQUEST + b"X-Long: ", *[b"a" * 1000] * 60, pause_s=0.005)
    assert is_refusal(answer, 431)
    assert running.count_refused(431) == 1


async def test_a_target_too_long_for_any_page_is_told_so(start_bounded: StartBounded) -> None:
    running = await start_bounded(head_bytes=200_000)
    for size in (20_000, 70_000):
        answer = await running.exchange(b"GET /" + b"x" * size + b" HTTP/1.1\r\nHost: probe\r\n\r\n")
        assert is_refusal(answer, 414)
    assert running.count_refused(414) == 2


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
        b"GET / HTTP/9.9\r\n\r\n",
        REQUEST + b"Bad Header: x\r\n\r\n",
        REQUEST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: probe\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_answered_in_our_words_and_not_logged(
    start_bounded: StartBounded, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    running = await start_bounded()
    assert is_refusal(await running.exchange(sent), 400)
    assert running.count_refused(400) == 1
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


@pytest.mark.parametrize(
    "parts",
    [
        (REQUEST + b"X-",),
        (REQUEST + b"X-", *[b"a"] * 100),
        (*[b"G", b"E", b"T", b" ", b"/"], *[b"a"] * 100),
    ],
    ids=["stops", "drips", "drips from the start"],
)
async def test_a_head_that_does_not_end_is_cut_off(
    start_bounded: StartBounded, parts: tuple[bytes, ...]
) -> None:
    running = await start_bounded()
    began = time.monotonic()
    answer = await running.exchange(*parts, pause_s=0.05)
    assert is_refusal(answer, 408)
    assert 0.2 < time.monotonic() - began < 4


@pytest.mark.parametrize("parts", [(), tuple([b"\r\n"] * 100)], ids=["silent", "empty lines"])
async def test_who_asks_nothing_is_told_nothing(
    start_bounded: StartBounded, parts: tuple[bytes, ...]
) -> None:
    running = await start_bounded()
    began = time.monotonic()
    assert await running.exchange(*parts, pause_s=0.05) == b""
    assert time.monotonic() - began < 4


async def test_the_next_head_of_a_connection_has_its_deadline_too(start_bounded: StartBounded) -> None:
    running = await start_bounded()
    answer = await running.exchange(REQUEST + b"\r\n", REQUEST, *[b""] * 100, pause_s=0.05)
    first, second = answer.split(b"HTTP/1.1 ")[1:]
    assert (first[:3], second[:3]) == (b"200", b"408")


async def test_a_kept_connection_waits_longer_than_a_head_may_take(start_bounded: StartBounded) -> None:
    running = await start_bounded()
    answer = await running.exchange(REQUEST + b"\r\n", REQUEST + b"Connection: close\r\n\r\n", pause_s=0.6)
    assert answer.count(b"HTTP/1.1 200 ") == 2


async def test_an_upgrade_is_answered_as_if_it_were_not_asked_for(start_bounded: StartBounded) -> None:
    running = await start_bounded()
    answer = await running.exchange(REQUEST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()


async def test_an_answer_on_its_way_is_not_lost_to_the_rubbish_behind_it(start_bounded: StartBounded) -> None:
    running = await start_bounded()
    answer = await running.exchange(REQUEST + b"\r\n" + b"rubbish\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_http_1_1_names_its_host_and_http_1_0_need_not(start_bounded: StartBounded) -> None:
    running = await start_bounded()
    assert is_refusal(await running.exchange(b"GET /assets/short HTTP/1.1\r\nX-Host: probe\r\n\r\n"), 400)
    assert running.count_refused(400) == 1
    answer = await running.exchange(b"GET /assets/short HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "start_of", [b"0\r\nX-Trailer: ", b"5;extension="], ids=["trailer", "chunk extension"]
)
async def test_what_is_neither_head_nor_body_is_not_waited_for(
    start_bounded: StartBounded, start_of: bytes
) -> None:
    running = await start_bounded()
    answer = await running.exchange(UPLOAD + start_of, *[b"a" * 1000] * 60, pause_s=0.005)
    assert is_refusal(answer, 431)
    assert running.count_refused(431) == 1
