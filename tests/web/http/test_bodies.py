"""Bodies: bounded in time, told from what comes after them, of a media type that is taken."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from litestar.datastructures import Headers
from litestar.exceptions import HTTPException

from web.http.bodies import DEADLINE_S, BodyReader, ClientDisconnected, has_body, require_media_type


class Client:
    """Sends the parts of a body one after the other, and then nothing."""

    def __init__(self, *parts: bytes, ends: bool = True) -> None:
        self.parts = list(parts)
        self.ends = ends

    async def receive(self) -> Any:
        if not self.parts:
            await asyncio.Event().wait()
        part = self.parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(self.parts) or not self.ends}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"content-length": "0"}, False),
        ({"content-length": "5"}, True),
        ({"transfer-encoding": "chunked"}, True),
    ],
)
def test_a_body_is_announced_by_its_headers(headers: dict[str, str], *, expected: bool) -> None:
    assert has_body(Headers(headers)) is expected


async def test_a_body_in_parts_is_passed_on_as_it_comes() -> None:
    reader = BodyReader(Client(b"ab", b"", b"cd").receive, DEADLINE_S)
    messages = []
    while not reader.is_complete:
        messages.append(await reader.receive())
    assert messages == [
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.request", "body": b"", "more_body": True},
        {"type": "http.request", "body": b"cd", "more_body": False},
    ]


async def test_behind_the_body_there_is_no_deadline() -> None:
    reader = BodyReader(Client(b"ab").receive, deadline_s=0)
    reader.is_complete = True
    assert (await reader.receive())["type"] == "http.request"
    # Nothing more comes: it is the caller that stops waiting, not the reader.
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await reader.receive()


async def test_the_body_is_open_until_its_last_part_was_read() -> None:
    reader = BodyReader(Client(b"ab", b"cd").receive, DEADLINE_S)
    assert not reader.is_complete
    await reader.receive()
    assert not reader.is_complete
    await reader.receive()
    assert reader.is_complete


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    reader = BodyReader(Client(b"ab", ends=False).receive, deadline_s=0.01)
    await reader.receive()
    with pytest.raises(HTTPException) as caught:
        await reader.receive()
    assert caught.value.status_code == 408
    assert not reader.is_complete


async def test_parts_that_come_slowly_do_not_move_the_deadline() -> None:
    class Dripping:
        async def receive(self) -> Any:
            await asyncio.sleep(0.001)
            return {"type": "http.request", "body": b"x", "more_body": True}

    reader = BodyReader(Dripping().receive, deadline_s=0.05)
    with pytest.raises(HTTPException) as caught:
        for _ in range(10_000):
            await reader.receive()
    assert caught.value.status_code == 408


@pytest.mark.parametrize("came", [[], [b"a="]])
async def test_what_came_before_the_client_hung_up_is_no_body(came: list[bytes]) -> None:
    sent = list(came)

    async def receive() -> Any:
        if sent:
            return {"type": "http.request", "body": sent.pop(), "more_body": True}
        return {"type": "http.disconnect"}

    reader = BodyReader(receive, DEADLINE_S)
    for _ in came:
        await reader.receive()
    with pytest.raises(ClientDisconnected):
        await reader.receive()


async def test_a_client_that_goes_after_its_body_has_sent_all_of_it() -> None:
    messages: list[Any] = [
        {"type": "http.request", "body": b"ab", "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    reader = BodyReader(receive, DEADLINE_S)
    await reader.receive()
    assert await reader.receive() == {"type": "http.disconnect"}


async def test_what_is_left_of_a_body_is_dropped_once_the_response_has_begun() -> None:
    messages: list[Any] = [
        *[{"type": "http.request", "body": b"x", "more_body": True}] * 5000,
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    reader = BodyReader(receive, deadline_s=0)
    reader.is_answered = True
    assert await reader.receive() == {"type": "http.disconnect"}
    assert not reader.is_complete


@pytest.mark.parametrize(
    ("content_type", "is_accepted"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/json ;charset=utf-8", True),
        ("application/jsonp", False),
        ("text/plain", False),
        ("", False),
        (None, False),
    ],
)
async def test_a_body_of_another_media_type_is_refused(
    make_request: Any, content_type: str | None, *, is_accepted: bool
) -> None:
    headers = {} if content_type is None else {"content_type": content_type}
    guard, handler = require_media_type("application/json", "text/csv"), Any
    request = make_request(method="POST", **headers)
    if is_accepted:
        await guard(request, handler)  # type: ignore[arg-type]
        return
    with pytest.raises(HTTPException) as caught:
        await guard(request, handler)  # type: ignore[arg-type]
    assert caught.value.status_code == 415
