"""What the gateway reads from a request's headers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from litestar._parsers import parse_cookie_string, parse_query_string, parse_url_encoded_form_data
from litestar.datastructures import Headers

from web.http.context import choose_request_id, join_header


def test_headers_sent_more_than_once_are_joined_in_their_order() -> None:
    headers = Headers([(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"a", b"4"), (b"c", b"")])
    assert [join_header(headers, name) for name in "abcd"] == ["1,3,4", "2", "", None]


def test_a_great_many_of_them_are_all_joined() -> None:
    # Joined one by one they took twenty seconds: Headers.getall and one join cost their number.
    found = join_header(Headers([(b"x-forwarded-for", b"1")] * 300_000), "x-forwarded-for")
    assert found == ",".join("1" * 300_000)


def test_a_request_reads_its_headers_joined(make_request: Any) -> None:
    request = make_request(accept_language=["fr", "de"])
    assert request.get_header("accept-language") == "fr,de"
    assert request.get_header("Accept-Language") == "fr,de"
    assert request.get_header("accept") is None
    assert request.language == "de"


@pytest.mark.parametrize(("method", "expected"), [("HEAD", True), ("GET", False), ("POST", False)])
def test_a_head_is_known(make_request: Any, method: str, *, expected: bool) -> None:
    assert make_request(method=method).is_head is expected


@pytest.mark.parametrize(
    ("cookie", "chosen"),
    [
        ("", None),
        ("__Host-language=en", "en"),
        ("language=de; __Host-language=en", "en"),
        # Over https a neighbouring host can set this one.
        ("language=de", None),
        ("__Host-language=fr", None),
        ("__Host-language=", None),
        ("other=de", None),
    ],
)
def test_a_chosen_language_is_one_that_pages_have(make_request: Any, cookie: str, chosen: str | None) -> None:
    request = make_request(cookie=cookie, accept_language="de")
    assert request.chosen_language == chosen
    assert request.language == (chosen or "de")


@pytest.mark.parametrize("sent", ["trace-0123456789", "x" * 8, "x" * 64])
def test_the_id_of_a_trusted_proxy_is_taken(sent: str) -> None:
    assert choose_request_id(Headers({"x-request-id": sent}), from_proxy=True) == sent


@pytest.mark.parametrize(
    "sent", ["", "short", "x" * 65, "with space 12345", "<script>alert(1)</script>", "ü" * 8]
)
def test_an_id_that_is_not_well_formed_is_replaced(sent: str) -> None:
    headers = Headers([(b"x-request-id", sent.encode())])
    assert re.fullmatch(r"[\w-]{22}", choose_request_id(headers, from_proxy=True))


def test_an_id_of_anybody_else_is_replaced() -> None:
    headers = Headers({"x-request-id": "trace-0123456789"})
    first, second = [choose_request_id(headers, from_proxy=False) for _ in range(2)]
    assert first != second
    assert "trace-0123456789" not in {first, second}


def test_a_host_of_no_workspace_has_none_to_show(make_request: Any) -> None:
    with pytest.raises(LookupError):
        _ = make_request().context.workspace


async def test_what_a_client_sends_fills_no_cache_of_the_framework(make_request: Any) -> None:
    """Litestar's parsers cache by the raw text: 1,024 forms of 64 KiB were 1.4 GB, and what people typed stayed."""
    caches = (parse_cookie_string, parse_query_string, parse_url_encoded_form_data)
    before = [cache.cache_info().currsize for cache in caches]
    for number in range(5):
        request = make_request(cookie=f"a={number}")
        request.scope["query_string"] = f"b={number}".encode()
        assert (request.cookies, dict(request.query_params)) == ({"a": str(number)}, {"b": str(number)})

        async def receive(body: bytes = f"c={number}".encode()) -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        request.receive = receive
        request.scope["route_handler"] = _Unlimited()
        assert dict(await request.form()) == {"c": str(number)}
    assert [cache.cache_info().currsize for cache in caches] == before


class _Unlimited:
    """A route that takes bodies of any size."""

    def resolve_request_max_body_size(self) -> None:
        return None


def test_a_cookie_header_of_any_length_is_read_at_its_start(make_request: Any) -> None:
    request = make_request(cookie="first=1; " + "x" * 30_000 + "=2; last=3")
    assert request.cookies["first"] == "1"
    assert "last" not in request.cookies
