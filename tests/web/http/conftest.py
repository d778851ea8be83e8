"""Requests as the gateway hands them to its code, without a gateway."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from web.http.context import GatewayRequest, RequestContext, set_context
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
