"""The PDF behind a link: handed out in pieces when it is there, asked for and waited for when it is not."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from kernel.errors import Missing, PortalError, Unavailable
from kernel.telemetry.logs import logger
from tenants.invoices.pdfs import Pdf, kept_pdf
from web.http.answer import Answer
from web.http.bodies import ClientGone
from web.http.conditional import PRIVATE
from web.http.disposition import disposition, safe
from web.http.ranges import PreconditionFailed, RangeUnmet, Span, is_known, requested_span
from web.http.security import PDF_POLICY
from web.http.templates import words
from web.portal.pdf_pending import MOST_TRIES, Later, data_answer, later_page, page_answer, wants_page
from web.portal.pdf_waiter import Wanted, unless_gone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litestar.types import ASGIApp

    from kernel.blobs import Blobs
    from kernel.telemetry.metrics import Metrics
    from tenants.invoices.values import OpenedInvoice
    from web.http.context import Visit
    from web.http.errors import Refusals
    from web.http.security import Header
    from web.http.templates import Templates
    from web.portal.links import Links
    from web.portal.pdf_waiter import Waits

# What a reader holds in memory, twice, however slowly it reads and however large its PDF; most PDFs are one piece.
PIECE: Final = 128 * 1024
_LONGEST_NUMBER: Final = 80
# When to ask again where nobody knows when: for a store that is away, and for a PDF that went as it came.
_AWAY_S: Final = 30.0
_SOON_S: Final = 1.0
_PDF: Final[tuple[Header, ...]] = (
    (b"content-type", b"application/pdf"),
    (b"accept-ranges", b"bytes"),
    PDF_POLICY,
)

_log: Final = logger("portal.pdfs")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a PDF. `tries` is how often the waiting page has come back for it."""

    visit: Visit
    token: str
    inline: bool
    tries: int

    @classmethod
    def of(cls, visit: Visit, token: str, query: bytes) -> Asked:
        """Read what the query says; what it cannot say is not said."""
        said = parse_qs(query.decode("latin-1"), keep_blank_values=True)
        tries = said.get("tries", [""])[-1]
        is_number = tries.isascii() and tries.isdigit() and len(tries) <= 3
        return cls(visit, token, "inline" in said, min(int(tries), MOST_TRIES) if is_number else 0)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the link of a request opens, and the language that its PDF is to be in."""

    asked: Asked
    opened: OpenedInvoice
    locale: str
    pdf: Pdf | None

    @property
    def etag(self) -> str:
        return "" if self.pdf is None else f'"{self.pdf.sha256}"'

    def disposition(self) -> Header:
        """Return the name of the file: "Rechnung 2026-0042 – Acme.pdf", as the customer says it."""
        number = safe(self.opened.number, _LONGEST_NUMBER)
        word = words(self.locale).gettext("Invoice %(number)s") % {"number": number}
        stem = f"{word} – {self.asked.visit.workspace.name}"
        return disposition(stem, ".pdf", inline=self.asked.inline)


class InvoicePdfs:
    """Answers requests for the PDFs of invoices."""

    def __init__(
        self,
        *,
        links: Links,
        blobs: Blobs,
        waits: Waits,
        templates: Templates,
        refusals: Refusals,
        metrics: Metrics,
    ) -> None:
        """Read from `blobs`, and have made by `waits` what is not there."""
        self._links = links
        self._blobs = blobs
        self._waits = waits
        self._templates = templates
        self._refusals = refusals
        self._answers = metrics.pdf_answers

    def sent(self, asked: Asked) -> ASGIApp:
        """Return the application that answers; nothing is sent to who has hung up. Missing as the page."""

        async def send_answer(scope: Any, receive: Any, send: Any) -> None:
            with contextlib.suppress(ClientGone):
                answer = await self._answer(asked, receive)
                await answer(scope, receive, send)

        return send_answer

    def drain(self) -> None:
        """Let nobody wait any longer."""
        self._waits.drain()

    async def _answer(self, asked: Asked, receive: Callable[[], Awaitable[Any]]) -> ASGIApp:
        found = await self._found(asked)
        try:
            return await self._ready(found) or await self._made(found, receive)
        except Unavailable as error:
            _log.warning("pdf unavailable", code=error.code, reason=error.message)
            given = error.data.get("retry_after_s")
            after_s = float(given) if isinstance(given, int | float) else _AWAY_S
            return self._later(found, Later(after_s, error.code))

    async def _found(self, asked: Asked) -> _Found:
        """Read what the link opens now; Missing as the page."""

        async def read(opened: OpenedInvoice) -> _Found:
            locale = opened.locale or asked.visit.workspace.locale
            pdf = await kept_pdf(opened.invoice_id, opened.version, locale)
            return _Found(asked, opened, locale, pdf)

        return (await self._links.within(asked.visit, asked.token, read))[1]

    async def _made(self, found: _Found, receive: Callable[[], Awaitable[Any]]) -> ASGIApp:
        """Have the PDF made, and wait while that is likely to end well and somebody is there to be answered."""
        wanted = Wanted(
            found.asked.visit.workspace.workspace_id,
            found.opened.invoice_id,
            found.opened.version,
            found.locale,
            is_lost=found.pdf is not None,
        )
        try:
            made = await unless_gone(receive, self._waits.made(wanted))
        except ClientGone:
            self._answers.labels("gone").inc()
            raise
        if isinstance(made, Pdf):
            # While it was waited for, the link may have been revoked, and the invoice have got a newer version.
            found = await self._found(found.asked)
            ready = await self._ready(found, "waited")
            return ready or self._later(found, Later(_SOON_S))
        return self._later(found, Later(made.after_s, "pdf.unavailable" if made.is_failing else ""))

    async def _ready(self, found: _Found, outcome: str = "") -> ASGIApp | None:
        """Return the PDF, or the part asked for, or that the client has it; None when it is not there."""
        pdf, headers = found.pdf, found.asked.visit.headers
        if pdf is None:
            return None
        tagged = ((b"etag", found.etag.encode()), PRIVATE)
        span = None
        try:
            if is_known(headers, found.etag):
                return self._told("not_modified", Answer(304, tagged))
            # A HEAD has no parts (RFC 9110, 14.2).
            if not found.asked.visit.is_head:
                span = requested_span(headers, found.etag, pdf.size)
        except PreconditionFailed:
            return self._told("unmet", Answer(412, tagged))
        except RangeUnmet:
            size = (b"content-range", f"bytes */{pdf.size}".encode())
            return self._told("unmet", Answer(416, (*tagged, size)))
        body = PdfBody(self._blobs, pdf, span, (*_PDF, *tagged, found.disposition()))
        if not await body.begun(head_only=found.asked.visit.is_head):
            return None
        return self._told(outcome or ("hit" if span is None else "part"), body)

    def _later(self, found: _Found, later: Later) -> ASGIApp:
        asked = found.asked
        outcome = "down" if later.code else "preparing"
        if not wants_page(asked.visit.headers.get(b"accept", b"")):
            return self._told(outcome, data_answer(self._refusals, later, asked.visit.headers))
        language = words(found.locale)
        page = later_page(
            later,
            language,
            tries=asked.tries,
            page_url=f"/i/{asked.token}",
            number=found.opened.number,
            workspace=asked.visit.workspace.name,
            inline=asked.inline,
        )
        return self._told(outcome, page_answer(self._templates, page, later, language))

    def _told(self, outcome: str, answer: ASGIApp) -> ASGIApp:
        self._answers.labels(outcome).inc()
        return answer


class PdfBody:
    """An ASGI application that sends a PDF, or a part of it, piece by piece as the client takes them."""

    def __init__(self, blobs: Blobs, pdf: Pdf, span: Span | None, headers: tuple[Header, ...]) -> None:
        """Send all of it where there is no span."""
        self._blobs = blobs
        self._pdf = pdf
        self._status = 200 if span is None else 206
        whole = Span(0, pdf.size)
        self._at, self._end = (span or whole).start, (span or whole).end
        extra = [(b"content-length", str(self._end - self._at).encode())]
        if span is not None:
            extra.append((b"content-range", f"bytes {span.start}-{span.end - 1}/{pdf.size}".encode()))
        self._headers = (*headers, *extra)
        self._first = b""

    async def begun(self, *, head_only: bool) -> bool:
        """Read the first piece, so that what is away is known before anything is sent; False when it is not there.

        Raises Unavailable("blobs.unavailable").
        """
        try:
            if await self._blobs.size(self._pdf.key) != self._pdf.size:
                return False
            if head_only:
                self._at = self._end
            self._first = await self._piece()
        except Missing:
            return False
        return True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002  -- the names are ASGI's
        """Send it; a store that goes away midway leaves the answer short, and the client sees that it is."""
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        piece = self._first
        while self._at < self._end:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            try:
                piece = await self._piece()
            except PortalError as error:
                # The server closes the connection of an answer that does not end.
                _log.warning("pdf cut off", code=error.code, reason=error.message)
                return
        await send({"type": "http.response.body", "body": piece, "more_body": False})

    async def _piece(self) -> bytes:
        start = self._at
        self._at = min(start + PIECE, self._end)
        return await self._blobs.get(self._pdf.key, start=start, end=self._at) if start < self._at else b""
