"""The outermost layer: every request passes here first and every answer last, whatever happens within."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from structlog.contextvars import bind_contextvars, reset_contextvars

from kernel.errors import Missing, Throttled
from kernel.telemetry.logs import logger
from web.http import hosts
from web.http.addresses import client_address, is_proxy, logged_as
from web.http.assets import PREFIX as ASSETS
from web.http.bodies import BodyTooLarge, BodyTooSlow, ClientGone, has_body, whole_body
from web.http.context import KEY, Visit, joined, request_id
from web.http.errors import UNKNOWN_HOST
from web.http.security import STILL_POLICY, always

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kernel.settings import Settings
    from tenants.workspaces.profile import ResolvedHost
    from web.http.access_log import Traffic
    from web.http.answer import Answer
    from web.http.errors import Refusals
    from web.http.hosts import HostCache
    from web.http.limits import MissLimit, PageLimit
    from web.http.security import Header

    Message = dict[str, Any]
    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    # The framework's own types for these three are narrower than ASGI.
    Application = Callable[[Any, Any, Any], Awaitable[None]]

LONGEST_TARGET: Final = 2048
_UNLIMITED: Final = "/brand/"
# What may be said once only: a second one is somebody who wants two readers to see two requests.
_SINGLE: Final = (b"host", b"content-length")
_CLOSE: Final[Header] = (b"connection", b"close")
_NO_STORE: Final[Header] = (b"cache-control", b"no-store")
_POLICY_VIOLATION: Final = 1008  # RFC 6455, 7.4.1
# HEAD is a GET whose body is dropped on the way out. OPTIONS the framework would answer by itself, and name
# other methods than a 405 does: to it that is one more method that no route has.
_INNER_METHODS: Final = {"HEAD": "GET", "OPTIONS": "TRACE"}

_log: Final = logger("gateway")


class Edge:
    """ASGI application around the routed one: ids, limits, hosts, security headers, last resort, accounts."""

    def __init__(
        self,
        app: Application,
        *,
        settings: Settings,
        host_cache: HostCache[ResolvedHost],
        page_limit: PageLimit,
        host_misses: MissLimit,
        refusals: Refusals,
        traffic: Traffic,
    ) -> None:
        """Wrap `app`, whose own unrouted answers need the same care as all others."""
        self._app = app
        self._always = always(settings)
        self._trusted = settings.trusted_proxies
        self._hosts = host_cache
        self._page_limit = page_limit
        self._host_misses = host_misses
        self._refusals = refusals
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; websockets have a process of their own and are closed here."""
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})

    def turned_away(self, status: int) -> None:
        """Count what the server refused before it was a request."""
        self._traffic.arrived()
        self._traffic.left("other", "unrouted", status, 0)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = joined(scope["headers"])
        peer = scope["client"][0] if scope.get("client") else None
        visit = Visit(
            request_id=request_id(headers, from_proxy=is_proxy(peer, self._trusted)),
            headers=headers,
            address=client_address(peer, headers.get(b"x-forwarded-for", b""), self._trusted),
            is_head=scope["method"] == "HEAD",
        )
        # The server must go on seeing HEAD: it decides by it how much it may write.
        inner = {**scope, KEY: visit, "method": _INNER_METHODS.get(scope["method"], scope["method"])}
        outgoing = Outgoing(send, visit, self._always)
        bound = bind_contextvars(request=visit.request_id)
        started = time.perf_counter()
        self._traffic.arrived()
        try:
            await self._answered(inner, visit, receive, outgoing)
        finally:
            self._account(scope["method"], inner, visit, outgoing, time.perf_counter() - started)
            reset_contextvars(**bound)

    def _account(self, method: str, inner: Scope, visit: Visit, outgoing: Outgoing, took_s: float) -> None:
        # The template of the route, never the path: paths hold tokens.
        route = inner.get("path_template", "unrouted")
        self._traffic.left(method, route, outgoing.status, took_s)
        self._traffic.line(
            method=method,
            route=route,
            status=outgoing.status,
            ms=round(took_s * 1000, 1),
            bytes=outgoing.size,
            network=logged_as(visit.address),
            request=visit.request_id,
            workspace=str(visit.host.workspace.workspace_id) if visit.host else None,
        )

    async def _answered(self, inner: Scope, visit: Visit, receive: Receive, outgoing: Outgoing) -> None:
        try:
            refusal = self._refused_at_once(inner)
            if refusal is None and not inner["path"].startswith(ASSETS):
                # Files are the same on every host and held in memory: nothing is looked up for them.
                refusal = await self._admitted(inner, visit)
            if refusal is None:
                if has_body(visit.headers):
                    receive = await whole_body(visit.headers, receive)
                await self._app(inner, receive, outgoing.send)
                return
        except ClientGone:
            return
        except Exception as error:  # the last resort: nothing may leave without an answer
            if outgoing.status:
                raise
            refusal = self._failed(error, visit)
        await refusal(inner, receive, outgoing.send)

    def _refused_at_once(self, inner: Scope) -> Answer | None:
        headers = inner[KEY].headers
        raw = inner.get("raw_path") or inner["path"].encode()
        if len(raw) + len(inner["query_string"]) > LONGEST_TARGET:
            return self._refusals.answer(414, headers)
        if any(b"," in headers.get(name, b"") for name in _SINGLE):
            return self._refusals.answer(400, headers, extra=(_CLOSE,))
        return None

    async def _admitted(self, inner: Scope, visit: Visit) -> Answer | None:
        """Find the workspace of the host; return the refusal when there is none or the limit is reached."""
        if not inner["path"].startswith(_UNLIMITED):
            wait_s = await self._page_limit.wait_s(visit.address)
            if wait_s:
                return self._throttled(visit, wait_s)
        raw = visit.headers.get(b"host", b"")
        name = hosts.canonical(raw)
        if name is None:
            return UNKNOWN_HOST
        known = self._hosts.remembered(name)
        if known is not None:
            visit.host = known[0]
        elif wait_s := self._host_misses.wait_s(visit.address):
            return self._throttled(visit, wait_s)
        else:
            visit.host = await self._hosts.get(name)
            if visit.host is None:
                await self._host_misses.count(visit.address)
        if visit.host is None:
            return UNKNOWN_HOST
        if not raw.isascii() or raw != raw.strip():
            # We take a name in UTF-8, and blanks behind it (RFC 9110, 5.5), the framework does not.
            given = inner["headers"]
            inner["headers"] = [(key, name.encode() if key == b"host" else value) for key, value in given]
        return None if _is_normal(inner) else self._nowhere(visit)

    def _throttled(self, visit: Visit, wait_s: float) -> Answer:
        message = "There were too many requests from this address."
        error = Throttled("page.throttled", message, retry_after_s=wait_s)
        return self._refusals.of(error, visit.headers, visit.request_id)

    def _nowhere(self, visit: Visit) -> Answer:
        error = Missing("path.not_normal", "No path of ours is written like this.")
        return self._refusals.of(error, visit.headers, visit.request_id)

    def _failed(self, error: Exception, visit: Visit) -> Answer:
        if isinstance(error, BodyTooLarge | BodyTooSlow):
            status = 413 if isinstance(error, BodyTooLarge) else 408
            return self._refusals.answer(status, visit.headers, extra=(_CLOSE,))
        answer = self._refusals.of(error, visit.headers, visit.request_id)
        report(error, answer.status)
        return answer


