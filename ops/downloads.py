"""Downloads the PDF of every seeded invoice as a program would: waits where it is told to, compares what comes."""

import hashlib
import http.client
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ops.visit import REFUSED, VisitFailed

AT_ONCE = 4
# All of them together: the first PDFs of a fresh demo are still being printed when the pages are ready.
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Download:
    """A PDF and the hash of its bytes, which is its entity tag."""

    url: str
    pdf: bytes
    sha256: str


def downloads(invoices: Sequence[Mapping[str, Any]], *, waiting: bool) -> list[Download]:
    """Fetch the PDF of each invoice that opens; `waiting` for those that are being made, else all must be there.

    Raises VisitFailed.
    """
    urls = [f"{invoice['url']}/invoice.pdf" for invoice in invoices if not REFUSED & set(invoice["tags"])]
    deadline = time.monotonic() + (PATIENCE_SECONDS if waiting else 0)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda url: _download(url, deadline), urls))


def refused(invoices: Sequence[Mapping[str, Any]]) -> int:
    """Return how many links that are no good have no PDF either; raises VisitFailed for one that has."""
    urls = [f"{invoice['url']}/invoice.pdf" for invoice in invoices if REFUSED & set(invoice["tags"])]
    for url in urls:
        if (status := _ask(url)[0]) != 404:
            message = f"{url} answered {status} instead of 404."
            raise VisitFailed(message)
    return len(urls)


def compare(before: Sequence[Download], after: Sequence[Download]) -> None:
    """Raise VisitFailed unless the same bytes came both times."""
    for old, new in zip(before, after, strict=True):
        if old.pdf != new.pdf:
            message = f"{new.url} has other bytes than before."
            raise VisitFailed(message)


def _download(url: str, deadline: float) -> Download:
    while True:
        status, headers, body = _ask(url)
        if status == 200:
            return _checked(url, headers, body)
        if status not in {202, 503} or time.monotonic() >= deadline:
            message = f"{url} answered {status}:\n{body[:400]!r}"
            raise VisitFailed(message)
        time.sleep(float(headers.get("retry-after", "1")))


def _checked(url: str, headers: Mapping[str, str], body: bytes) -> Download:
    if not body.startswith(b"%PDF-") or headers.get("content-type") != "application/pdf":
        message = f"{url} is no PDF: {headers.get('content-type')}, {body[:40]!r}"
        raise VisitFailed(message)
    sha256 = hashlib.sha256(body).hexdigest()
    if headers.get("etag") != f'"{sha256}"':
        message = f"{url} has the tag {headers.get('etag')}, which is not the hash of its bytes."
        raise VisitFailed(message)
    return Download(url, body, sha256)


def _ask(url: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=30)
    try:
        headers = {"Host": parts.netloc, "Accept": "application/pdf"}
        connection.request("GET", parts.path, headers=headers)
        response = connection.getresponse()
        return (
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read(),
        )
    finally:
        connection.close()
