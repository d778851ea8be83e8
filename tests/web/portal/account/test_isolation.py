"""Every route of these pages: on a foreign host, with a foreign session, without its token, after its session ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kernel.ids import new_id
from kernel.store import execute
from tenants.comments.mute import MutedThread, make_mute_token
from web.http.context import RequestContext
from web.http.forms import PURPOSE
from web.http.sessions import CookieJar, Session
from web.http.unknown_host import PAGE as UNKNOWN_HOST_PAGE
from web.portal.account.routes import FORMS, FORMS_WITHOUT_TOKEN, PAGES

ANA = "ana@kunde.example"


@dataclass(frozen=True, slots=True)
class Route:
    """A path with one of its methods; `purpose` is that of its form token, None where it has none."""

    method: str
    path: str
    purpose: str | None

    def fill(self, token: str) -> str:
        """Return the path with a mute token."""
        return self.path.replace("{token:str}", token)


def list_routes() -> list[Route]:
    """Return all routes, from the handlers themselves: a new one is tried too."""
    return [
        Route(method, path, handler.opt.get(PURPOSE))
        for handler in (*PAGES, *FORMS, *FORMS_WITHOUT_TOKEN)
        for path in handler.paths
        for method in sorted(handler.http_methods - {"HEAD", "OPTIONS"})
    ]


ROUTES: Final = list_routes()
GUARDED: Final = [each for each in ROUTES if each.purpose is not None]
# What nobody sees without having signed in. The pages that sign in, and mute links, are for everybody.
PUBLIC: Final = {"/sign-in", "/sign-in/code", "/sign-in/authenticator", "/sign-out", "/links"}
PRIVATE: Final = [each for each in ROUTES if each.path not in PUBLIC and "{token" not in each.path]


def name_route(route: Route) -> str:
    return f"{route.method} {route.path}"


def issue_token(portal: Any, tenant: Any, cookie: str, purpose: str) -> str:
    """Return the form token of a session on a tenant's host."""
    context = RequestContext(
        request_id="test",
        address="::1",
        path="/",
        cookie_jar=CookieJar(is_secure=False),
        host=tenant.host,
        profile=tenant.profile,
    )
    token: str = portal.gateway.services.forms.issue(context, Session(cookie, is_new=False), purpose)
    return token


async def ask(browser: Any, route: Route, path: str, **fields: str) -> Any:
    return await (browser.open(path) if route.method == "GET" else browser.post(path, fields))


def describe(answer: Any) -> tuple[Any, ...]:
    headers = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
    return answer.status_code, answer.content, headers


def test_every_kind_of_route_is_there() -> None:
    assert len(ROUTES) >= 16
    assert {each.method for each in GUARDED} == {"POST"}
    assert {name_route(each) for each in PRIVATE} >= {"GET /", "GET /security", "POST /authenticator"}


async def test_a_host_of_nobody_has_no_such_page(make_browser: Any, acme: Any, tenants: Any) -> None:
    browser = make_browser(acme)
    browser.host = f"nobody-{new_id().hex[:8]}.localhost"
    token = make_mute_token(tenants.sealer, acme.profile.workspace_id, MutedThread(acme.invoice_id, ANA))
    answers = {name_route(each): await ask(browser, each, each.fill(token), email=ANA) for each in ROUTES}
    expected = dict.fromkeys(answers, (404, UNKNOWN_HOST_PAGE))
    assert {name: (each.status_code, each.content) for name, each in answers.items()} == expected
    assert browser.cookies == {}


async def ask_with_cookie(portal: Any, browser: Any, tenant: Any, route: Route, cookie: str) -> Any:
    """Ask with a cookie, and with a token that is right for it."""
    browser.cookies = {"session": cookie}
    fields = {"code": "123456", "session": "others"}
    if route.purpose is not None:
        fields["form_token"] = issue_token(portal, tenant, cookie, route.purpose)
    return await ask(browser, route, route.path, **fields)


async def test_a_session_of_another_workspace_is_as_good_as_none(
    portal: Any, make_browser: Any, people: Any, *, acme: Any, tenants: Any
) -> None:
    bolt = await tenants.make(name="Bolt Ltd")
    for tenant in (acme, bolt):
        await people.add(tenant, ANA)
    there, here = await people.sign_in(make_browser(bolt), bolt, ANA), make_browser(acme)
    foreign, unknown = [
        {
            name_route(each): describe(await ask_with_cookie(portal, here, acme, each, cookie))
            for each in PRIVATE
        }
        for cookie in (there.cookies["session"], "s" + "A" * 43)
    ]
    assert foreign == unknown
    assert [name for name, (status, _, _) in foreign.items() if status != 303] == []
    assert (await there.open("/security")).status_code == 200


async def test_an_ended_session_opens_nothing_any_more(
    portal: Any, make_browser: Any, people: Any, acme: Any
) -> None:
    await people.add(acme, ANA)
    browser = await people.sign_in(make_browser(acme), acme, ANA)
    cookie = browser.cookies["session"]
    async with people.database.scope(acme.profile.workspace_id):
        await execute("UPDATE session SET revoked_at = now()")
    for route in PRIVATE:
        answer = await ask_with_cookie(portal, browser, acme, route, cookie)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in"), route


async def test_a_form_without_its_token_or_from_another_site_changes_nothing(
    portal: Any, make_browser: Any, people: Any, *, acme: Any, tenants: Any
) -> None:
    bolt = await tenants.make(name="Bolt Ltd")
    await people.add(acme, ANA)
    browser = await people.sign_in(make_browser(acme), acme, ANA)
    cookie = browser.cookies["session"]
    fields = {"email": "eve@fremd.example", "code": "1", "session": "others"}
    for route in GUARDED:
        # Another address each time, so that none is limited.
        browser.visitor, purpose = portal.visitor(), str(route.purpose)
        own = {"form_token": issue_token(portal, acme, cookie, purpose)}
        for token in (
            "",
            issue_token(portal, acme, "s" + "A" * 43, purpose),
            issue_token(portal, bolt, cookie, purpose),
            issue_token(portal, acme, cookie, "another"),
        ):
            answer = await browser.post(route.path, fields | {"form_token": token})
            assert answer.status_code == 403, (route, token)
        foreign = await browser.post(route.path, fields | own, origin="https://evil.example")
        cross = await browser.post(route.path, fields | own, sec_fetch_site="cross-site")
        assert (foreign.status_code, cross.status_code) == (403, 403), route
    assert (await browser.open("/security")).status_code == 200
