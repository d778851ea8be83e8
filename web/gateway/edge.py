"""The outermost layer: every request passes here first and every answer last, whatever happens within."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from structlog.contextvars import bind_contextvars, reset_contextvars

from kernel.errors import Throttled
from kernel.telemetry.logs import logger
from web.gateway import hosts
from web.gateway.addresses import client_address, logged_as
from web.gateway.bodies import BodyTooLarge, BodyTooSlow, has_body, whole_body
from web.gateway.errors import UNKNOWN_HOST
from web.gateway.security import STILL_POLICY, always
from web.gateway.visit import KEY, Visit, joined, request_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kernel.settings import Settings
    from tenants.workspaces.profile import ResolvedHost
    from web.gateway.answer import Answer
    from web.gateway.errors import Refusals
    from web.gateway.hosts import HostCache
    from web.gateway.limits import PageLimit
    from web.gateway.security import Header
    from web.gateway.traffic import Traffic

    Message = dict[str, Any]
    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    # The framework's own types for these three are narrower than ASGI.
    Application = Callable[[Any, Any, Any], Awaitable[None]]

LONGEST_TARGET: Final = 2048
PROBES: Final = frozenset({"/healthz", "/readyz"})
_UNLIMITED: Final = ("/assets/", "/brand/")
_CLOSE: Final[Header] = (b"connection", b"close")
_NO_STORE: Final[Header] = (b"cache-control", b"no-store")
_POLICY_VIOLATION: Final = 1008  # RFC 6455, 7.4.1

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
        refusals: Refusals,
        traffic: Traffic,
    ) -> None:
        """Wrap `app`, whose own unrouted answers need the same care as all others."""
        self._app = app
        self._always = always(settings)
        self._trusted = settings.trusted_proxies
        self._hosts = host_cache
        self._page_limit = page_limit
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

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = joined(scope["headers"])
        peer = scope["client"][0] if scope.get("client") else None
        visit = Visit(
            request_id=request_id(headers),
            headers=headers,
            address=client_address(peer, headers.get(b"x-forwarded-for", b""), self._trusted),
            is_head=scope["method"] == "HEAD",
        )
        # The server must go on seeing HEAD: it decides by it how much it may write.
        inner = {**scope, KEY: visit, "method": "GET" if visit.is_head else scope["method"]}
        outgoing = Outgoing(send, visit, self._always)
        bound = bind_contextvars(request=visit.request_id)
        started = time.perf_counter()
        self._traffic.arrived()
        try:
            await self._answered(inner, visit, receive, outgoing)
        finally:
            self._account(inner, visit, outgoing, time.perf_counter() - started)
            reset_contextvars(**bound)

    def _account(self, inner: Scope, visit: Visit, outgoing: Outgoing, took_s: float) -> None:
        method = inner["method"] if not visit.is_head else "HEAD"
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
            if refusal is None and inner["path"] not in PROBES:
                refusal = await self._admitted(inner, visit)
            if refusal is None:
                if has_body(visit.headers):
                    receive = await whole_body(visit.headers, receive)
                await self._app(inner, receive, outgoing.send)
                return
        except Exception as error:  # the last resort: nothing may leave without an answer
            if outgoing.status:
                raise
            refusal = self._failed(error, visit)
        await refusal(inner, receive, outgoing.send)

    def _refused_at_once(self, inner: Scope) -> Answer | None:
        target = len(inner.get("raw_path") or inner["path"]) + len(inner["query_string"])
        if target > LONGEST_TARGET:
            return self._refusals.answer(414, inner[KEY].headers)
        return None

    async def _admitted(self, inner: Scope, visit: Visit) -> Answer | None:
        """Find the workspace of the host; return the refusal when there is none or the limit is reached."""
        if not inner["path"].startswith(_UNLIMITED):
            wait_s = await self._page_limit.wait_s(visit.address)
            if wait_s:
                message = "There were too many requests from this address."
                error = Throttled("page.throttled", message, retry_after_s=wait_s)
                return self._refusals.of(error, visit.headers, visit.request_id)
        name = hosts.canonical(visit.headers.get(b"host", b""))
        visit.host = await self._hosts.get(name) if name is not None else None
        return None if visit.host is not None else UNKNOWN_HOST

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


def report(error: Exception, status: int) -> None:
    """Log what an error deserves: a failure of ours with its traceback, an outage in one line, else nothing."""
    if status == 500:
        _log.error("failed", exc_info=error)
    elif status == 503:
        _log.warning("unavailable", code=getattr(error, "code", ""), reason=str(error))
