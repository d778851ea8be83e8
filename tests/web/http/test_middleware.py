"""The middleware: what every request passes and every response carries, whatever happens within."""

import asyncio
import base64
import hashlib
import json
import re
import secrets
from ipaddress import ip_network
from typing import Any

import idna
import pytest
from litestar import get

from kernel.errors import Conflict, Unavailable
from kernel.ids import new_token
from kernel.store import Database, execute
from web.http.responses import Body, respond
from web.http.unknown_host import PAGE as UNKNOWN_HOST_PAGE

# The visitors' own addresses are in it: each of them comes as a proxy would.
PROXIES = (ip_network("2001:db8::/32"),)
CSP = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; "
CLOSING = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


@get("/boom")
async def boom() -> None:
    raise RuntimeError("the secret recipe")


@get("/away")
async def away() -> None:
    raise Unavailable("store.unavailable", "The database is away.", host="db.internal")


@get("/large")
async def large() -> Body:
    return respond((b"x" * 300_000,), media_type="text/plain", headers={})


@get("/clash")
async def clash() -> None:
    raise Conflict("thing.changed", "It has changed.", what="nothing to see")


async def test_every_response_carries_the_same_security_headers(
    visitor: Any, acme: Any, printed: Any
) -> None:
    await printed(acme)
    expected = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin-allow-popups",
        "permissions-policy": (
            'payment=(self "https://js.stripe.com"), camera=(), microphone=(), geolocation=(), usb=()'
        ),
        "x-robots-tag": "noindex",
    }
    for path, host in (
        (acme.path, acme.host),
        (f"{acme.path}/invoice.json", acme.host),
        (f"{acme.path}/invoice.pdf", acme.host),
        ("/i/nothing", acme.host),
        ("/nowhere", acme.host),
        ("/robots.txt", acme.host),
        (acme.path, "nobody.localhost"),
    ):
        answer = await visitor.ask(path, host)
        assert {name: answer.headers[name] for name in expected} == expected, path
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; "), path
        assert answer.headers["content-security-policy"].endswith(CLOSING), path
        # Plain http is for demo and test: there is nothing to insist on.
        assert "strict-transport-security" not in answer.headers


async def test_the_other_surfaces_take_no_payments_and_forbid_what_they_do_not_need(visitor: Any) -> None:
    expected = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "payment=(), camera=(), microphone=(), geolocation=(), usb=()",
        "x-robots-tag": "noindex",
        "cache-control": "no-store",
    }
    data = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    for host, policy in (
        ("console.localhost", CSP + CLOSING),
        ("api.localhost", data),
        ("hooks.localhost", data),
    ):
        response = await visitor.ask("/nowhere", host)
        assert response.status_code == 404
        assert {name: response.headers[name] for name in expected} == expected, host
        assert response.headers["content-security-policy"] == policy
        assert "set-cookie" not in response.headers


async def test_over_https_browsers_are_told_to_stay_there(make_portal: Any, acme: Any) -> None:
    visitor = make_portal(public_scheme="https").visitor()
    answer = await visitor.ask(acme.path, acme.host)
    assert answer.headers["strict-transport-security"] == "max-age=63072000"


async def test_the_page_allows_its_own_nonce_and_nothing_else(visitor: Any, acme: Any) -> None:
    first, second = [await visitor.ask(acme.path, acme.host) for _ in range(2)]
    nonces = []
    for answer in (first, second):
        found = re.search(r"script-src 'nonce-([\w-]{22})'", answer.headers["content-security-policy"])
        assert found is not None
        nonces.append(found[1])
        assert answer.headers["content-security-policy"] == (
            f"default-src 'none'; script-src 'nonce-{found[1]}'; style-src 'self' 'nonce-{found[1]}'; "
            f"worker-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; {CLOSING}"
        )
        assert set(re.findall(r'nonce="([^"]*)"', answer.text)) == {found[1]}
        assert " style=" not in answer.text
        assert not re.search(r"\son\w+=", answer.text)
    assert nonces[0] != nonces[1]
    tokens = [re.findall(r'name="form_token" value="([^"]+)"', page.text) for page in (first, second)]
    assert tokens[0] != tokens[1]
    assert len(tokens[0]) == len(tokens[1]) == 1
    # But for what is made for each response, the pages are the same.
    assert first.text.replace(nonces[0], "").replace(tokens[0][0], "") == second.text.replace(
        nonces[1], ""
    ).replace(tokens[1][0], "")


