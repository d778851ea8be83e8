"""Responses of any size: sent in pieces, validated, and gzipped where it is worth it."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.datastructures import Cookie

from web.http.responses import PIECE, Body, answer_conditions, respond

TAG = '"abc"'
TEXT = b"1,000.00 EUR\n" * 200


async def send(response: Body, request: Any) -> list[dict[str, Any]]:
    """Send a response and record its ASGI messages."""
    sent: list[dict[str, Any]] = []
    has_ended = asyncio.Event()

    async def record(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            has_ended.set()

    async def receive() -> Any:
        # As a server does it: the client is there until it has been answered.
        await has_ended.wait()
        return {"type": "http.disconnect"}

    await response.to_asgi_response(app=None, request=request)(request.scope, receive, record)
    return sent


def headers_of(sent: list[dict[str, Any]]) -> dict[bytes, bytes]:
    headers: list[tuple[bytes, bytes]] = sent[0]["headers"]
    assert len({name for name, _ in headers}) == len(headers)
    return dict(headers)


def body_of(sent: list[dict[str, Any]]) -> bytes:
    return b"".join(message["body"] for message in sent[1:])


@pytest.mark.parametrize("sizes", [[], [0], [10], [10, 0, 20], [PIECE], [PIECE - 1, 1], [PIECE // 2] * 2])
async def test_a_small_body_is_sent_at_once(make_request: Any, sizes: list[int]) -> None:
    parts = [secrets.token_bytes(size) for size in sizes]
    sent = await send(respond(parts, media_type="text/plain", headers={}), make_request())
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[1]["body"] == b"".join(parts)
    assert headers_of(sent)[b"content-length"] == str(sum(sizes)).encode()


@pytest.mark.parametrize(
    "sizes",
    [
        [PIECE + 1],
        [PIECE, 1],
        [1, PIECE],
        [PIECE * 3],
        [PIECE * 3 + 7, 5, 0, PIECE],
        [1000] * 1000,
        [0, 0, PIECE * 2, 0],
    ],
)
async def test_a_large_body_is_sent_in_pieces_with_its_length(make_request: Any, sizes: list[int]) -> None:
    parts = [secrets.token_bytes(size) for size in sizes]
    sent = await send(
        respond(parts, media_type="application/pdf", headers={"x-one": "1"}, status_code=206), make_request()
    )
    assert sent[0]["status"] == 206
    headers = headers_of(sent)
    assert headers[b"content-length"] == str(sum(sizes)).encode()
    assert headers[b"content-type"].startswith(b"application/pdf")
    assert headers[b"x-one"] == b"1"
    pieces = [len(message["body"]) for message in sent[1:]]
    assert max(pieces) <= PIECE
    # Filled as far as the parts allow: no piece goes with which the next one would have fitted.
    assert len([size for size in pieces if size]) <= 2 * sum(sizes) // PIECE + 1
    assert body_of(sent) == b"".join(parts)
    assert [message.get("more_body", False) for message in sent[1:]] == [True] * (len(sent) - 2) + [False]


@given(st.lists(st.integers(0, 3 * PIECE), max_size=6))
async def test_parts_of_any_size_arrive_whole(make_request: Any, sizes: list[int]) -> None:
    parts = [bytes([number]) * size for number, size in enumerate(sizes)]
    sent = await send(respond(parts, media_type="text/plain", headers={}), make_request())
    assert body_of(sent) == b"".join(parts)
    assert max(len(message["body"]) for message in sent[1:]) <= PIECE
    assert headers_of(sent)[b"content-length"] == str(sum(sizes)).encode()


@pytest.mark.parametrize("size", [10, PIECE + 1])
async def test_cookies_go_with_a_body_of_any_size(make_request: Any, size: int) -> None:
    response = respond(
        [b"x" * size], media_type="text/html", headers={}, cookies=[Cookie("session", value="abc")]
    )
    sent = await send(response, make_request())
    assert headers_of(sent)[b"set-cookie"].startswith(b"session=abc;")


async def test_a_client_that_has_the_body_is_sent_none(make_request: Any) -> None:
    for if_none_match in (TAG, 'W/"abc-gzip"', "*"):
        request = make_request(accept_encoding="gzip", if_none_match=if_none_match)
        response = answer_conditions(request, TAG, "private, no-cache", "gzip")
        assert response is not None
        sent = await send(response, request)
        assert (sent[0]["status"], body_of(sent)) == (304, b"")
        headers = headers_of(sent)
        # RFC 9110, 15.4.5: what a 200 would have said of validators and caches.
        assert headers[b"etag"] == b'"abc-gzip"'
        assert headers[b"cache-control"] == b"private, no-cache"
        assert headers[b"vary"] == b"accept-encoding"


async def test_a_client_that_means_another_body_is_refused(make_request: Any) -> None:
    request = make_request(if_match='"other"')
    response = answer_conditions(request, TAG, "no-cache")
    assert response is not None
    sent = await send(response, request)
    assert (sent[0]["status"], body_of(sent)) == (412, b"")


def test_without_conditions_the_body_is_sent(make_request: Any) -> None:
    assert answer_conditions(make_request(), TAG, "no-cache") is None
