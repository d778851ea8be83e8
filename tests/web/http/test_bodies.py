"""Bodies: bounded in size whatever was announced, bounded in time, given out once more."""

import asyncio
from typing import Any

import pytest

from web.http.bodies import BodyTooLarge, BodyTooSlow, ClientGone, has_body, whole_body


class Client:
    """Sends the parts of a body one after the other, and then nothing."""

    def __init__(self, *parts: bytes, ends: bool = True) -> None:
        self.parts = list(parts)
        self.ends = ends
        self.read = 0

    async def receive(self) -> dict[str, Any]:
        if not self.parts:
            await asyncio.Event().wait()
        part = self.parts.pop(0)
        self.read += len(part)
        return {"type": "http.request", "body": part, "more_body": bool(self.parts) or not self.ends}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({b"content-length": b"0"}, False),
        ({b"content-length": b"5"}, True),
        ({b"transfer-encoding": b"chunked"}, True),
    ],
)
def test_a_body_is_announced_by_its_headers(headers: dict[bytes, bytes], *, expected: bool) -> None:
    assert has_body(headers) is expected


async def test_a_body_in_parts_is_given_out_whole_and_once() -> None:
    client = Client(b"ab", b"", b"cd")
    again = await whole_body({b"content-length": b"4"}, client.receive, largest=4)
    assert await again() == {"type": "http.request", "body": b"abcd", "more_body": False}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await again()


@pytest.mark.parametrize("announced", [b"5", b"9" * 25, b"-1", b"1e3", b""])
async def test_what_is_announced_too_large_or_wrongly_is_not_read(announced: bytes) -> None:
    client = Client(b"abcde")
    with pytest.raises(BodyTooLarge):
        await whole_body({b"content-length": announced}, client.receive, largest=4)
    assert client.read == 0


async def test_an_endless_body_is_read_no_further_than_the_limit() -> None:
    client = Client(*[b"abc"] * 1000)
    with pytest.raises(BodyTooLarge):
        await whole_body({b"transfer-encoding": b"chunked"}, client.receive, largest=10)
    assert client.read == 12


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    client = Client(b"ab", ends=False)
    with pytest.raises(BodyTooSlow):
        await whole_body({b"content-length": b"4"}, client.receive, deadline_s=0.01)


@pytest.mark.parametrize("came", [[], [b"a="]])
async def test_what_came_before_the_client_hung_up_is_no_body(came: list[bytes]) -> None:
    async def receive() -> dict[str, Any]:
        if came:
            return {"type": "http.request", "body": came.pop(), "more_body": True}
        return {"type": "http.disconnect"}

    with pytest.raises(ClientGone):
        await whole_body({b"content-length": b"4"}, receive)
