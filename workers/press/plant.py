"""All that a worker prints with, opened together and watched: a canary is printed and stored whenever it is quiet."""

from __future__ import annotations

import asyncio
import contextlib
import os
from time import monotonic
from typing import TYPE_CHECKING, Final

import structlog

from kernel.blobs import Blobs
from kernel.errors import PortalError, Unavailable
from kernel.ids import new_id
from tenants.invoices.document.fonts import Fonts
from workers.press.press import Limits, Press
from workers.press.printer import Printer
from workers.press.sample import sample_sheet

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from kernel.clock import Clock
    from kernel.ids import InvoiceId, WorkspaceId
    from kernel.settings import Settings
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.invoices.pdfs import Pdf

_LOG: Final = structlog.get_logger()
#: A print that went well says for so many seconds what a canary would.
QUIET_S: Final = 15.0
_SOONEST_S: Final = 1.0
_LATEST_S: Final = 15.0
# So long a job is kept from failing where printing is known to be broken. A worker that fails at once is always the
# first to be free, and would take the next job too, from those that print.
_HELD_BACK_S: Final = 5.0
_NOT_YET: Final = "nothing was printed yet"
# More than a disk keeps aside for small files.
_CANARY: Final = bytes(64 * 1024)
# What says that printing itself is broken, not one document.
_BROKEN: Final = ("press.unavailable", "press.no_chromium", "blobs.unavailable")


class Plant:
    """Press, store of blobs and printer of one worker. What cannot be opened is tried again until it can."""

    def __init__(self, settings: Settings, database: Database, metrics: Metrics, clock: Clock) -> None:
        """Open nothing yet but the fonts; Unavailable("fonts.missing")."""
        self.width = min(settings.job_slots, 2 * (os.cpu_count() or 1))
        """How many documents it prints at once."""
        self._settings = settings
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._fonts = Fonts.load()
        self._press = Press(
            metrics,
            executable=settings.chromium,
            limits=Limits(slots=self.width),
            sample=sample_sheet(self._fonts),
            sandbox=settings.chromium_sandbox,
        )
        self._printer: Printer | None = None
        self._failure: str | None = _NOT_YET
        self._went_well_s = 0.0
        self._nudged = asyncio.Event()
        self._mended = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Launch the browser and watch it from now on."""
        self._watching = asyncio.create_task(self._watch())

    async def failure(self) -> str | None:
        """Return why nothing can be printed or stored now; None when it can."""
        return self._failure

    async def render_version(
        self,
        workspace_id: WorkspaceId,
        invoice_id: InvoiceId,
        version: int,
        *,
        locale: str | None,
        within_s: float,
        noting: Callable[[], AbstractAsyncContextManager[object]],
    ) -> Pdf:
        """Do as `Printer.render_version`; a failure of printing itself is looked into at once."""
        if self._failure not in {None, _NOT_YET}:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_HELD_BACK_S):
                    await self._mended.wait()
        try:
            printer = self._opened()
            pdf = await printer.render_version(
                workspace_id, invoice_id, version, locale=locale, within_s=within_s, noting=noting
            )
        except Unavailable as error:
            if error.code in _BROKEN:
                self._went_well_s = 0.0
                self._nudged.set()
            raise
        if self._failure is None:
            self._went_well_s = monotonic()
        return pdf

    async def close(self, *, within_s: float) -> None:
        """End the browser; the hard way where it does not end in time."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        try:
            async with asyncio.timeout(within_s):
                await self._press.close()
        except TimeoutError:
            self._press.kill()

    def _opened(self) -> Printer:
        if self._printer is None:
            self._printer = Printer(
                database=self._database,
                blobs=Blobs.open(self._settings.blobs_url),
                press=self._press,
                fonts=self._fonts,
                clock=self._clock,
                metrics=self._metrics,
            )
        return self._printer

    async def _watch(self) -> None:
        pause_s = _SOONEST_S
        while True:
            if monotonic() - self._went_well_s >= QUIET_S:
                await self._look()
            pause_s = QUIET_S if self._failure is None else min(2 * pause_s, _LATEST_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._nudged.wait()
                # A storm of failures is looked into once.
                pause_s = _SOONEST_S
                await asyncio.sleep(_SOONEST_S)
            self._nudged.clear()

    async def _look(self) -> None:
        before = self._failure
        self._mended.clear()
        try:
            await self._press.start()
            await self._stored()
        except PortalError as error:
            self._failure = str(error)
        except Exception as error:  # noqa: BLE001  -- whatever it was, the worker lives to try again
            self._failure = f"{type(error).__name__}: {error}"
        else:
            self._failure = None
            self._went_well_s = monotonic()
            self._mended.set()
        self._metrics.press_ready.set(self._failure is None)
        if self._failure is None and before is not None:
            _LOG.info("press.ready")
        elif self._failure is not None and self._failure != before:
            _LOG.error("press.not_ready", reason=self._failure)

    async def _stored(self) -> None:
        printer, key = self._opened(), f"canary/{new_id()}"
        await printer.blobs.put(key, _CANARY)
        await printer.blobs.delete(key)
