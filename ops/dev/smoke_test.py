"""Fetches the seeded pages: every link, the assets of each page, one link on the host of another workspace."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ops.dev.loopback import fetch_url

# Tags of seeded invoices whose links must not open.
CLOSED_LINKS = frozenset({"draft", "expired-link", "revoked-link"})
_ASSET = re.compile(r"""(?:href|src)="(/assets/[^"]+)\"""")


class SmokeTestFailed(RuntimeError):
    """A response is not as expected; the message names its URL."""


def has_open_link(invoice: Mapping[str, Any]) -> bool:
    """Whether the link of a seeded invoice opens."""
    return not CLOSED_LINKS & set(invoice["tags"])


def check_pages(workspaces: Sequence[Mapping[str, Any]], invoices: Sequence[Mapping[str, Any]]) -> int:
    """Fetch every seeded page and its assets; returns the number of responses. Raises SmokeTestFailed."""
    if not invoices or not workspaces:
        message = "Nothing was seeded."
        raise SmokeTestFailed(message)
    assets: set[str] = set()
    for invoice in invoices:
        url, is_open = str(invoice["url"]), has_open_link(invoice)
        body = _fetch_expecting(url, 200 if is_open else 404)
        if is_open:
            _require_number(url, str(invoice["number"]), body)
            assets |= {url.partition("/i/")[0] + path for path in _ASSET.findall(body)}
    for asset in sorted(assets):
        _fetch_expecting(asset, 200)
    foreign = _build_foreign_url(workspaces, next(filter(has_open_link, invoices)))
    if foreign:
        _fetch_expecting(foreign, 404)
    return len(invoices) + len(assets) + bool(foreign)


def _fetch_expecting(url: str, status: int) -> str:
    response = fetch_url(url)
    if response.status != status:
        message = f"{url} answered {response.status} instead of {status}:\n{response.body[:400]!r}"
        raise SmokeTestFailed(message)
    return response.body.decode("utf-8", errors="replace")


def _require_number(url: str, number: str, body: str) -> None:
    if number not in body:
        message = f"{url} does not contain its invoice number {number}."
        raise SmokeTestFailed(message)


def _build_foreign_url(workspaces: Sequence[Mapping[str, Any]], invoice: Mapping[str, Any]) -> str | None:
    """Return the invoice's link on the host of another workspace."""
    parts = urlsplit(str(invoice["url"]))
    other = next((w for w in workspaces if w["slug"] != invoice["workspace"]), None)
    if other is None:
        return None
    host = str(other["host"]).partition(":")[0]
    return f"http://{host}:{parts.port}{parts.path}"