class Outgoing:
    """The answer on its way out: adds what every answer carries, drops the body of a HEAD, keeps count."""

    __slots__ = ("_always", "_send", "_visit", "size", "status")

    def __init__(self, send: Send, visit: Visit, always_: tuple[Header, ...]) -> None:
        """Send through `send`."""
        self._send = send
        self._visit = visit
        self._always = always_
        self.status = 0
        self.size = 0

    async def send(self, message: Message) -> None:
        """Pass on one ASGI message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], *self._always, (b"x-request-id", self._visit.request_id.encode())]
            names = {name for name, _ in message["headers"]}
            headers.extend(each for each in (STILL_POLICY, _NO_STORE) if each[0] not in names)
            await self._send({**message, "headers": headers})
        elif message["type"] == "http.response.body":
            if self._visit.is_head:
                message = {**message, "body": b""}
            self.size += len(message.get("body", b""))
            await self._send(message)
        else:
            await self._send(message)


def _is_normal(inner: Scope) -> bool:
    """Tell whether a path is written in the one way there is: the framework would forgive slashes, doubled too."""
    path: str = inner["path"]
    raw: bytes = inner.get("raw_path") or b""
    if "//" in path or (path.endswith("/") and path != "/"):
        return False
    return b"%" not in raw or b"%2f" not in raw.lower()


def report(error: Exception, status: int) -> None:
    """Log what an error deserves: a failure of ours with its traceback, an outage in one line, else nothing."""
    if status == 500:
        _log.error("failed", exc_info=error)
    elif status == 503:
        _log.warning("unavailable", code=getattr(error, "code", ""), reason=str(error))