async def test_a_request_keeps_a_well_formed_id_of_a_proxy_and_gets_a_new_one_otherwise(
    make_portal: Any, acme: Any
) -> None:
    visitor = make_portal(trusted_proxies=PROXIES).visitor()
    kept = await visitor.ask("/nowhere", acme.host, x_request_id="trace-0123456789")
    assert kept.headers["x-request-id"] == "trace-0123456789"
    for odd in ("short", "x" * 65, "with space 12345", "<script>alert(1)</script>"):
        answer = await visitor.ask("/nowhere", acme.host, x_request_id=odd)
        assert re.fullmatch(r"[\w-]{22}", answer.headers["x-request-id"])


async def test_an_id_from_anybody_else_is_replaced(make_portal: Any, acme: Any) -> None:
    for trusted in ((), (ip_network("10.0.0.0/8"),)):
        visitor = make_portal(trusted_proxies=trusted).visitor()
        answer = await visitor.ask("/nowhere", acme.host, x_request_id="trace-0123456789")
        assert re.fullmatch(r"[\w-]{22}", answer.headers["x-request-id"])


async def test_an_unknown_host_is_one_neutral_page_whatever_is_asked(visitor: Any, acme: Any) -> None:
    answers = [
        await visitor.ask(path, host)
        for path in (acme.path, "/", "/i/x", "/brand/x.png", "/robots.txt")
        for host in ("nobody.localhost", "127.0.0.1", "[::1]", "localhost", f"{acme.host}.evil.example")
    ]
    assert {(a.status_code, a.content, a.headers["content-type"]) for a in answers} == {
        (404, UNKNOWN_HOST_PAGE, "text/html; charset=utf-8")
    }


async def test_the_page_of_an_unknown_host_is_complete_in_itself(visitor: Any, acme: Any) -> None:
    answer = await visitor.ask(acme.path, "nobody.localhost")
    style = re.search(r"<style>(.*)</style>", answer.text)
    assert style is not None
    told = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{told}';" in answer.headers["content-security-policy"]
    assert re.findall(r"(?:src|href)=|url\(|<script", answer.text) == []
    assert "Acme" not in answer.text


async def test_the_host_is_found_however_it_is_written(visitor: Any, acme: Any) -> None:
    for host in (acme.host.upper(), f"{acme.host}:8000", f"{acme.host}."):
        assert (await visitor.ask(acme.path, host)).status_code == 200


async def test_a_host_in_letters_of_its_own_is_the_same_name(portal: Any, tenants: Any) -> None:
    tenant = await tenants.make()
    unicode = f"straße-{secrets.token_hex(8)}.example"
    async with tenants.database.scope(tenant.profile.workspace_id):
        await execute(
            "UPDATE portal_domain SET host = $1 WHERE workspace_id = $2",
            idna.encode(unicode).decode(),
            tenant.profile.workspace_id,
        )
    for host in (unicode, unicode.upper().replace("SS", "ß"), f"{unicode}:8000", f"{unicode} \t"):
        answer = await ask_bytes(portal, tenant.path, host.encode())
        assert answer["status"] == 200, host


@pytest.mark.parametrize("tail", [b" x", b"\xff", "ß".encode(), b"\x00", b"/x", b"@evil.example"])
async def test_a_host_that_is_no_name_is_a_plain_404(portal: Any, acme: Any, tail: bytes) -> None:
    stray = await ask_bytes(portal, acme.path, b"nobody.localhost")
    answer = await ask_bytes(portal, acme.path, acme.host.encode() + tail)
    assert answer == stray
    assert answer["status"] == 404


@pytest.mark.parametrize("name", [b"host", b"content-length"])
async def test_a_header_that_may_be_sent_once_is_refused_twice(portal: Any, acme: Any, name: bytes) -> None:
    value = {b"host": acme.host.encode(), b"content-length": b"0"}[name]
    answer = await ask_bytes(portal, acme.path, acme.host.encode(), (name, value), (b"content-length", b"0"))
    assert answer["status"] == 400


