"""The edge: what every request meets and every answer carries, whatever happens within."""

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
from kernel.store import Database, execute
from web.http.unknown_host import STRAY_PAGE

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


@get("/clash")
async def clash() -> None:
    raise Conflict("thing.changed", "It has changed.", what="nothing to see")


async def test_every_answer_carries_the_same_security_headers(visitor: Any, acme: Any, printed: Any) -> None:
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
        ("/assets/nothing.js", "nobody.localhost"),
        (acme.path, "nobody.localhost"),
    ):
        answer = await visitor.ask(path, host)
        assert {name: answer.headers[name] for name in expected} == expected, path
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; "), path
        assert answer.headers["content-security-policy"].endswith(CLOSING), path
        # Plain http is for demo and test: there is nothing to insist on.
        assert "strict-transport-security" not in answer.headers


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
    assert first.text.replace(nonces[0], "") == second.text.replace(nonces[1], "")


async def test_a_request_keeps_a_well_formed_id_of_a_proxy_and_gets_a_new_one_otherwise(
    make_portal: Any, acme: Any
) -> None:
    visitor = make_portal(trusted_proxies=PROXIES).visitor()
    kept = await visitor.ask("/nowhere", acme.host, x_request_id="trace-0123456789")
    assert kept.headers["x-request-id"] == "trace-0123456789"
    for odd in ("short", "x" * 65, "with space 12345", "<script>alert(1)</script>"):
        answer = await visitor.ask("/nowhere", acme.host, x_request_id=odd)
        assert re.fullmatch(r"[\w-]{22}", answer.headers["x-request-id"])


async def test_an_id_from_anybody_else_is_not_believed(make_portal: Any, acme: Any) -> None:
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
        (404, STRAY_PAGE, "text/html; charset=utf-8")
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
async def test_what_may_be_said_once_is_not_believed_twice(portal: Any, acme: Any, name: bytes) -> None:
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
        "{}/",
        "/{}",
        "/i//{t}",
        "/i/{t}//",
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


async def test_invented_hosts_are_looked_up_until_there_are_too_many(portal: Any, acme: Any) -> None:
    visitor = portal.visitor()
    await portal.visitor().ask(acme.path, acme.host)
    codes = [(await visitor.ask("/brand/x", f"no-{n}.localhost")).status_code for n in range(40)]
    assert codes[:30] == [404] * 30
    assert codes[-1] == 429
    looked = portal.count("portal_host_lookups_total", result="absent")
    assert 30 <= looked < 40
    # A host that is known is not looked up, so nobody is kept from it.
    assert (await visitor.ask(acme.path, acme.host)).status_code == 200


async def test_files_are_handed_out_without_looking_up_any_host(portal: Any) -> None:
    visitor = portal.visitor()
    name = portal.gateway.house.assets.url("portal/page.ts")
    for number in range(3):
        assert (await visitor.ask(name, f"nobody-{number}.localhost")).status_code == 200
        assert (await visitor.ask("/assets/nothing.js", f"nobody-{number}.localhost")).status_code == 404
    assert portal.count("portal_host_lookups_total", result="absent") == 0


async def test_a_client_that_hangs_up_in_its_body_reaches_no_route(portal: Any, acme: Any) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": acme.path,
        "raw_path": acme.path.encode(),
        "query_string": b"",
        "headers": [(b"host", acme.host.encode()), (b"content-length", b"4")],
        "client": (portal.visitor().address, 50_000),
        "state": {},
    }
    await portal.gateway(scope, receive, sent.append)
    assert sent == []


async def test_the_pool_is_watched_with_those_who_wait(make_portal: Any, settings: Any) -> None:
    database = await Database.open(settings.database_url, size=1, name="crowded", patience_s=5)
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
    assert (refused.status_code, refused.content) == (404, STRAY_PAGE)
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


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_what_can_only_be_read_says_so(visitor: Any, acme: Any, method: str) -> None:
    answer = await visitor.ask(acme.path, acme.host, method=method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    # The same for a link that opens nothing: the method is refused before the link is looked at.
    assert answer.text == (await visitor.ask("/i/nothing", acme.host, method=method)).text


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
    # Others are not made to wait, and neither are files.
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


async def test_a_machine_is_told_of_problems_as_json(visitor: Any, acme: Any) -> None:
    answer = await visitor.ask("/i/nothing", acme.host, accept="application/json")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Invoice not found",
        "status": 404,
        "detail": "The link may be incomplete, have expired or been withdrawn. Ask the sender for a new one.",
        "code": "http.not_found",
    }
    missing_data = await visitor.ask("/i/nothing/invoice.json", acme.host)
    assert missing_data.json()["code"] == "http.not_found"


async def test_refusals_speak_the_visitors_language(visitor: Any, acme: Any) -> None:
    german = await visitor.ask("/i/nothing", acme.host, accept_language="fr, de-AT;q=0.8, en;q=0.5")
    assert '<html lang="de" dir="ltr">' in german.text
    assert "Invoice not found" not in german.text
    english = await visitor.ask("/i/nothing", acme.host, accept_language="fr, de;q=0")
    assert "Invoice not found" in english.text
    assert german.headers["vary"] == english.headers["vary"] == "accept, accept-language"


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
    database = await Database.open(settings.database_url, size=1, name="about to go", patience_s=0.2)
    visitor = make_portal(over=database).visitor()
    assert (await visitor.ask(acme.path, acme.host)).status_code == 200
    await database.close()
    # The host is remembered, the page fails; another host fails while it is looked up.
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
    assert sent == [{"type": "websocket.close", "code": 1008}]
