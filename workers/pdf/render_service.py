"""The render service of one worker: opens renderer, fonts and blobs, and checks by probes that they work."""

from __future__ import annotations

import asyncio
import contextlib
import os
from time import monotonic
from typing import TYPE_CHECKING, Final

from kernel.blobs import Blobs
from kernel.errors import PortalError, Unavailable
from kernel.ids import new_id
from kernel.telemetry.logs import get_logger
from tenants.invoices.document.fonts import Fonts
from workers.pdf.invoice_renderer import InvoiceRenderer
from workers.pdf.renderer import Renderer, RenderLimits
from workers.pdf.sample import render_sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from kernel.clock import Clock
    from kernel.ids import WorkspaceId
    from kernel.settings import Settings
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.ids import InvoiceId
    from tenants.invoices.values import Pdf

_log: Final = get_logger("workers.pdf")
#: A successful render replaces the probes of this time.
PROBE_INTERVAL_S: Final = 15.0
_SHORTEST_RETRY_S: Final = 1.0
_LONGEST_RETRY_S: Final = 15.0
# How long a job waits for a service that is known not to work. A worker whose jobs fail at once is always free for
# the next one, and would take most jobs from the workers that can render.
_RECOVERY_WAIT_S: Final = 5.0
_NOT_PROBED: Final = "no probe has succeeded yet"
# More than a full disk may still have room for.
_PROBE_BLOB: Final = bytes(64 * 1024)
# Errors of the service itself, not of one document.
_SERVICE_ERRORS: Final = ("pdf.renderer_unavailable", "pdf.no_chromium", "blobs.unavailable")


class RenderService:
    """Renderer, blobs and invoice renderer of one worker. What cannot be opened is tried again until it can."""

    def __init__(self, settings: Settings, database: Database, metrics: Metrics, clock: Clock) -> None:
        """Load the fonts, and open nothing else yet; Unavailable("fonts.missing")."""
        self.concurrency = min(settings.job_slots, 2 * (os.cpu_count() or 1))
        """How many documents it renders at once."""
        self._settings = settings
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._fonts = Fonts.load()
        self._renderer = Renderer(
            metrics,
            executable=settings.chromium,
            limits=RenderLimits(slots=self.concurrency),
            sample=render_sample(self._fonts),
            sandbox=settings.chromium_sandbox,
        )
        self._invoice_renderer: InvoiceRenderer | None = None
        self._failure: str | None = _NOT_PROBED
        self._last_success_s = 0.0
        self._probe_requested = asyncio.Event()
        self._recovered = asyncio.Event()
        self._monitor_task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Launch the browser, and probe the service from now on."""
        self._monitor_task = asyncio.create_task(self._monitor())

    async def read_failure(self) -> str | None:
        """Return why nothing can be rendered or stored now; None when it can."""
        return self._failure

    async def ensure_pdf(
        self,
        workspace_id: WorkspaceId,
        invoice_id: InvoiceId,
        version: int,
        *,
        locale: str,
        within_s: float,
        open_unit: Callable[[], AbstractAsyncContextManager[object]],
    ) -> Pdf:
        """Do as `InvoiceRenderer.ensure_pdf`; an error of the service itself requests a probe."""
        if self._failure not in {None, _NOT_PROBED}:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RECOVERY_WAIT_S):
                    await self._recovered.wait()
        try:
            pdf = await self._get_invoice_renderer().ensure_pdf(
                workspace_id, invoice_id, version, locale=locale, within_s=within_s, open_unit=open_unit
            )
        except Unavailable as error:
            if error.code in _SERVICE_ERRORS:
                self._last_success_s = 0.0
                self._probe_requested.set()
            raise
        if self._failure is None:
            self._last_success_s = monotonic()
        return pdf

    async def close(self, *, within_s: float) -> None:
        """Close the browser; it is killed when that takes longer than `within_s`."""
        if self._monitor_task is not None:
            self._monitor_task.cancel()
            await asyncio.wait([self._monitor_task])
        try:
            async with asyncio.timeout(within_s):
                await self._renderer.close()
        except TimeoutError:
            self._renderer.kill()

    def _get_invoice_renderer(self) -> InvoiceRenderer:
        """Return the invoice renderer, opened by the first call; Unavailable("blobs.unavailable")."""
        if self._invoice_renderer is None:
            self._invoice_renderer = InvoiceRenderer(
                database=self._database,
                blobs=Blobs.open(self._settings.blobs_url),
                renderer=self._renderer,
                fonts=self._fonts,
                clock=self._clock,
                metrics=self._metrics,
            )
        return self._invoice_renderer

    async def _monitor(self) -> None:
        pause_s = _SHORTEST_RETRY_S
        while True:
            if monotonic() - self._last_success_s >= PROBE_INTERVAL_S:
                await self._probe()
            pause_s = PROBE_INTERVAL_S if self._failure is None else min(2 * pause_s, _LONGEST_RETRY_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._probe_requested.wait()
                # Many failures at once request one probe.
                pause_s = _SHORTEST_RETRY_S
                await asyncio.sleep(_SHORTEST_RETRY_S)
            self._probe_requested.clear()

    async def _probe(self) -> None:
        before = self._failure
        self._recovered.clear()
        try:
            await self._renderer.start()
            await self._probe_blobs()
        except PortalError as error:
            self._failure = str(error)
        except Exception as error:  # noqa: BLE001  -- no error may end the probes
            self._failure = f"{type(error).__name__}: {error}"
        else:
            self._failure = None
            self._last_success_s = monotonic()
            self._recovered.set()
        self._metrics.pdf_service_ready.set(self._failure is None)
        if self._failure is None and before is not None:
            _log.info("render service ready")
        elif self._failure is not None and self._failure != before:
            _log.error("render service not ready", reason=self._failure)

    async def _probe_blobs(self) -> None:
        blobs, key = self._get_invoice_renderer().blobs, f"probe/{new_id()}"
        await blobs.put(key, _PROBE_BLOB)
        await blobs.delete(key)