async def ask_bytes(portal: Any, path: str, host: bytes, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    """Ask with headers that httpx would not send; the status, and all of the answer but its id."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", host), *headers],
        "client": (portal.visitor().address, 50_000),
        "state": {},
    }
    await portal.gateway(scope, receive, send)
    answered = {key: value for key, value in sent[0]["headers"] if key != b"x-request-id"}
    return {"status": sent[0]["status"], "headers": answered, "body": sent[1]["body"]}


@pytest.mark.parametrize(
    "written",
    [
        "/{}",
        "/i//{t}",
        "/i/{t}//invoice.json",
        "/i/{t}/invoice.json/",
        "/i/{t}/invoice.pdf/",
        "/i%2F{t}",
        "//",
    ],
)
async def test_each_page_has_one_path(visitor: Any, acme: Any, written: str) -> None:
    path = written.format(acme.path, t=acme.token)
    answer = await visitor.ask(f"http://gateway.test{path}", acme.host)
    assert answer.status_code == 404
    assert "Invoice not found" in answer.text


@pytest.mark.parametrize("appended", ["/", "//", ".", ").", "%20", "%E2%80%8B"])
async def test_a_link_to_which_something_was_appended_leads_to_its_page(
    portal: Any, acme: Any, appended: str
) -> None:
    visitor = portal.visitor()
    for token in (acme.token, new_token()):
        answer = await visitor.ask(f"http://gateway.test/i/{token}{appended}", acme.host)
        assert (answer.status_code, answer.headers["location"], answer.content) == (302, f"/i/{token}", b"")
        # Whether the link opens is not looked at.
    assert portal.count("portal_links_not_found_total", form="token") == 0
    mistyped = await visitor.ask(f"http://gateway.test{acme.path[:-1]}{appended}", acme.host)
    assert (mistyped.status_code, "location" in mistyped.headers) == (404, False)


async def test_invented_hosts_are_bounded_by_the_limit_and_lock_nobody_out(
    make_portal: Any, acme: Any
) -> None:
    portal = make_portal(page_limit_per_minute=80)
    visitor = portal.visitor()
    codes = [(await visitor.ask("/", f"no-{n}.localhost")).status_code for n in range(40)]
    assert codes == [404] * 40
    # A host that nobody has asked for yet is looked up all the same.
    assert (await visitor.ask(acme.path, acme.host)).status_code == 200
    codes = [(await visitor.ask("/", f"other-{n}.localhost")).status_code for n in range(40)]
    assert (codes[0], codes[-1]) == (404, 429)
    assert portal.count("portal_host_lookups_total", result="absent") == 79


async def test_files_are_handed_out_without_looking_up_any_host(portal: Any) -> None:
    visitor = portal.visitor()
    name = portal.gateway.services.assets.url("portal/page.ts")
    for number in range(3):
        assert (await visitor.ask(name, f"nobody-{number}.localhost")).status_code == 200
        assert (await visitor.ask("/assets/nothing.js", f"nobody-{number}.localhost")).status_code == 404
    assert portal.count("portal_host_lookups_total", result="absent") == 0


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
    portal = make_portal(beside=[large], log_level="error")
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


async def test_the_pool_is_measured_with_those_who_wait(make_portal: Any, settings: Any) -> None:
    database = await Database.open(settings.database_url, size=1, name="crowded", acquire_timeout_s=5)
    portal = make_portal(over=database)

    async def wait() -> None:
        async with database.unbound():
            pass

    async with database.unbound():
        waiting = [asyncio.create_task(wait()) for _ in range(2)]
        await asyncio.sleep(0)
        assert portal.count("portal_pool_in_use_connections") == 1
        assert portal.count("portal_pool_waiting_count") == 2
    await asyncio.gather(*waiting)
    assert portal.count("portal_pool_waiting_count") == 0
    await database.close()


async def test_a_forwarded_host_is_ignored(visitor: Any, acme: Any) -> None:
    refused = await visitor.ask(acme.path, "nobody.localhost", x_forwarded_host=acme.host)
    assert (refused.status_code, refused.content) == (404, UNKNOWN_HOST_PAGE)
    shown = await visitor.ask(acme.path, acme.host, x_forwarded_host="nobody.localhost", forwarded="host=x")
    assert shown.status_code == 200


async def test_head_is_get_without_a_body_everywhere(visitor: Any, acme: Any, printed: Any) -> None:
    await printed(acme)
    logo = f"/brand/{(await visitor.ask(acme.path, acme.host)).text.split('/brand/')[1].split(chr(34))[0]}"
    for path in (
        acme.path,
        f"{acme.path}/invoice.json",
        f"{acme.path}/invoice.pdf",
        logo,
        "/robots.txt",
        "/nowhere",
    ):
        whole, head = [await visitor.ask(path, acme.host, method=method) for method in ("GET", "HEAD")]
        assert head.status_code == whole.status_code
        assert head.content == b""
        assert head.headers["content-length"] == whole.headers["content-length"] == str(len(whole.content))
        assert set(head.headers) == set(whole.headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
async def test_a_page_that_can_only_be_read_names_the_methods_it_takes(
    visitor: Any, acme: Any, method: str
) -> None:
    answer = await visitor.ask(acme.path, acme.host, method=method)
    assert answer.status_code == 405
    # The framework lists them in no order.
    assert sorted(answer.headers["allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]
    assert "This address does not accept that kind of request." in answer.text
    # The same for a link that opens nothing: the method is refused before the link is looked at.
    assert answer.text == (await visitor.ask("/i/nothing", acme.host, method=method)).text


async def test_options_names_what_an_address_takes(visitor: Any, acme: Any) -> None:
    for path, allowed in (
        (acme.path, "GET, HEAD, OPTIONS"),
        ("/i/nothing", "GET, HEAD, OPTIONS"),
        (f"{acme.path}/language", "OPTIONS, POST"),
    ):
        answer = await visitor.ask(path, acme.host, method="OPTIONS")
        assert (answer.status_code, answer.headers["allow"], answer.content) == (204, allowed, b"")


async def test_a_long_address_is_refused_before_anything_is_looked_up(portal: Any, acme: Any) -> None:
    visitor = portal.visitor()
    for path in ("/i/" + "x" * 2046, "/?" + "x" * 2048):
        answer = await visitor.ask(path, acme.host)
        assert answer.status_code == 414
        assert "This address is too long" in answer.text
    assert (await visitor.ask("/i/" + "x" * 2045, acme.host)).status_code == 404


async def test_too_many_requests_from_an_address_are_told_when_to_come_back(
    make_portal: Any, acme: Any
) -> None:
    portal = make_portal(page_limit_per_minute=8)
    visitor = portal.visitor()
    answers = [await visitor.ask(acme.path, acme.host) for _ in range(9)]
    assert [answer.status_code for answer in answers] == [200] * 8 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert "Wait a moment" in answers[-1].text
    # Others are not made to wait, and neither is who asks for files.
    assert (await visitor.ask(acme.path, acme.host, of="2001:db8:ffff:1::1")).status_code == 200
    assert (await visitor.ask("/assets/nothing.js", acme.host)).status_code == 404
    assert (
        portal.count("portal_rate_limit_verdicts_total", limit="page", verdict="refused", source="redis") == 1
    )


async def test_another_address_of_the_same_network_shares_the_limit(make_portal: Any, acme: Any) -> None:
    visitor = make_portal(page_limit_per_minute=4).visitor()
    network = visitor.address.removesuffix("::7")
    codes = [(await visitor.ask(acme.path, acme.host, of=f"{network}::{n}")).status_code for n in range(1, 6)]
    assert codes == [200] * 4 + [429]


async def test_a_machine_is_told_of_problems_as_json(visitor: Any, acme: Any, settings: Any) -> None:
    answer = await visitor.ask("/i/nothing", acme.host, accept="application/json")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": settings.public_url("api.localhost", "/problems/http.not_found"),
        "title": "Invoice not found",
        "status": 404,
        "detail": "The link may be incomplete, have expired or been withdrawn. Ask the sender for a new one.",
        "code": "http.not_found",
    }
    missing_data = await visitor.ask("/i/nothing/invoice.json", acme.host)
    assert missing_data.json()["code"] == "http.not_found"


async def test_each_surface_has_its_own_form_of_errors(visitor: Any, acme: Any, settings: Any) -> None:
    page = await visitor.ask("/nowhere", "console.localhost")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Page not found" in page.text
    problem = await visitor.ask("/nowhere", "api.localhost", accept="text/html")
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["type"] == settings.public_url("api.localhost", "/problems/http.not_found")
    status = await visitor.ask("/nowhere", "hooks.localhost", accept="text/html")
    assert (status.status_code, status.content) == (404, b"")


async def test_a_link_opens_on_no_other_surface(portal: Any, acme: Any) -> None:
    for host in ("console.localhost", "api.localhost", "hooks.localhost"):
        assert (await portal.visitor().ask(acme.path, host)).status_code == 404
    # Nothing was looked up for hosts that are ours.
    assert portal.count("portal_host_lookups_total", result="absent") == 0


async def test_errors_are_in_the_visitors_language(visitor: Any, acme: Any) -> None:
    german = await visitor.ask("/i/nothing", acme.host, accept_language="fr, de-AT;q=0.8, en;q=0.5")
    assert '<html lang="de" dir="ltr">' in german.text
    assert "Invoice not found" not in german.text
    english = await visitor.ask("/i/nothing", acme.host, accept_language="fr, de;q=0")
    assert "Invoice not found" in english.text
    assert german.headers["vary"] == english.headers["vary"] == "accept, accept-language, cookie"


async def test_an_unexpected_failure_shows_its_id_and_no_detail(
    make_portal: Any, acme: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    visitor = make_portal(beside=[boom], trusted_proxies=PROXIES).visitor()
    answer = await visitor.ask("/boom", acme.host, x_request_id="trace-0123456789")
    assert answer.status_code == 500
    assert "trace-0123456789" in answer.text
    assert "secret recipe" not in answer.text
    assert "RuntimeError" not in answer.text
    problem = await visitor.ask(
        "/boom", acme.host, accept="application/json", x_request_id="trace-0123456789"
    )
    assert problem.json()["request_id"] == "trace-0123456789"
    assert problem.json()["code"] == "http.failed"
    # The traceback is in the log, for us.
    logged = capsys.readouterr()
    assert "secret recipe" in logged.out + logged.err


async def test_an_outage_says_when_to_try_again(make_portal: Any, acme: Any) -> None:
    visitor = make_portal(beside=[away]).visitor()
    answer = await visitor.ask("/away", acme.host)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "db.internal" not in answer.text
    problem = await visitor.ask("/away", acme.host, accept="application/json")
    assert problem.json()["code"] == "store.unavailable"


async def test_an_error_of_ours_has_its_status_and_code(make_portal: Any, acme: Any) -> None:
    answer = await make_portal(beside=[clash]).visitor().ask("/clash", acme.host, accept="application/json")
    assert (answer.status_code, answer.json()["code"]) == (409, "thing.changed")
    assert "nothing to see" not in answer.text


async def test_when_postgres_is_gone_every_page_says_back_in_a_moment(
    make_portal: Any, acme: Any, settings: Any
) -> None:
    database = await Database.open(settings.database_url, size=1, name="about to go", acquire_timeout_s=0.2)
    visitor = make_portal(over=database).visitor()
    assert (await visitor.ask(acme.path, acme.host)).status_code == 200
    await database.close()
    # The host is cached, the page fails; another host fails while it is looked up.
    for host in (acme.host, "other.localhost"):
        answer = await visitor.ask(acme.path, host)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert "Back in a moment" in answer.text


async def test_probes_are_not_on_the_port_of_the_pages(visitor: Any, acme: Any) -> None:
    for host in (acme.host, "nobody.localhost"):
        nowhere = await visitor.ask("/nowhere", host)
        for path in ("/healthz", "/readyz", "/metrics"):
            answer = await visitor.ask(path, host)
            assert (answer.status_code, answer.content) == (404, nowhere.content)


async def test_access_lines_name_routes_and_never_tokens(portal: Any, acme: Any) -> None:
    visitor = portal.visitor()
    await visitor.ask(f"{acme.path}?token={acme.token}", acme.host, referer=f"http://x{acme.path}")
    await visitor.ask(f"{acme.path}/invoice.json", acme.host, method="HEAD")
    await visitor.ask(f"/nowhere/{acme.token}", acme.host)
    await visitor.ask(f"/i/{acme.token[:-1]}", acme.host)
    text = portal.log.getvalue()
    assert acme.token[:-1] not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("GET", "/i/{token}", 200),
        ("HEAD", "/i/{token}/invoice.json", 200),
        ("GET", "unrouted", 404),
        ("GET", "/i/{token}", 404),
    ]
    assert {line["workspace"] for line in lines} == {str(acme.profile.workspace_id)}
    assert all(
        line["network"].endswith("::/48") and visitor.address not in json.dumps(line) for line in lines
    )
    assert lines[0]["bytes"] > 1000
    assert lines[1]["bytes"] == 0


async def test_requests_are_counted_by_route_and_status(portal: Any, acme: Any) -> None:
    visitor = portal.visitor()
    await visitor.ask(acme.path, acme.host)
    await visitor.ask("/i/nothing", acme.host)
    await visitor.ask("/i/nothing", acme.host, method="BREW")
    name = "portal_http_request_seconds_count"
    assert portal.count(name, method="GET", route="/i/{token}", status="200") == 1
    assert portal.count(name, method="GET", route="/i/{token}", status="404") == 1
    assert portal.count(name, method="other", route="unrouted", status="405") == 1
    assert portal.count("portal_http_requests_in_flight_count") == 0
    assert portal.count("portal_host_lookups_total", result="found") == 1
    assert portal.count("portal_host_lookups_total", result="cached") == 2


async def test_a_websocket_is_closed_politely(portal: Any) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await portal.gateway({"type": "websocket", "path": "/i/x", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": None}]
