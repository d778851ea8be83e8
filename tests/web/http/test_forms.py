"""Form posts: a token works for its session, host, workspace and form, and only from the page's own origin."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar, post, route
from litestar.enums import HttpMethod

from kernel.ids import WorkspaceId, new_id
from kernel.seals import Sealer
from tenants.workspaces.profile import BRAND_COLOUR, LINK_DAYS, PAYMENT_DAYS, WorkspaceProfile
from web.http.context import GatewayRequest, RequestContext, set_context
from web.http.errors import Problems
from web.http.forms import FIELD, PURPOSE, FormTokens
from web.http.sessions import CookieJar, Session
from web.http.surface import build_exception_handlers

OLD, NEW = ("old", b"o" * 32), ("new", b"n" * 32)
SESSION = Session("a" + "x" * 43, is_new=False)
OTHER_SESSION = Session("a" + "y" * 43, is_new=False)
HOST = "acme.example.com"
MULTIPART = "multipart/form-data; boundary=xyz"
URL_ENCODED = "application/x-www-form-urlencoded"


def workspace() -> WorkspaceProfile:
    return WorkspaceProfile(
        workspace_id=WorkspaceId(new_id()),
        slug="acme",
        name="Acme",
        locale="en-GB",
        time_zone="UTC",
        currency="EUR",
        brand_colour=BRAND_COLOUR,
        contact_line="",
        logo=None,
        payment_days=PAYMENT_DAYS,
        link_days=LINK_DAYS,
    )


CONTEXT = RequestContext("request-0", "2001:db8::7", "/form", CookieJar(is_secure=True), HOST, workspace())


@pytest.fixture
def tokens(settings: Any) -> FormTokens:
    return tokens_of(settings, [NEW])


def tokens_of(settings: Any, secrets: Sequence[tuple[str, bytes]], *, scheme: str = "https") -> FormTokens:
    return FormTokens(Sealer(secrets), replace(settings, public_scheme=scheme))


def test_a_token_works_for_the_form_it_was_made_for(tokens: FormTokens) -> None:
    token = tokens.issue(CONTEXT, SESSION, "language")
    assert tokens.is_valid(token, CONTEXT, SESSION, "language")
    # As often as the form is sent: a browser goes back.
    assert tokens.is_valid(token, CONTEXT, SESSION, "language")


def test_a_token_does_not_work_elsewhere(tokens: FormTokens) -> None:
    token = tokens.issue(CONTEXT, SESSION, "language")
    assert not tokens.is_valid(token, CONTEXT, OTHER_SESSION, "language")
    assert not tokens.is_valid(token, replace(CONTEXT, host="bolt.example.com"), SESSION, "language")
    assert not tokens.is_valid(token, replace(CONTEXT, profile=workspace()), SESSION, "language")
    assert not tokens.is_valid(token, replace(CONTEXT, profile=None), SESSION, "language")
    assert not tokens.is_valid(token, CONTEXT, SESSION, "payment")
    assert not tokens.is_valid(token, CONTEXT, SESSION, "")


def test_a_token_depends_on_nothing_else_of_the_request(tokens: FormTokens) -> None:
    token = tokens.issue(CONTEXT, SESSION, "language")
    other = replace(CONTEXT, request_id="request-1", address="2001:db8::8", path="/other")
    assert tokens.is_valid(token, other, replace(SESSION, is_new=True), "language")


def test_two_tokens_of_one_session_have_nothing_in_common(tokens: FormTokens) -> None:
    """The mask keeps the compressed size of a page from leaking a token (BREACH)."""
    issued = [tokens.issue(CONTEXT, SESSION, "language") for _ in range(50)]
    assert len(set(issued)) == 50
    assert {len(token) for token in issued} == {86}
    assert all(tokens.is_valid(token, CONTEXT, SESSION, "language") for token in issued)
    masked = [urlsafe_b64decode(token + "==") for token in issued]
    assert len({each[:32] for each in masked}) == len({each[32:] for each in masked}) == 50


def test_a_token_signed_with_an_older_secret_still_works(settings: Any) -> None:
    token = tokens_of(settings, [OLD]).issue(CONTEXT, SESSION, "language")
    assert tokens_of(settings, [NEW, OLD]).is_valid(token, CONTEXT, SESSION, "language")
    assert not tokens_of(settings, [NEW]).is_valid(token, CONTEXT, SESSION, "language")


def test_a_new_token_is_signed_with_the_current_secret(settings: Any) -> None:
    token = tokens_of(settings, [NEW, OLD]).issue(CONTEXT, SESSION, "language")
    assert tokens_of(settings, [NEW]).is_valid(token, CONTEXT, SESSION, "language")
    assert not tokens_of(settings, [OLD]).is_valid(token, CONTEXT, SESSION, "language")


@pytest.mark.parametrize(
    "change",
    [
        lambda _token: "",
        lambda token: token[:-4],
        lambda token: token + "AAAA",
        lambda token: token[43:] + token[:43],
        lambda token: ("B" if token[0] == "A" else "A") + token[1:],
        lambda token: token[:-1] + ("g" if token[-1] != "g" else "w"),
        lambda token: token + "ü",
        lambda token: "ü" * len(token),
        lambda token: token * 1000,
        # A mask, and nothing: equal to no hash.
        lambda _token: urlsafe_b64encode(bytes(32)).decode(),
        lambda _token: urlsafe_b64encode(bytes(64)).decode(),
        lambda _token: urlsafe_b64encode(bytes(65)).decode(),
    ],
)
def test_a_changed_token_does_not_work(tokens: FormTokens, change: Any) -> None:
    token = change(tokens.issue(CONTEXT, SESSION, "language"))
    assert not tokens.is_valid(token, CONTEXT, SESSION, "language")


@given(st.text() | st.binary(max_size=100).map(lambda each: urlsafe_b64encode(each).decode()))
def test_garbage_is_no_token(text: str) -> None:
    tokens = FormTokens(Sealer([NEW]), _Settings())  # type: ignore[arg-type]
    assert not tokens.is_valid(text, CONTEXT, SESSION, "language")


class _Settings:
    """The one setting that tokens read: a fixture would be made anew for no example."""

    public_scheme = "https"


@route("/form", http_method=[HttpMethod.GET, HttpMethod.POST], opt={PURPOSE: "language"}, status_code=200)
async def take_form() -> bytes:
    return b"taken"


@post("/payment", opt={PURPOSE: "payment"}, status_code=200)
async def take_payment() -> bytes:
    return b"taken"


async def send_form(
    tokens: FormTokens,
    settings: Any,
    *,
    method: str = "POST",
    path: str = "/form",
    content: bytes | None = None,
    token: str | None = None,
    session: Session | None = SESSION,
    cookie_name: str = "__Host-session",
    headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Send a form to the guarded routes; the status, and the code of the problem."""
    app = Litestar(
        [take_form, take_payment],
        guards=[tokens.make_guard()],
        request_class=GatewayRequest,
        request_max_body_size=64 * 1024,
        exception_handlers=build_exception_handlers(Problems(settings)),
        openapi_config=None,
        logging_config=None,
    )

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})
        set_context(scope, CONTEXT)
        await app(scope, receive, send)

    if content is None:
        content = urlencode({FIELD: token} if token is not None else {"language": "de"}).encode()
    sent = {"host": HOST, "content-type": URL_ENCODED}
    sent |= headers or {}
    if session is not None:
        sent["cookie"] = f"{cookie_name}={session.value}"
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        response = await client.request(method, path, content=content, headers=sent)
    return response.status_code, "" if response.status_code == 200 else response.json()["code"]


