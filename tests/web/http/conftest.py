"""Requests without a gateway, and gateways behind real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from ops.ports import find_free_port
from tests.fakes.http_server import HttpServer, Start
from tests.fakes.protocol_server import SHORT, TIMEOUT_S, BoundedServer, StartBounded, build_routes
from web.http.context import GatewayRequest, RequestContext, set_context
from web.http.server import Server
from web.http.sessions import CookieJar

MakeRequest = Callable[..., GatewayRequest]


def build_request(*, method: str = "GET", host: str = "", **headers: str | list[str]) -> GatewayRequest:
    """Return a request; header names are written with underscores, a list is a header sent more than once."""
    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [
            (name.replace("_", "-").encode(), value.encode(errors="replace"))
            for name, values in headers.items()
            for value in ([values] if isinstance(values, str) else values)
        ],
        "client": ("2001:db8::7", 50_000),
        "state": {},
    }
    context = RequestContext("request-0", "2001:db8::7", "/", CookieJar(is_secure=True), host)
    set_context(scope, context)  # type: ignore[arg-type]
    return GatewayRequest(scope)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def make_request() -> MakeRequest:
    """Build a request: `make_request(method=…, host=…, accept_encoding="gzip", …)`."""
    return build_request


@pytest.fixture
async def start(make_portal: Any, settings: Any) -> AsyncIterator[Start]:
    """Start a gateway on a port of its own: `await start(**settings)`."""
    running: list[HttpServer] = []

    async def run(**fields: Any) -> HttpServer:
        port = find_free_port()
        fields = {"trusted_proxies": (ip_network("127.0.0.0/8"),), "port": port} | fields
        portal = make_portal(**fields)
        server = Server(portal.gateway, replace(settings, **fields))
        task = asyncio.create_task(server.serve())
        async with asyncio.timeout(TIMEOUT_S):
            while not server.started:  # noqa: ASYNC110  -- uvicorn has no event for it
                await asyncio.sleep(0.01)
        running.append(HttpServer(port, portal, server, task))
        return running[-1]

    yield run
    for each in running:
        each.server.should_exit = True
        await each.task


@pytest.fixture
async def start_bounded(make_portal: Any, settings: Any) -> AsyncIterator[StartBounded]:
    """Start a gateway with short time limits: `await start_bounded(trusted_proxies=…, **bounds)`."""
    running: list[tuple[Server, asyncio.Task[None]]] = []
    servers: list[BoundedServer] = []
    gate = asyncio.Event()

    async def run(*, trusted_proxies: Any = (), **bounds: Any) -> BoundedServer:
        portal = make_portal(extra_handlers=build_routes(gate))
        fields = {"port": 0, "trusted_proxies": trusted_proxies}
        server = Server(portal.gateway, replace(settings, **fields), bounds=replace(SHORT, **bounds))
        task = asyncio.create_task(server.serve())
        running.append((server, task))
        async with asyncio.timeout(TIMEOUT_S):
            while not server.started:  # noqa: ASYNC110  -- uvicorn has no event for it
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        servers.append(BoundedServer(port, portal, gate, server.server_state))
        return servers[-1]

    yield run
    gate.set()
    for client in [client for each in servers for client in each.clients]:
        client.writer.transport.abort()
    for server, task in running:
        server.should_exit = True
        await task
