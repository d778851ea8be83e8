"""The middleware: what every request passes and every response carries, whatever happens within."""

import base64
import hashlib
import json
import re
import secrets
from ipaddress import ip_network
from typing import Any

import idna
import pytest

from kernel.ids import new_token
from kernel.store import execute
from web.http.unknown_host import PAGE as UNKNOWN_HOST_PAGE

# The visitors' own addresses are in it: each of them comes as a proxy would.
PROXIES = (ip_network("2001:db8::/32"),)


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


async def test_a_forwarded_host_is_ignored(visitor: Any, acme: Any) -> None:
    refused = await visitor.ask(acme.path, "nobody.localhost", x_forwarded_host=acme.host)
    assert (refused.status_code, refused.content) == (404, UNKNOWN_HOST_PAGE)
    shown = await visitor.ask(acme.path, acme.host, x_forwarded_host="nobody.localhost", forwarded="host=x")
    assert shown.status_code == 200


async def test_head_is_get_without_a_body_everywhere(visitor: Any, acme: Any, add_pdf: Any) -> None:
    await add_pdf(acme)
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
