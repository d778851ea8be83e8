"""Visits what the demo has seeded as a browser would: every link, one asset of each page, another workspace's host."""

import http.client
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# Links that are seeded in order to be refused.
REFUSED = frozenset({"draft", "expired-link", "revoked-link"})
_ASSET = re.compile(r"""(?:href|src)="(/assets/[^"]+)\"""")


class VisitFailed(RuntimeError):
    """A page is not what it should be; the message names it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


def fetch(url: str) -> Answer:
    """Get a URL from the loopback address, whatever its host is called (*.localhost does not resolve everywhere)."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=30)
    try:
        connection.request("GET", parts.path or "/", headers={"Host": parts.netloc, "Accept": "text/html"})
        response = connection.getresponse()
        return Answer(response.status, response.read())
    finally:
        connection.close()


def visit(workspaces: Sequence[Mapping[str, Any]], invoices: Sequence[Mapping[str, Any]]) -> int:
    """Fetch every seeded page and its assets; returns how many answers were as expected. Raises VisitFailed."""
    if not invoices or not workspaces:
        message = "Nothing was seeded."
        raise VisitFailed(message)
    assets: set[str] = set()
    seen = 0
    for invoice in invoices:
        url, tags = str(invoice["url"]), set(invoice["tags"])
        body = _expect(url, 404 if tags & REFUSED else 200)
        seen += 1
        if not tags & REFUSED:
            _expect_number(url, str(invoice["number"]), body)
            assets |= {url.partition("/i/")[0] + path for path in _ASSET.findall(body)}
    for asset in sorted(assets):
        _expect(asset, 200)
    elsewhere = _on_another_host(workspaces, next(i for i in invoices if not REFUSED & set(i["tags"])))
    if elsewhere:
        _expect(elsewhere, 404)
    return seen + len(assets) + bool(elsewhere)


def _expect(url: str, status: int) -> str:
    answer = fetch(url)
    if answer.status != status:
        message = f"{url} answered {answer.status} instead of {status}:\n{answer.body[:400]!r}"
        raise VisitFailed(message)
    return answer.body.decode("utf-8", errors="replace")


def _expect_number(url: str, number: str, body: str) -> None:
    if number not in body:
        message = f"{url} does not name its invoice {number}."
        raise VisitFailed(message)


def _on_another_host(workspaces: Sequence[Mapping[str, Any]], invoice: Mapping[str, Any]) -> str | None:
    parts = urlsplit(str(invoice["url"]))
    other = next((w for w in workspaces if w["slug"] != invoice["workspace"]), None)
    if other is None:
        return None
    host = str(other["host"]).partition(":")[0]
    return f"http://{host}:{parts.port}{parts.path}"
