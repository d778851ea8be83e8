"""One HTTP request to a server on this machine."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
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
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(LOOPBACK, parts.port or 80, timeout=timeout_seconds)
    try:
        connection.request("GET", parts.path or "/", headers={"Host": parts.netloc, "Accept": accept})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, headers, response.read())
    finally:
        connection.close()
