"""One HTTP request to a server on this machine."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ops.ports import LOOPBACK


@dataclass(frozen=True, slots=True)
class Response:
    """Status, headers by lower-case name, and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def fetch_url(url: str, *, accept: str = "text/html", timeout_seconds: float = 30) -> Response:
    """Get a URL from the loopback address, whatever its host is: *.localhost does not resolve everywhere."""
    return _request("GET", url, None, {"Accept": accept}, timeout_seconds)


def post_json(url: str, body: Any, *, timeout_seconds: float = 30) -> Response:
    """Post JSON to a URL at the loopback address, whatever its host is."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    return _request("POST", url, json.dumps(body).encode(), headers, timeout_seconds)


def _request(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout_seconds: float
) -> Response:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(LOOPBACK, parts.port or 80, timeout=timeout_seconds)
    try:
        connection.request(method, parts.path or "/", body=body, headers={"Host": parts.netloc, **headers})
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, received, response.read())
    finally:
        connection.close()
