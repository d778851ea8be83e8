"""Each surface, by a test-only route mounted on it: its host, its bodies, its forms, and its form of every error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest
from litestar import MediaType, Response, Router, get, post
from litestar.params import JSONBody, URLEncodedBody

from tests.web.conftest import OpenForm
from web.http.bodies import require_media_type
from web.http.context import GatewayRequest
from web.http.forms import PURPOSE
from web.http.surface import KIBIBYTE
from web.http.unknown_host import PAGE as UNKNOWN_HOST_PAGE
from web.portal.account.routes import FORMS_WITHOUT_TOKEN

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


class Note(msgspec.Struct):
    """What the test-only routes take."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A surface, the host it answers on, the media type that it takes, and its largest body."""

    name: str
    media_type: str
    largest: int

    def host(self, tenant: Any) -> str:
        return str(tenant.host) if self.name == "portal" else f"{self.name}.localhost"

    def write(self, text: str, token: str = "") -> bytes:
        if self.media_type == JSON:
            return json.dumps({"text": text}).encode()
        return f"text={text}&form_token={token}".encode()


CASES = (
    Case("portal", FORM, 64 * KIBIBYTE),
    Case("console", FORM, 64 * KIBIBYTE),
    Case("api", JSON, 1024 * KIBIBYTE),
    Case("hooks", JSON, 256 * KIBIBYTE),
)
WITH_FORMS = CASES[:2]
# They use no right of the visitor, and no cookie: what they need is in their address.
WITHOUT_TOKEN = {path for handler in FORMS_WITHOUT_TOKEN for path in handler.paths}
by_name = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
with_forms = pytest.mark.parametrize("case", WITH_FORMS, ids=lambda case: case.name)


def routes(gateway: Any, case: Case) -> Sequence[Any]:
    """A page with a form and a route that takes it; of the machines' surfaces, a route that takes JSON."""
    services = gateway.services

    @get("/test-form", media_type=MediaType.HTML)
    async def show(request: GatewayRequest) -> Response[str]:
        cookie_jar = request.context.cookie_jar
        session = request.browser_session
        token = services.forms.issue(request.context, session, "test")
        return Response(
            f'<input name="form_token" value="{token}">', cookies=cookie_jar.make_session_cookies(session)
        )

    @post("/test-note", status_code=200, opt={PURPOSE: "test"})
    async def take_form(data: URLEncodedBody[Note]) -> dict[str, str]:
        return {"text": data.text}

    @post("/test-note", status_code=200, guards=[require_media_type(JSON)])
    async def take_json(data: JSONBody[Note]) -> dict[str, str]:
        return {"text": data.text}

    if case.media_type == JSON:
        return [take_json]
    return [show, Router("/", route_handlers=[take_form], guards=[services.forms.make_guard()])]


@dataclass(frozen=True, slots=True)
class Mounted:
    """A surface with its test-only routes, and how to ask it."""

    case: Case
    host: str
    visitor: Any

    async def open_form(self) -> OpenForm | None:
        return None if self.case.media_type == JSON else await self.visitor.open_form("/test-form", self.host)

    async def send(self, content: bytes | None = None, **headers: str) -> httpx.Response:
        """Post a note, with a good token where one is needed; `headers` replace what a browser would send."""
        form = await self.open_form()
        named = {"content_type": self.case.media_type}
        if form is not None:
            named |= {"cookie": form.cookie, "origin": f"http://{self.host}"}
        body = self.case.write("hello", form.token if form else "") if content is None else content
        answer: httpx.Response = await self.visitor.ask(
            "/test-note", self.host, method="POST", content=body, **(named | headers)
        )
        return answer


def mount(portal: Any, case: Case, tenant: Any) -> Mounted:
    for handler in routes(portal.gateway, case):
        portal.gateway.surfaces[case.name].app.register(handler)
    return Mounted(case, case.host(tenant), portal.visitor())


def assert_own_form(case: Case, answer: httpx.Response, status: int, key: str) -> None:
    """The error is shown as this surface shows errors."""
    assert answer.status_code == status
    media_type = answer.headers["content-type"]
    if case.name == "api":
        assert media_type == "application/problem+json"
        problem = answer.json()
        assert (problem["status"], problem["code"]) == (status, f"http.{key}")
        assert problem["type"] == f"http://api.localhost/problems/http.{key}"
    elif case.name == "hooks":
        assert answer.content == b""
    else:
        assert media_type == "text/html; charset=utf-8"
        assert "<h1>" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@by_name
