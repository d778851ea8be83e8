"""Downloads the PDF of every seeded invoice, waiting as the responses say, and compares the bytes."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ops.dev.loopback import Response, fetch_url
from ops.dev.smoke_test import SmokeTestFailed, has_open_link

PARALLEL_DOWNLOADS = 4
# For all PDFs: those of a fresh demo are still being rendered when the pages are ready.
DEADLINE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Download:
    """A PDF and the SHA-256 of its bytes, which is its entity tag."""

    url: str
    pdf: bytes
    sha256: str


def download_pdfs(invoices: Sequence[Mapping[str, Any]], *, wait: bool) -> list[Download]:
    """Fetch the PDF of each invoice with an open link; without `wait` all must be there. Raises SmokeTestFailed."""
    urls = [_build_pdf_url(invoice) for invoice in invoices if has_open_link(invoice)]
    deadline = time.monotonic() + (DEADLINE_SECONDS if wait else 0)
    with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        return list(pool.map(lambda url: _download(url, deadline), urls))


def check_closed_links(invoices: Sequence[Mapping[str, Any]]) -> None:
    """Raise SmokeTestFailed when a link that must not open has a PDF."""
    for url in [_build_pdf_url(invoice) for invoice in invoices if not has_open_link(invoice)]:
        if (status := _fetch_pdf(url).status) != 404:
            message = f"{url} answered {status} instead of 404."
            raise SmokeTestFailed(message)


def require_same_bytes(before: Sequence[Download], after: Sequence[Download]) -> None:
    """Raise SmokeTestFailed unless both downloads of each PDF have the same bytes."""
    for old, new in zip(before, after, strict=True):
        if old.pdf != new.pdf:
            message = f"{new.url} has other bytes than before."
            raise SmokeTestFailed(message)


def _build_pdf_url(invoice: Mapping[str, Any]) -> str:
    return f"{invoice['url']}/invoice.pdf"


def _fetch_pdf(url: str) -> Response:
    return fetch_url(url, accept="application/pdf")


def _download(url: str, deadline: float) -> Download:
    while True:
        response = _fetch_pdf(url)
        if response.status == 200:
            return _read_pdf(url, response)
        if response.status not in {202, 503} or time.monotonic() >= deadline:
            message = f"{url} answered {response.status}:\n{response.body[:400]!r}"
            raise SmokeTestFailed(message)
        time.sleep(float(response.headers.get("retry-after", "1")))


def _read_pdf(url: str, response: Response) -> Download:
    media_type, etag = response.headers.get("content-type"), response.headers.get("etag")
    if not response.body.startswith(b"%PDF-") or media_type != "application/pdf":
        message = f"{url} is no PDF: {media_type}, {response.body[:40]!r}"
        raise SmokeTestFailed(message)
    sha256 = hashlib.sha256(response.body).hexdigest()
    if etag != f'"{sha256}"':
        message = f"{url} has the entity tag {etag}, which is not the SHA-256 of its bytes."
        raise SmokeTestFailed(message)
    return Download(url, response.body, sha256)