async def test_a_form_with_its_token_is_taken(tokens: FormTokens, settings: Any) -> None:
    token = tokens.issue(CONTEXT, SESSION, "language")
    assert await send_form(tokens, settings, token=token) == (200, "")


async def test_what_changes_nothing_needs_no_token(tokens: FormTokens, settings: Any) -> None:
    response = await send_form(
        tokens, settings, method="GET", content=b"", headers={"sec-fetch-site": "cross-site"}
    )
    assert response == (200, "")


async def test_a_form_without_its_token_is_refused(tokens: FormTokens, settings: Any) -> None:
    refused = (403, "form.token")
    good = tokens.issue(CONTEXT, SESSION, "language")
    assert await send_form(tokens, settings) == refused
    assert await send_form(tokens, settings, content=b"") == refused
    assert await send_form(tokens, settings, token="garbage") == refused
    assert await send_form(tokens, settings, token=good, session=None) == refused
    assert await send_form(tokens, settings, token=good, session=OTHER_SESSION) == refused
    # Over https only the cookie that no neighbouring host can set is read.
    assert await send_form(tokens, settings, token=good, cookie_name="session") == refused
    assert await send_form(tokens, settings, token=good, path="/payment") == refused
    # Two of them are no token.
    assert await send_form(tokens, settings, content=f"{FIELD}=x&{FIELD}={good}".encode()) == refused


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", MULTIPART, ""])
async def test_what_is_no_form_is_refused(tokens: FormTokens, settings: Any, content_type: str) -> None:
    token = tokens.issue(CONTEXT, SESSION, "language")
    response = await send_form(tokens, settings, token=token, headers={"content-type": content_type})
    assert response == (415, "http.media_type")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"\xff\xfe=1", 400),
        (b"a=%ff", 400),
        (b"&&&===", 403),
        (b"&".join(b"f%d=" % number for number in range(101)), 400),
    ],
)
async def test_a_body_that_cannot_be_read_is_the_senders_mistake(
    tokens: FormTokens, settings: Any, content: bytes, status: int
) -> None:
    answered, _code = await send_form(tokens, settings, content=content)
    assert answered == status