async def test_a_good_request_reaches_the_route(portal: Any, acme: Any, case: Case) -> None:
    answer = await mount(portal, case, acme).send()
    assert (answer.status_code, answer.json()) == (200, {"text": "hello"})


@by_name
async def test_an_unknown_path_is_the_surfaces_own_404(portal: Any, acme: Any, case: Case) -> None:
    answer = await portal.visitor().ask("/nowhere", case.host(acme))
    assert_own_form(case, answer, 404, "not_found")


@by_name
async def test_a_route_of_one_surface_is_on_no_other_host(portal: Any, acme: Any, case: Case) -> None:
    mounted = mount(portal, case, acme)
    for other in CASES:
        if other != case:
            answer = await mounted.visitor.ask(
                "/test-note", other.host(acme), method="POST", content=b"", content_type=case.media_type
            )
            assert_own_form(other, answer, 404, "not_found")
    stray = await mounted.visitor.ask("/test-note", "nobody.localhost", method="POST")
    assert (stray.status_code, stray.content) == (404, UNKNOWN_HOST_PAGE)


@by_name
async def test_a_body_has_a_largest_size(portal: Any, acme: Any, case: Case) -> None:
    mounted = mount(portal, case, acme)
    form = await mounted.open_form()
    empty = len(case.write("", form.token if form else ""))
    largest = case.write("x" * (case.largest - empty), form.token if form else "")
    assert len(largest) == case.largest
    headers = {"cookie": form.cookie} if form else {}
    taken = await mounted.send(largest, **headers)
    assert taken.status_code == 200
    refused = await mounted.send(largest + b" ", **headers)
    assert_own_form(case, refused, 413, "too_large")


@by_name
async def test_an_endless_body_is_read_no_further_than_the_largest_size(
    portal: Any, acme: Any, case: Case
) -> None:
    sent = 0

    async def receive() -> dict[str, Any]:
        nonlocal sent
        sent += 16 * KIBIBYTE
        return {"type": "http.request", "body": b"x" * (16 * KIBIBYTE), "more_body": True}

    answer = await post_by_hand(mount(portal, case, acme), receive, (b"transfer-encoding", b"chunked"))
    assert_own_form(case, answer, 413, "too_large")
    assert sent <= case.largest + 16 * KIBIBYTE
    # What was not read would be taken for the next request.
    assert answer.headers["connection"] == "close"


@by_name
async def test_a_body_that_does_not_arrive_is_not_waited_for(make_portal: Any, acme: Any, case: Case) -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    mounted = mount(make_portal(body_deadline_s=0.01), case, acme)
    answer = await post_by_hand(mounted, receive, (b"content-length", b"5"))
    assert_own_form(case, answer, 408, "slow")
    assert answer.headers["connection"] == "close"


