"""Waits for PDFs that are being made: many who want the same one cost one who asks Postgres."""

from __future__ import annotations

import asyncio
import contextlib
from time import perf_counter
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from kernel.errors import Missing, Unavailable
from tenants.invoices.actions.pdfs import Expected, request_pdf
from tenants.invoices.pdfs import Pdf, kept_pdf
from web.http.bodies import ClientGone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Hashable
    from typing import Any

    from kernel.blobs import Blobs
    from kernel.ids import InvoiceId, WorkspaceId
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics

PATIENCE_S: Final = 10.0
#: Requests that may wait at once: of the connections that a gateway takes, a third stays for pages.
MOST: Final = 600
#: PDFs that may be waited for at once: each costs some looks into Postgres a second.
MOST_PDFS: Final = 100
# Most are printed in less than a second.
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 0.4

_K = TypeVar("_K", bound="Hashable")
_T = TypeVar("_T")


class Wanted(NamedTuple):
    """One PDF: a version of an invoice in a language. `is_lost`: a row tells of it, and its blob is gone."""

    workspace_id: WorkspaceId
    invoice_id: InvoiceId
    version: int
    locale: str
    is_lost: bool


class Waits:
    """Has PDFs made, and waits until they are there."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        metrics: Metrics,
        *,
        patience_s: float = PATIENCE_S,
        most: int = MOST,
        most_pdfs: int = MOST_PDFS,
    ) -> None:
        """Let nobody wait longer than `patience_s`, nor more than `most` at once."""
        self._database = database
        self._blobs = blobs
        self._metrics = metrics
        self._patience_s = patience_s
        self._most = most
        self._most_pdfs = most_pdfs
        self._asking: _Shared[Wanted, Pdf | Expected] = _Shared()
        self._looking: _Shared[Wanted, Pdf | None] = _Shared()
        self._closing = asyncio.Event()
        self._waiting = 0

    async def made(self, wanted: Wanted) -> Pdf | Expected:
        """Have a PDF made and return it, or when to ask again.

        Waits only where that may end well: not for one that is expected later than patience lasts, and not
        among too many. Errors are those of `request_pdf`, or of the store.
        """
        answer = await self._asking.run(wanted, lambda: self._ask(wanted))
        if isinstance(answer, Pdf) or answer.after_s > self._patience_s or not self._has_room(wanted):
            return answer
        found = await self._awaited(wanted)
        if found is not None or self._closing.is_set():
            return found or answer
        # What was expected did not come. Why, is known by now: it failed, or others go first.
        return await self._asking.run(wanted, lambda: self._ask(wanted))

    def drain(self) -> None:
        """Let nobody wait any longer: all who do are answered now."""
        self._closing.set()

    def _has_room(self, wanted: Wanted) -> bool:
        is_shared = wanted in self._looking or len(self._looking) < self._most_pdfs
        return is_shared and self._waiting < self._most and not self._closing.is_set()

    async def _awaited(self, wanted: Wanted) -> Pdf | None:
        began = perf_counter()
        self._waiting += 1
        self._metrics.pdf_waiting.inc()
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._looking.run(wanted, lambda: self._look(wanted))
        except TimeoutError:
            return None
        finally:
            self._waiting -= 1
            self._metrics.pdf_waiting.dec()
            self._metrics.pdf_wait_seconds.observe(perf_counter() - began)

    async def _ask(self, wanted: Wanted) -> Pdf | Expected:
        async with self._database.scope(wanted.workspace_id):
            return await request_pdf(wanted.invoice_id, wanted.version, wanted.locale, is_lost=wanted.is_lost)

    async def _look(self, wanted: Wanted) -> Pdf | None:
        """Look until the PDF is there, holding no connection meanwhile; None when the process ends first."""
        pause_s = _FIRST_PAUSE_S
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._closing.wait()
            pause_s = min(pause_s * 1.2, _LONGEST_PAUSE_S)
            # What is away may be back before patience ends.
            with contextlib.suppress(Unavailable):
                found = await self._found(wanted)
                if found is not None:
                    return found
        return None

    async def _found(self, wanted: Wanted) -> Pdf | None:
        async with self._database.scope(wanted.workspace_id, read_only=True):
            pdf = await kept_pdf(wanted.invoice_id, wanted.version, wanted.locale)
        if pdf is None:
            return None
        try:
            return pdf if await self._blobs.size(pdf.key) == pdf.size else None
        except Missing:
            return None


async def unless_gone(receive: Callable[[], Awaitable[Any]], work: Coroutine[Any, Any, _T]) -> _T:
    """Return what `work` returns, and end it with ClientGone when the client hangs up first."""
    working = asyncio.create_task(work)
    gone = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        working.cancel()
        gone.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _gone(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Run(Generic[_T]):
    __slots__ = ("task", "wanted_by")

    def __init__(self, task: asyncio.Task[_T]) -> None:
        self.task = task
        self.wanted_by = 0


class _Shared(Generic[_K, _T]):
    """One run of a thing for all who want it at the same time; it ends when nobody wants it any more."""

    def __init__(self) -> None:
        self._runs: dict[_K, _Run[_T]] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, key: _K) -> bool:
        return key in self._runs

    async def run(self, key: _K, make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Return what the run under `key` returns, or raise what it raises; `make` begins one if there is none."""
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = _Run(asyncio.create_task(make()))
        run.wanted_by += 1
        try:
            return await asyncio.shield(run.task)
        finally:
            run.wanted_by -= 1
            if run.task.done() or not run.wanted_by:
                if self._runs.get(key) is run:
                    del self._runs[key]
                run.task.cancel()