@pytest.mark.parametrize(
    ("origin", "site", "is_taken"),
    [
        # No browser of today sends neither: the token decides.
        (None, None, True),
        (f"https://{HOST}", None, True),
        (f"https://{HOST}:443", None, True),
        (f"https://{HOST.upper()}", None, True),
        (f"https://{HOST}", "same-origin", True),
        (None, "same-origin", True),
        (None, "same-site", False),
        (None, "cross-site", False),
        (None, "none", False),
        (f"https://{HOST}", "cross-site", False),
        (f"https://{HOST}", "same-site", False),
        (f"http://{HOST}", None, False),
        (f"https://{HOST}:8443", None, False),
        ("https://bolt.example.com", None, False),
        ("https://bolt.example.com", "same-origin", False),
        (f"https://{HOST}.evil.example", None, False),
        (f"https://evil.example/{HOST}", None, False),
        ("null", None, False),
        ("", None, False),
        ("https://", None, False),
        (f"https://{HOST}:port", None, False),
        (f"https://{HOST}:99999", None, False),
        ("https://[::1", None, False),
    ],
)
async def test_only_the_pages_own_origin_may_send_a_form(
    tokens: FormTokens, settings: Any, *, origin: str | None, site: str | None, is_taken: bool
) -> None:
    headers = {
        name: value for name, value in (("origin", origin), ("sec-fetch-site", site)) if value is not None
    }
    token = tokens.issue(CONTEXT, SESSION, "language")
    response = await send_form(tokens, settings, token=token, headers=headers)
    assert response == ((200, "") if is_taken else (403, "form.origin"))


@pytest.mark.parametrize(
    ("host", "origin", "is_taken"),
    [
        (f"{HOST}:8000", f"http://{HOST}:8000", True),
        (f"{HOST}:80", f"http://{HOST}", True),
        (f"{HOST}.", f"http://{HOST}", True),
        (f"{HOST}:8000", f"http://{HOST}", False),
        (f"{HOST}:8000", f"http://{HOST}:8001", False),
        (HOST, f"https://{HOST}", False),
        (f"{HOST}:port", f"http://{HOST}", False),
    ],
)
async def test_the_port_is_part_of_the_origin(
    settings: Any, host: str, origin: str, *, is_taken: bool
) -> None:
    tokens = tokens_of(settings, [NEW], scheme="http")
    token = tokens.issue(CONTEXT, SESSION, "language")
    status, _code = await send_form(tokens, settings, token=token, headers={"host": host, "origin": origin})
    assert (status == 200) is is_taken


async def test_a_form_of_another_site_is_not_even_read(tokens: FormTokens, settings: Any) -> None:
    # 413 would say that the body was looked at before the origin.
    response = await send_form(
        tokens, settings, content=b"x" * 100_000, headers={"origin": "https://bolt.example.com"}
    )
    assert response == (403, "form.origin")
    assert await send_form(tokens, settings, content=b"x" * 100_000) == (413, "http.too_large")
