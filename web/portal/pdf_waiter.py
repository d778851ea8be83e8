"""Requests PDFs and waits for them; concurrent requests for the same PDF share their queries."""

from __future__ import annotations

import asyncio
import contextlib
from time import perf_counter
from typing import TYPE_CHECKING, Final, NamedTuple

from kernel.errors import Missing, Unavailable
from kernel.single_flight import SingleFlight
from tenants.invoices.actions.pdfs import request_pdf
from tenants.invoices.queries import find_pdf
from tenants.invoices.values import Pdf, PendingPdf
from web.http.bodies import ClientDisconnected

if TYPE_CHECKING:
    from kernel.blobs import Blobs
    from kernel.ids import WorkspaceId
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.ids import InvoiceId
    from web.http.context import GatewayRequest

LONGEST_WAIT_S: Final = 10.0
#: Requests that may wait at once; a third of the connections of a gateway stays free for pages.
MOST_WAITING: Final = 600
#: PDFs that may be waited for at once: each costs some queries a second.
MOST_PDFS: Final = 100
# Most are rendered in less than a second.
_FIRST_PAUSE_S: Final = 0.1
_MAX_PAUSE_S: Final = 0.4


class PdfKey(NamedTuple):
    """Names the PDF of one version of an invoice, in one locale."""

    workspace_id: WorkspaceId
    invoice_id: InvoiceId
    version: int
    locale: str


class PdfWaiter:
    """Requests PDFs and waits until they are stored."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        metrics: Metrics,
        *,
        longest_wait_s: float = LONGEST_WAIT_S,
        most_waiting: int = MOST_WAITING,
        most_pdfs: int = MOST_PDFS,
    ) -> None:
        """Let no request wait longer than `longest_wait_s`, nor more than `most_waiting` at once."""
        self._database = database
        self._blobs = blobs
        self._metrics = metrics
        self._longest_wait_s = longest_wait_s
        self._most_waiting = most_waiting
        self._most_pdfs = most_pdfs
        self._requests: SingleFlight[tuple[PdfKey, bool], Pdf | PendingPdf] = SingleFlight(
            cancel_abandoned=True
        )
        self._polls: SingleFlight[PdfKey, Pdf | None] = SingleFlight(cancel_abandoned=True)
        self._closing = asyncio.Event()
        self._waiting = 0

    async def find(self, key: PdfKey) -> Pdf | None:
        """Return the row of a PDF, None when it was never rendered; its blob may be lost."""
        async with self._database.scope(key.workspace_id, read_only=True):
            return await find_pdf(key.invoice_id, key.version, key.locale)

    async def wait(self, request: GatewayRequest, key: PdfKey, *, is_lost: bool) -> Pdf | PendingPdf:
        """Request a PDF and return it, or when to try again; ClientDisconnected when the client disconnects.

        `is_lost`: there is a row of the PDF, and its blob is gone. Errors are those of `request_pdf`, or of the store.
        """
        waiting = asyncio.create_task(self.request_and_wait(key, is_lost=is_lost))
        disconnected = asyncio.create_task(_receive_disconnect(request))
        try:
            await asyncio.wait({waiting, disconnected}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                # Raises for a body that does not arrive.
                disconnected.result()
                raise ClientDisconnected
            return waiting.result()
        finally:
            waiting.cancel()
            disconnected.cancel()
            await asyncio.gather(waiting, disconnected, return_exceptions=True)

    async def request_and_wait(self, key: PdfKey, *, is_lost: bool = False) -> Pdf | PendingPdf:
        """Request a PDF, and wait until it is stored.

        It does not wait for a PDF that is expected later than `longest_wait_s`, nor when too many requests wait.
        """
        answer = await self._request(key, is_lost=is_lost)
        if isinstance(answer, Pdf) or answer.after_s > self._longest_wait_s or not self._has_room(key):
            return answer
        found = await self._poll_for_some_time(key)
        if found is not None or self._closing.is_set():
            return found or answer
        # The PDF did not come in time. The next answer knows why: it failed, or others go first.
        return await self._request(key, is_lost=is_lost)

    def drain(self) -> None:
        """End the waiting: requests that wait are answered now."""
        self._closing.set()

    def _has_room(self, key: PdfKey) -> bool:
        is_shared = key in self._polls or len(self._polls) < self._most_pdfs
        return is_shared and self._waiting < self._most_waiting and not self._closing.is_set()

    async def _request(self, key: PdfKey, *, is_lost: bool) -> Pdf | PendingPdf:
        async def request() -> Pdf | PendingPdf:
            async with self._database.scope(key.workspace_id):
                return await request_pdf(key.invoice_id, key.version, key.locale, is_lost=is_lost)

        return await self._requests.run((key, is_lost), request)

    async def _poll_for_some_time(self, key: PdfKey) -> Pdf | None:
        began = perf_counter()
        self._waiting += 1
        self._metrics.pdf_waiting.inc()
        try:
            async with asyncio.timeout(self._longest_wait_s):
                return await self._polls.run(key, lambda: self._poll(key))
        except TimeoutError:
            return None
        finally:
            self._waiting -= 1
            self._metrics.pdf_waiting.dec()
            self._metrics.pdf_wait_seconds.observe(perf_counter() - began)

    async def _poll(self, key: PdfKey) -> Pdf | None:
        """Poll until the PDF is there, holding no connection meanwhile; None when the process ends first."""
        pause_s = _FIRST_PAUSE_S
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._closing.wait()
            pause_s = min(pause_s * 1.2, _MAX_PAUSE_S)
            # A store that is unavailable may return before the wait ends.
            with contextlib.suppress(Unavailable, Missing):
                pdf = await self.find(key)
                if pdf is not None and await self._blobs.size(pdf.key) == pdf.size:
                    return pdf
        return None


async def _receive_disconnect(request: GatewayRequest) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
