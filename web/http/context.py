"""What the gateway knows of one request before its handler runs, and the request type that carries it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import parse_qsl

from litestar import Request
from litestar.datastructures import Cookie, FormMultiDict, Headers, MultiDict, State
from litestar.exceptions import ClientException
from litestar.types import Empty
from litestar.utils.scope.state import ScopeState
from werkzeug.http import parse_cookie

from kernel.errors import Denied
from kernel.ids import new_nonce
from tenants.workspaces.profile import WorkspaceProfile
from web.http.negotiation import LANGUAGES, negotiate_language
from web.http.sessions import CookieJar, Session

if TYPE_CHECKING:
    from litestar.types import Scope

LANGUAGE_COOKIE: Final = "language"
_KEY: Final = "context"
_SESSION: Final = "browser_session"
_REFUSAL: Final = "form_refusal"
_LONGEST_COOKIES: Final = 8192
_MOST_FIELDS: Final = 100
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(slots=True)
class RequestContext:
    """The client and the host of a request; the middleware fills it, handlers read it as `request.context`."""

    request_id: str
    address: str
    """The client's address, read through the trusted proxies."""
    path: str
    """The path as it was sent, decoded."""
    cookie_jar: CookieJar
    """Reads and makes cookies for this host."""
    host: str = ""
    """The canonical name of the host; empty when the Host header holds no valid name."""
    profile: WorkspaceProfile | None = None
    """The workspace of a portal domain; the other hosts belong to none."""

    @property
    def workspace(self) -> WorkspaceProfile:
        """The workspace of the portal domain; LookupError on a host that belongs to none."""
        if self.profile is None:
            raise LookupError("this host belongs to no workspace")
        return self.profile


class GatewayRequest(Request[None, None, State]):
    """Litestar's request with the context of the gateway.

    Litestar caches parsed cookies, queries and forms by their raw text: a client could fill these caches with a
    gigabyte, and they would hold what people typed. This class bounds the text and parses it without
    these caches.
    """

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies of the request; a header that is too long is cut."""
        if self._cookies is Empty:
            self._cookies = dict(parse_cookie((self.get_header("cookie") or "")[:_LONGEST_COOKIES]))
        return self._cookies

    @property
    def query_params(self) -> MultiDict[str]:
        """The parameters of the query; the length of a request's target is bounded already."""
        return MultiDict(parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True))

    async def form(self) -> FormMultiDict:
        """Return the fields of a URL-encoded form; HTTPException 400 for what is none."""
        state = ScopeState.from_scope(self.scope)
        if state.form is Empty:
            try:
                text = (await self.body()).decode()
                fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
            except ValueError:
                raise ClientException("The form cannot be read.") from None
            values: dict[str, list[str]] = {}
            for name, value in fields:
                values.setdefault(name, []).append(value)
            # Litestar takes the handler's body from here and does not parse the form again.
            state.form = {name: each[0] if len(each) == 1 else each for name, each in values.items()}
        return FormMultiDict.from_form_data(state.form)

    @property
    def context(self) -> RequestContext:
        """What the middleware knows of this request."""
        return cast("RequestContext", self.scope["state"][_KEY])

    @property
    def browser_session(self) -> Session:
        """The browser's session, the same for the whole request; a new anonymous one if it sent none."""
        state = self.scope["state"]
        if _SESSION not in state:
            state[_SESSION] = self.context.cookie_jar.read_session(self.cookies)
        return cast("Session", state[_SESSION])

    @property
    def form_refusal(self) -> Denied | None:
        """Why the form of a route that keeps its text was refused; None if it was not."""
        return cast("Denied | None", self.scope["state"].get(_REFUSAL))

    def refuse_form(self, refusal: Denied) -> None:
        """Let the handler answer that the form is refused."""
        self.scope["state"][_REFUSAL] = refusal

    @property
    def is_head(self) -> bool:
        """Whether only the headers are asked for."""
        return self.method == "HEAD"

    @property
    def route_name(self) -> str | None:
        """The name of the route; None for a request that was refused before it was routed."""
        return getattr(self.scope.get("route_handler"), "name", None)

    @property
    def chosen_language(self) -> str | None:
        """The language that the visitor has chosen on this host; None without a choice."""
        chosen = self.context.cookie_jar.read(self.cookies, LANGUAGE_COOKIE)
        return chosen if chosen in LANGUAGES else None

    @property
    def language(self) -> str:
        """The language of errors: the visitor's choice, else what the browser prefers."""
        return self.chosen_language or negotiate_language(self.get_header("accept-language"))

    def make_session_cookies(self, session: Session) -> list[Cookie]:
        """Return the session cookie for a browser that has none.

        None for a form that another site sent: it came without the browser's cookies, which this one would replace.
        """
        if self.form_refusal is not None and self.form_refusal.code == "form.origin":
            return []
        return self.context.cookie_jar.make_session_cookies(session)

    def get_header(self, name: str) -> str | None:
        """Return a header's value, those sent more than once joined (RFC 9110, 5.3); None without it."""
        return join_header(self.headers, name)


def set_context(scope: Scope, context: RequestContext) -> None:
    """Put the context where `GatewayRequest` reads it."""
    scope["state"][_KEY] = context


def join_header(headers: Headers, name: str) -> str | None:
    """Return all values of a header joined by commas; None without it."""
    values = headers.getall(name, ())
    return ",".join(values) if values else None


def choose_request_id(headers: Headers, *, from_proxy: bool) -> str:
    """Return the id that a trusted proxy gave the request when it is well formed, else a new one."""
    sent = headers.get("x-request-id") if from_proxy else None
    return sent if sent is not None and _REQUEST_ID.fullmatch(sent) else new_nonce()
