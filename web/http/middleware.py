"""The ASGI application in front of the surfaces: it admits requests, finds their host, and completes responses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from structlog.contextvars import bind_contextvars, reset_contextvars

from kernel.client_addresses import find_client_address, format_network, is_proxy
from kernel.errors import Missing, Throttled
from web.http.assets import PREFIX as ASSETS
from web.http.bodies import CLIENT_CLOSED_REQUEST, BodyReader, has_body
from web.http.context import GatewayRequest, RequestContext, choose_request_id, join_header, set_context
from web.http.errors import UnknownHost, log_failure
from web.http.hosts import canonicalize_host
from web.http.unknown_host import render_unknown_host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.types import HTTPScope, Message, Receive, Scope, Send

    from kernel.settings import Settings
    from tenants.workspaces.profile import ResolvedHost
    from web.http.access_log import AccessLog
    from web.http.hosts import HostCache
    from web.http.sessions import CookieJar
    from web.http.surface import Surface

LONGEST_TARGET: Final = 2048
# Of a request that has one of these twice, a proxy and this server may read different values (RFC 9112, 3.2, 6.3).
_SINGLE_HEADERS: Final = ("host", "content-length")
_POLICY_VIOLATION: Final = 1008  # RFC 6455, 7.4.1


class GatewayMiddleware:
    """Picks the surface of a request by its host; limits requests, sets security headers, writes the access log."""

    def __init__(
        self,
        surfaces: Sequence[Surface],
        *,
        settings: Settings,
        host_cache: HostCache[ResolvedHost],
        access_log: AccessLog,
        body_deadline_s: float,
        cookie_jar: CookieJar,
    ) -> None:
        """Serve `surfaces`; the one whose host is None serves all portal domains."""
        self._by_host = {surface.host: surface for surface in surfaces if surface.host}
        self._portal = next(surface for surface in surfaces if not surface.host)
        self._trusted = settings.trusted_proxies
        self._host_cache = host_cache
        self._access_log = access_log
        self._body_deadline_s = body_deadline_s
        self._cookie_jar = cookie_jar

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; close a websocket, because another process serves them."""
        if scope["type"] == ScopeType.HTTP:
            await self._handle_request(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": None})

    async def _handle_request(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        headers = Headers.from_scope(scope)
        client = scope["client"]
        peer = client[0] if client else None
        context = RequestContext(
            request_id=choose_request_id(headers, from_proxy=is_proxy(peer, self._trusted)),
            address=find_client_address(peer, join_header(headers, "x-forwarded-for") or "", self._trusted),
            path=scope["path"],
            cookie_jar=self._cookie_jar,
            host=canonicalize_host(headers.get("host", "")) or "",
        )
        set_context(scope, context)
        surface = self._by_host.get(context.host, self._portal)
        body = BodyReader(receive, self._body_deadline_s) if has_body(headers) else None
        sender = ResponseSender(send, scope, context, surface, body)
        bound = bind_contextvars(request=context.request_id)
        started = time.perf_counter()
        self._access_log.begin()
        try:
            await self._answer(scope, body.receive if body else receive, sender, surface)
        finally:
            self._log_request(scope, context, sender, time.perf_counter() - started)
            reset_contextvars(**bound)

    async def _answer(
        self, scope: HTTPScope, receive: Receive, sender: ResponseSender, surface: Surface
    ) -> None:
        request = GatewayRequest(scope, receive, sender.send)
        try:
            await self._admit(request, surface)
            await surface.app(scope, receive, sender.send)
        except UnknownHost:
            response = render_unknown_host()
        except Exception as error:  # noqa: BLE001  -- every error becomes a response
            if sender.status:
                # The server closes the connection of a response that does not end, and the client sees that.
                log_failure(error, 500)
                return
            response = surface.render_error(request, error)
        else:
            return
        await response.to_asgi_response(app=None, request=request)(scope, receive, sender.send)

    async def _admit(self, request: GatewayRequest, surface: Surface) -> None:
        """Refuse what no handler may see, and find the workspace; HTTPException, Throttled, Missing, UnknownHost."""
        scope, context, path = request.scope, request.context, request.scope["path"]
        if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_TARGET:
            raise HTTPException(status_code=414)
        if any(len(request.headers.getall(name, ())) > 1 for name in _SINGLE_HEADERS):
            raise HTTPException(status_code=400, headers={"connection": "close"})
        if path.startswith(ASSETS):
            # Files are the same on every host and held in memory: nothing is looked up for them.
            return
        limit = surface.find_limit(path)
        if limit is not None and (wait_s := await limit.count_request(context.address)):
            raise _make_throttled(wait_s)
        if not context.host:
            raise UnknownHost
        if surface.host is None:
            resolved = await self._resolve(context)
            context.profile = resolved.workspace
        if not _is_normal(path, scope["raw_path"]):
            raise Missing("path.not_normal", "The path is not in normal form.")
        if (
            request.headers["host"].strip() != request.headers["host"]
            or not request.headers["host"].isascii()
        ):
            # This server accepts a name in UTF-8, and blanks after it (RFC 9110, 5.5); Litestar does not.
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [*others, (b"host", context.host.encode())]

    async def _resolve(self, context: RequestContext) -> ResolvedHost:
        # Unknown hosts are not locked out: an office shares one address, and the limit of requests bounds them.
        resolved = await self._host_cache.get(context.host)
        if resolved is None:
            raise UnknownHost
        return resolved

    def _log_request(
        self, scope: HTTPScope, context: RequestContext, sender: ResponseSender, took_s: float
    ) -> None:
        # Paths hold tokens, so the route's template is logged instead.
        route = str(scope.get("path_template", "unrouted"))
        self._access_log.finish(scope["method"], route, sender.status, took_s)
        self._access_log.write(
            method=scope["method"],
            route=route,
            status=sender.status,
            ms=round(took_s * 1000, 1),
            bytes=sender.size,
            network=format_network(context.address),
            request=context.request_id,
            workspace=str(context.profile.workspace_id) if context.profile else None,
        )


class ResponseSender:
    """Sends a response: adds the headers of its surface, drops the body of a HEAD, counts bytes."""

    __slots__ = ("_body", "_is_head", "_request_id", "_send", "_surface", "size", "status")

    def __init__(
        self, send: Send, scope: HTTPScope, context: RequestContext, surface: Surface, body: BodyReader | None
    ) -> None:
        """Send through `send`; close the connection of a request whose body was not read to its end."""
        self._send = send
        self._request_id = context.request_id
        self._is_head = scope["method"] == "HEAD"
        self._surface = surface
        self._body = body
        self.status = 0
        self.size = 0

    async def send(self, message: Message) -> None:
        """Send one ASGI message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message["headers"])
            names = {name for name, _ in headers}
            headers += self._surface.encoded_headers
            headers += [each for each in self._surface.encoded_default_headers if each[0] not in names]
            headers.append((b"x-request-id", self._request_id.encode()))
            if self._body is not None:
                self._body.is_answered = True
                if not self._body.is_complete:
                    headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            if self._is_head:
                message = {**message, "body": b""}
            self.size += len(message["body"])
        if self.status != CLIENT_CLOSED_REQUEST:
            await self._send(message)


def _is_normal(path: str, raw_path: bytes) -> bool:
    """Tell whether a path is in normal form: Litestar would ignore trailing and doubled slashes, and decode others."""
    if "//" in path or (path.endswith("/") and path != "/"):
        return False
    return b"%" not in raw_path or b"%2f" not in raw_path.lower()


def _make_throttled(wait_s: float) -> Throttled:
    return Throttled(
        "page.throttled", "There were too many requests from this address.", retry_after_s=wait_s
    )