async def post_by_hand(mounted: Mounted, receive: Any, *headers: tuple[bytes, bytes]) -> httpx.Response:
    """Post with a body that httpx would not send."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/test-note",
        "raw_path": b"/test-note",
        "query_string": b"",
        "headers": [
            (b"host", mounted.host.encode()),
            (b"content-type", mounted.case.media_type.encode()),
            *headers,
        ],
        "client": (mounted.visitor.address, 50_000),
        "state": {},
    }
    await mounted.visitor.gateway(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=body)


@by_name
async def test_another_media_type_is_refused(portal: Any, acme: Any, case: Case) -> None:
    mounted = mount(portal, case, acme)
    for media_type in ("text/plain", JSON if case.media_type == FORM else FORM, ""):
        assert_own_form(case, await mounted.send(content_type=media_type), 415, "media_type")


@by_name
async def test_another_method_is_refused_and_names_those_that_are_allowed(
    portal: Any, acme: Any, case: Case
) -> None:
    mounted = mount(portal, case, acme)
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE"):
        answer = await mounted.visitor.ask("/test-note", mounted.host, method=method)
        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) == {"OPTIONS", "POST"}
        if method != "HEAD":
            assert_own_form(case, answer, 405, "method")
    options = await mounted.visitor.ask("/test-note", mounted.host, method="OPTIONS")
    assert (options.status_code, options.headers["allow"]) == (204, "OPTIONS, POST")


@with_forms
async def test_a_form_needs_the_token_of_its_page(portal: Any, acme: Any, case: Case) -> None:
    mounted = mount(portal, case, acme)
    form, other = await mounted.open_form(), await mounted.open_form()
    assert form is not None
    assert other is not None
    assert (await mounted.send(case.write("x", form.token), cookie=form.cookie)).status_code == 200
    for token, cookie in (
        ("", form.cookie),
        ("AAAA", form.cookie),
        (other.token, form.cookie),  # of another session
        (form.token, other.cookie),  # stale: the session is a new one
        (form.token, "session=a"),
        (form.token, ""),
    ):
        refused = await mounted.send(case.write("x", token), cookie=cookie)
        assert_own_form(case, refused, 403, "denied")
        assert "This form can no longer be sent" in refused.text


@with_forms
async def test_a_token_fails_on_another_host_and_in_another_workspace(
    portal: Any, tenants: Any, acme: Any, case: Case
) -> None:
    mounted = mount(portal, case, acme)
    form = await mounted.open_form()
    assert form is not None
    bolt = await tenants.make(name="Bolt Ltd")
    for other in WITH_FORMS:
        if other != case:
            mount(portal, other, bolt)
    for host in {bolt.host, "console.localhost", acme.host} - {mounted.host}:
        answer = await mounted.visitor.ask(
            "/test-note",
            host,
            method="POST",
            content=case.write("x", form.token),
            content_type=FORM,
            cookie=form.cookie,
            origin=f"http://{host}",
        )
        assert answer.status_code == 403, host


@with_forms
async def test_two_sessions_and_two_pages_have_different_tokens(portal: Any, acme: Any, case: Case) -> None:
    mounted = mount(portal, case, acme)
    one, other = await mounted.open_form(), await mounted.open_form()
    assert one is not None
    assert other is not None
    again = await mounted.visitor.ask("/test-form", mounted.host, cookie=one.cookie)
    assert "set-cookie" not in again.headers
    assert one.token not in again.text
    assert len({one.token, other.token, one.cookie, other.cookie}) == 4


@with_forms
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://{host}"},
        {"origin": "http://{host}:8443"},
        {"origin": "http://{host}", "sec_fetch_site": "cross-site"},
        {"origin": "http://{host}", "sec_fetch_site": "same-site"},
    ],
)
async def test_a_form_of_another_site_is_refused(
    portal: Any, acme: Any, case: Case, headers: dict[str, str]
) -> None:
    mounted = mount(portal, case, acme)
    answer = await mounted.send(None, **{k: v.format(host=mounted.host) for k, v in headers.items()})
    assert_own_form(case, answer, 403, "denied")
    assert "This form was sent from another site" in answer.text


@with_forms
async def test_a_form_of_the_site_itself_is_taken(portal: Any, acme: Any, case: Case) -> None:
    mounted = mount(portal, case, acme)
    assert (await mounted.send(sec_fetch_site="same-origin")).status_code == 200


async def test_every_route_that_changes_something_is_guarded(portal: Any) -> None:
    """A form without its token, or a machine's body without its media type, fails here on any surface.

    Forms that use no right of the visitor have no token, and are guarded by their origin: each is named here.
    """
    without_token = {"/links", "/mute/{token:str}", "/unmute/{token:str}"}
    for name, surface in portal.gateway.surfaces.items():
        needed = "check_form" if name in {"portal", "console"} else "check_media_type"
        for route in surface.app.routes:
            for handler in route.route_handlers:
                if handler.http_methods - {"GET", "HEAD", "OPTIONS"}:
                    has_token = name != "portal" or route.path not in without_token
                    needed_here = needed if has_token else "check_origin"
                    guards = [guard.__qualname__ for guard in handler.resolve_guards()]
                    assert any(needed_here in each for each in guards), (name, route.path)
                    assert needed_here != "check_form" or PURPOSE in handler.opt, (name, route.path)


async def test_an_unguarded_route_is_found(portal: Any) -> None:
    """The negative control of the test above."""

    @post("/unguarded")
    async def take(data: JSONBody[Note]) -> dict[str, str]:
        return {"text": data.text}

    portal.gateway.surfaces["api"].app.register(take)
    with pytest.raises(AssertionError, match="unguarded"):
        await test_every_route_that_changes_something_is_guarded(portal)


async def test_hosts_of_surfaces_cost_no_look_up(portal: Any) -> None:
    for host in ("console.localhost", "api.localhost", "hooks.localhost"):
        assert (await portal.visitor().ask("/", host)).status_code == 404
    assert portal.count("portal_host_lookups_total", result="absent") == 0


async def test_the_console_speaks_of_pages_and_not_of_invoices(portal: Any) -> None:
    answer = await portal.visitor().ask("/nowhere", "console.localhost", accept_language="de")
    assert "Seite nicht gefunden" in answer.text
    assert "Rechnung" not in answer.text
