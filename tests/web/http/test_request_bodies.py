"""Bodies of requests, message by message as a server passes them on."""

import json
from typing import Any

import pytest
from litestar import get

from web.http.responses import Body, respond


@get("/large")
async def large() -> Body:
    return respond((b"x" * 300_000,), media_type="text/plain", headers={})


class Poster:
    """Posts a form to the gateway as a server passes it on: message by message."""

    def __init__(self, portal: Any, tenant: Any, *messages: dict[str, Any]) -> None:
        self.portal = portal
        self.tenant = tenant
        self.messages = list(messages)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return self.messages.pop(0)

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    async def post(self, path: str, *headers: tuple[bytes, bytes], method: str = "POST") -> None:
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [
                (b"host", self.tenant.host.encode()),
                (b"content-type", b"application/x-www-form-urlencoded"),
                *headers,
            ],
            "client": (self.portal.visitor().address, 50_000),
            "state": {},
        }
        await self.portal.gateway(scope, self.receive, self.send)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def connection(self) -> bytes | None:
        return dict(self.sent[0]["headers"]).get(b"connection")


@pytest.mark.parametrize("came", [[], [b"language="]])
async def test_a_client_that_hangs_up_in_its_body_is_counted_and_sent_nothing(
    portal: Any, acme: Any, came: list[bytes]
) -> None:
    messages = [{"type": "http.request", "body": body, "more_body": True} for body in came]
    poster = Poster(portal, acme, *messages, {"type": "http.disconnect"})
    await poster.post(f"{acme.path}/language", (b"content-length", b"40"))
    assert poster.sent == []
    (line,) = [json.loads(line) for line in portal.log.getvalue().splitlines()]
    assert (line["route"], line["status"], line["bytes"]) == ("/i/{token}/language", 499, 0)
    name = "portal_http_request_seconds_count"
    assert portal.count(name, method="POST", route="/i/{token}/language", status="499") == 1
    assert portal.count("portal_http_requests_in_flight_count") == 0


async def test_a_body_that_is_announced_too_large_is_not_read(portal: Any, acme: Any) -> None:
    for announced in (b"65537", b"9" * 25):
        poster = Poster(portal, acme)
        await poster.post(f"{acme.path}/language", (b"content-length", announced))
        # Nothing was received: there was nothing to receive.
        assert (poster.status, poster.connection) == (413, b"close")


async def test_an_endless_body_is_read_no_further_than_the_limit(portal: Any, acme: Any) -> None:
    part = {"type": "http.request", "body": b"x" * 10_000, "more_body": True}
    poster = Poster(portal, acme, *[part] * 100)
    await poster.post(f"{acme.path}/language", (b"transfer-encoding", b"chunked"))
    assert (poster.status, poster.connection) == (413, b"close")
    assert len(poster.messages) == 99


@pytest.mark.parametrize("announced", [b"-1", b"1e3", b"", b"x"])
async def test_a_length_that_is_no_number_is_the_clients_mistake(
    portal: Any, acme: Any, announced: bytes
) -> None:
    poster = Poster(portal, acme, {"type": "http.request", "body": b"", "more_body": False})
    await poster.post(f"{acme.path}/language", (b"content-length", announced))
    assert 400 <= poster.status < 500


async def test_a_body_nobody_reads_ends_the_connection(portal: Any, acme: Any) -> None:
    """What is left of it would be taken for the next request, or read for nothing."""
    for path, status in ((acme.path, 405), ("/i/nothing", 405), ("/nowhere", 404)):
        poster = Poster(portal, acme)
        await poster.post(path, (b"content-length", b"40"))
        assert (poster.status, poster.connection) == (status, b"close"), path


PART = {"type": "http.request", "body": b"x", "more_body": True}


@pytest.mark.parametrize("came", [0, 1, 2000])
async def test_what_comes_of_a_body_beside_a_large_response_is_dropped(
    make_portal: Any, acme: Any, capsys: pytest.CaptureFixture[str], *, came: int
) -> None:
    """Litestar receives while it streams, to learn that the client has gone: that is no failure of ours."""
    portal = make_portal(extra_handlers=[large], log_level="error")
    poster = Poster(portal, acme, *[PART] * came, {"type": "http.disconnect"})
    await poster.post("/large", (b"content-length", b"5000"), method="GET")
    assert (poster.status, poster.connection) == (200, b"close")
    logged = capsys.readouterr()
    assert "failed" not in logged.out + logged.err
    assert portal.count("portal_http_requests_in_flight_count") == 0


async def test_a_body_that_was_read_lets_the_connection_live(portal: Any, acme: Any) -> None:
    poster = Poster(portal, acme, {"type": "http.request", "body": b"language=de", "more_body": False})
    await poster.post(f"{acme.path}/language", (b"content-length", b"11"))
    assert (poster.status, poster.connection) == (403, None)
