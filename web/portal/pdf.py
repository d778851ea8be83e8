"""The PDF of an invoice: sent in pieces when it is stored, else requested and waited for."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from litestar import HttpMethod, MediaType, Response, route
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from kernel.errors import Missing, Unavailable
from kernel.telemetry.logs import get_logger
from tenants.invoices.values import Pdf, PendingPdf
from web.http.bodies import ClientDisconnected
from web.http.conditional import PRIVATE_REVALIDATE, ByteRange, RangeNotSatisfiable, find_byte_range
from web.http.content_disposition import clean_filename, format_content_disposition
from web.http.context import GatewayRequest
from web.http.errors import read_retry_after
from web.http.negotiation import LANGUAGES, prefers_page
from web.http.responses import PIECE, Body, answer_conditions, build_validators
from web.http.security import PDF_POLICY
from web.http.templates import load_words
from web.portal.language import resolve_locale
from web.portal.pdf_pending import (
    MOST_TRIES,
    build_pending_page,
    respond_with_data,
    respond_with_page,
)
from web.portal.pdf_waiter import PdfKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kernel.blobs import Blobs
    from kernel.telemetry.metrics import Metrics
    from tenants.invoices.values import OpenedInvoice
    from web.http.errors import Problems
    from web.http.templates import Templates
    from web.portal.links import Links
    from web.portal.pdf_waiter import PdfWaiter

_MAX_NUMBER_LENGTH: Final = 80
# Seconds until the next try where nothing better is known: the store is unavailable, the blob is lost again.
_UNAVAILABLE_RETRY_S: Final = 30
_LOST_RETRY_S: Final = 1

_log: Final = get_logger("portal.pdf")


@dataclass(frozen=True, slots=True)
class PdfRequest:
    """One request for the PDF of what a link opens. `tries` counts how often the pending page has refreshed itself."""

    request: GatewayRequest
    token: str
    opened: OpenedInvoice
    language: str | None
    inline: bool
    tries: int

    @classmethod
    def read(cls, request: GatewayRequest, token: str, opened: OpenedInvoice) -> Self:
        """Read the query; invalid values are ignored."""
        query = request.query_params
        language, tries = query.get("lang"), query.get("tries", "")
        is_number = tries.isascii() and tries.isdigit() and len(tries) <= 3
        return cls(
            request,
            token,
            opened,
            language if language in LANGUAGES else None,
            "inline" in query,
            min(int(tries), MOST_TRIES) if is_number else 0,
        )

    @property
    def locale(self) -> str:
        """The locale that the PDF is in."""
        return resolve_locale(self.opened.locale, self.request.context.workspace.locale, self.language)

    @property
    def key(self) -> PdfKey:
        """The key of the requested PDF."""
        workspace_id = self.request.context.workspace.workspace_id
        return PdfKey(workspace_id, self.opened.invoice_id, self.opened.version, self.locale)

    @property
    def query(self) -> str:
        """The query that asks for the same PDF in the same way."""
        parts = (f"lang={self.language}" if self.language else "", "inline" if self.inline else "")
        return "&".join(part for part in parts if part)

    def format_content_disposition(self) -> str:
        """Return the header with the name of the file, "Rechnung 2026-0042 – Acme.pdf", in the language of the PDF."""
        number = clean_filename(self.opened.number, _MAX_NUMBER_LENGTH)
        word = load_words(self.locale).gettext("Invoice %(number)s") % {"number": number}
        return format_content_disposition(
            f"{word} – {self.request.context.workspace.name}", ".pdf", inline=self.inline
        )


class InvoicePdfs:
    """Responds with the PDFs of invoices."""

    def __init__(
        self,
        *,
        links: Links,
        blobs: Blobs,
        waiter: PdfWaiter,
        templates: Templates,
        problems: Problems,
        metrics: Metrics,
    ) -> None:
        """Read PDFs from `blobs`; wait by `waiter` for those that are not stored."""
        self._links = links
        self._blobs = blobs
        self._waiter = waiter
        self._templates = templates
        self._problems = problems
        self._count = metrics.pdf_answers

    async def respond(self, request: GatewayRequest, token: str) -> Body | Response[dict[str, object]]:
        """Return the PDF that a token opens, or the requested range, or when to try again; Missing as for the page."""
        pdf_request = PdfRequest.read(request, token, await self._open(request, token))
        try:
            pdf = await self._waiter.find(pdf_request.key)
            if pdf and (response := await self._send(pdf_request, pdf)):
                return response
            answer = await self._waiter.wait(request, pdf_request.key, is_lost=pdf is not None)
            if isinstance(answer, Pdf):
                # Meanwhile the link may have been revoked, or the invoice may have a newer version.
                pdf_request = replace(pdf_request, opened=await self._open(request, token))
                pdf = await self._waiter.find(pdf_request.key)
                if pdf and (response := await self._send(pdf_request, pdf, "waited")):
                    return response
                pending = PendingPdf(_LOST_RETRY_S)
            else:
                pending = answer
        except ClientDisconnected:
            self._count.labels("gone").inc()
            raise
        except Unavailable as error:
            _log.warning("pdf unavailable", code=error.code, reason=error.message)
            pending = PendingPdf(math.ceil(read_retry_after(error, _UNAVAILABLE_RETRY_S)), error.code)
        self._count.labels("down" if pending.code else "preparing").inc()
        if not prefers_page(request.get_header("accept")):
            return respond_with_data(self._problems, request, pending)
        return self._respond_with_page(pdf_request, pending)

    async def _open(self, request: GatewayRequest, token: str) -> OpenedInvoice:
        access = await self._links.open(request.context.workspace, token, request.browser_session)
        return access.invoice

    async def _send(self, pdf_request: PdfRequest, pdf: Pdf, outcome: str = "") -> Body | None:
        """Return the PDF, the requested range, or 304, 412 or 416; None when its blob is lost."""
        etag = f'"{pdf.sha256}"'
        if (answer := answer_conditions(pdf_request.request, etag, PRIVATE_REVALIDATE)) is not None:
            self._count.labels("not_modified" if answer.status_code == 304 else "unmet").inc()
            return answer
        headers = build_validators(etag, PRIVATE_REVALIDATE)
        try:
            byte_range = find_byte_range(pdf_request.request, etag, pdf.size)
        except RangeNotSatisfiable:
            self._count.labels("unmet").inc()
            headers["content-range"] = f"bytes */{pdf.size}"
            return Response(b"", status_code=416, headers=headers, media_type=MediaType.TEXT)
        part = byte_range or ByteRange(0, pdf.size)
        # A HEAD reads nothing.
        unread = ByteRange(part.start, part.start if pdf_request.request.is_head else part.end)
        try:
            if await self._blobs.size(pdf.key) != pdf.size:
                return None
            # The first piece is read before the response starts: an unavailable store is an error, not half a file.
            first = await self._read(pdf, unread)
        except Missing:
            return None
        headers |= {
            "accept-ranges": "bytes",
            "content-security-policy": PDF_POLICY,
            "content-length": str(part.end - part.start),
            "content-disposition": pdf_request.format_content_disposition(),
        }
        if byte_range:
            headers["content-range"] = f"bytes {byte_range.start}-{byte_range.end - 1}/{pdf.size}"
        self._count.labels(outcome or ("part" if byte_range else "hit")).inc()
        return Stream(
            self._read_pieces(pdf, first, unread),
            status_code=206 if byte_range else 200,
            headers=headers,
            media_type="application/pdf",
        )

    async def _read_pieces(self, pdf: Pdf, first: bytes, byte_range: ByteRange) -> AsyncIterator[bytes]:
        """Yield a range of a PDF in pieces; when the store fails meanwhile the response ends early."""
        yield first
        for start in range(byte_range.start + PIECE, byte_range.end, PIECE):
            yield await self._read(pdf, ByteRange(start, byte_range.end))

    async def _read(self, pdf: Pdf, byte_range: ByteRange) -> bytes:
        end = min(byte_range.start + PIECE, byte_range.end)
        return (
            await self._blobs.get(pdf.key, start=byte_range.start, end=end) if byte_range.start < end else b""
        )

    def _respond_with_page(self, pdf_request: PdfRequest, pending: PendingPdf) -> Response[bytes]:
        words = load_words(pdf_request.locale)
        page = build_pending_page(
            pending,
            words,
            tries=pdf_request.tries,
            page_url=f"/i/{pdf_request.token}",
            pdf_query=pdf_request.query,
            number=pdf_request.opened.number,
            workspace=pdf_request.request.context.workspace.name,
            inline=pdf_request.inline,
        )
        return respond_with_page(self._templates, page, pending, words)


@route("/i/{token:str}/invoice.pdf", http_method=[HttpMethod.GET, HttpMethod.HEAD], name="invoice_pdf")
async def send_invoice_pdf(
    request: GatewayRequest, token: FromPath[str], pdfs: NamedDependency[InvoicePdfs]
) -> Body | Response[dict[str, object]]:
    """Send the PDF of the invoice that a link opens."""
    return await pdfs.respond(request, token)
