"""Renders HTML to PDF with Chromium: render slots, one page per workspace, deadlines, one retry, recycling."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from kernel.errors import Invalid, Unavailable
from kernel.telemetry.logs import get_logger
from workers.pdf.browser import BrowserSupervisor
from workers.pdf.page import ChromiumCrash, Error, RenderPage
from workers.pdf.processes import measure_memory

if TYPE_CHECKING:
    from kernel.ids import WorkspaceId
    from kernel.telemetry.metrics import Metrics
    from workers.pdf.browser import BrowserProcess

_log: Final = get_logger("workers.pdf")
_MEBIBYTE: Final = 1024 * 1024
_PROBE_HTML: Final = "<!DOCTYPE html><title>Probe</title><p>Probe"
_WARM_UP_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """How much is rendered at once, and when pages and browsers are replaced.

    `slots`: renders at once (None: two for each processor). `page_renders`: renders of one page. Of one browser:
    `browser_renders`, `browser_age_s`, `browser_memory_bytes` (measured every `memory_check_renders`) and
    `browser_failures` in a row. `html_length`: characters of one document.
    """

    slots: int | None = None
    page_renders: int = 200
    browser_renders: int = 5_000
    browser_age_s: float = 6 * 3600.0
    browser_memory_bytes: int = 1536 * _MEBIBYTE
    memory_check_renders: int = 100
    browser_failures: int = 3
    html_length: int = 48 * _MEBIBYTE

    @property
    def concurrency(self) -> int:
        """How many documents are rendered at once."""
        return self.slots or 2 * (os.cpu_count() or 1)


class Renderer:
    """One Chromium that stays open. Open it with `start`, use `render`, end it with `close`."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        executable: str | None = None,
        limits: RenderLimits | None = None,
        sample: str = "<!DOCTYPE html><title>-</title><p>-",
        sandbox: bool = True,
    ) -> None:
        """Take a Chromium by name or path (None: find one); `sandbox`: whether Chromium's own is required.

        `sample`: HTML that spare pages are warmed up with; similar to the real documents, without anybody's data.
        """
        self._limits = limits or RenderLimits()
        self._metrics = metrics
        self._supervisor = BrowserSupervisor(
            executable, lambda reason: metrics.pdf_browser_launches.labels(reason).inc(), sandbox=sandbox
        )
        self._slots = asyncio.Semaphore(self._limits.concurrency)
        self._idle_pages: list[RenderPage] = []
        self._spare_page: RenderPage | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_opening_spare = False
        self._sample = sample
        self._waiting_renders = 0

    @property
    def version(self) -> str:
        """Chromium's version; empty before the first launch."""
        return self._supervisor.version

    async def start(self) -> None:
        """Launch the browser and render a probe document; Unavailable when either fails."""
        await self._supervisor.get_browser()
        await self.render(_PROBE_HTML, owner=None, within_s=20)
        await self.open_spare_page()

    async def open_spare_page(self) -> None:
        """Open and warm up one page for the next workspace; an error is only logged: renders work without it."""
        if self._spare_page is not None or self._is_opening_spare:
            return
        self._is_opening_spare = True
        page: RenderPage | None = None
        try:
            async with asyncio.timeout(_WARM_UP_TIMEOUT_S):
                page = await self._open_page()
                await page.warm_up(self._sample)
            # A browser that began to drain meanwhile would never close while it has a spare page.
            if page.is_usable:
                self._spare_page, page = page, None
        except (Error, ChromiumCrash, Unavailable, TimeoutError, OSError) as error:
            _log.info("spare page not opened", error=str(error)[:200])
        finally:
            self._is_opening_spare = False
            if page is not None:
                self._discard_page(page, "spare")

    async def render(self, html: str, *, owner: WorkspaceId | None, within_s: float) -> bytes:
        """Return the document as a PDF, as Chromium writes it.

        Pages are reused for the same `owner` only; with None the page is used once. Unavailable: "pdf.deadline" after
        `within_s` seconds, the wait for a slot included; "pdf.renderer_unavailable" when Chromium died twice or
        cannot be started. Invalid("pdf.too_large").
        """
        if len(html) > self._limits.html_length:
            raise Invalid("pdf.too_large", "The document is too large to be rendered.", size=len(html))
        started_at = perf_counter()
        try:
            async with asyncio.timeout(within_s):
                await self._acquire_slot()
                try:
                    pdf = await self._render_with_retry(html, owner)
                finally:
                    self._release_slot()
        except TimeoutError:
            self._metrics.pdf_render_failures.labels("deadline").inc()
            message = "The document was not rendered in time."
            raise Unavailable("pdf.deadline", message, within_s=within_s) from None
        self._metrics.pdf_render_seconds.observe(perf_counter() - started_at)
        return pdf

    async def close(self) -> None:
        """End the browser; renders that still run fail."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._supervisor.close()

    def kill(self) -> None:
        """Kill the browser, for a worker that has no time to close it."""
        self._supervisor.kill()

    async def get_browser(self) -> BrowserProcess:
        """Return the current browser; launches it where there is none."""
        return await self._supervisor.get_browser()

    async def _acquire_slot(self) -> None:
        self._waiting_renders += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting_renders -= 1
        self._metrics.pdf_render_slots_in_use.inc()

    def _release_slot(self) -> None:
        self._metrics.pdf_render_slots_in_use.dec()
        self._slots.release()

    async def _render_with_retry(self, html: str, owner: WorkspaceId | None) -> bytes:
        for is_last in (False, True):
            try:
                return await self._render_once(html, owner)
            except (Error, ChromiumCrash, OSError) as error:
                self._metrics.pdf_render_failures.labels("crash").inc()
                _log.warning("render failed", error=str(error)[:200], will_retry=not is_last)
                if is_last:
                    message = "The document could not be rendered."
                    raise Unavailable("pdf.renderer_unavailable", message) from error
        raise AssertionError

    async def _render_once(self, html: str, owner: WorkspaceId | None) -> bytes:
        page = await self._take_page(owner)
        browser = page.browser
        try:
            pdf = await page.render(html)
        except BaseException as error:
            browser.failures += 1
            self._discard_page(page, type(error).__name__)
            await self._handle_failure(browser, error)
            raise
        browser.failures = 0
        self._return_page(page)
        self._check_browser_limits(browser)
        return pdf

    async def _take_page(self, owner: WorkspaceId | None) -> RenderPage:
        """Return the idle page of this owner, else the spare page, else a new one."""
        self._discard_unusable_pages()
        idle = next((page for page in self._idle_pages if owner is not None and page.owner == owner), None)
        if idle is not None:
            self._idle_pages.remove(idle)
            return idle
        spare, self._spare_page = self._spare_page, None
        page = spare or await self._open_page()
        page.owner = owner
        return page

    async def _open_page(self) -> RenderPage:
        browser = await self._supervisor.get_browser()
        browser.open_pages += 1
        try:
            return await RenderPage.open(browser)
        except BaseException as error:
            browser.open_pages -= 1
            await self._handle_failure(browser, error)
            raise

    async def _handle_failure(self, browser: BrowserProcess, error: BaseException) -> None:
        """After an error, close a browser that does not answer, and replace one that failed too often in a row."""
        if browser.failures >= self._limits.browser_failures:
            self._start_task(self._replace_browser(browser, "failures"))
        elif isinstance(error, asyncio.CancelledError):
            # The caller's deadline has passed: it does not wait for the answer.
            self._start_task(self._close_if_dead(browser))
        else:
            await self._close_if_dead(browser)

    async def _close_if_dead(self, browser: BrowserProcess) -> None:
        if not await self._supervisor.is_alive(browser):
            self._supervisor.close_browser(browser, "died")

    def _return_page(self, page: RenderPage) -> None:
        """Make a page idle for its owner; the page that was idle longest is discarded when there are too many."""
        if page.owner is None or page.renders >= self._limits.page_renders or not page.is_usable:
            self._discard_page(page, "used")
        else:
            self._idle_pages.append(page)
            if len(self._idle_pages) > self._limits.concurrency:
                self._discard_page(self._idle_pages.pop(0), "evicted")
        # While renders wait for a slot, a spare page would only take processor time from them.
        if self._spare_page is None and not self._waiting_renders:
            self._start_task(self.open_spare_page())

    def _discard_page(self, page: RenderPage, reason: str) -> None:
        self._start_task(self._close_page(page, reason))

    async def _close_page(self, page: RenderPage, reason: str) -> None:
        browser = page.browser
        is_closed = await page.close()
        browser.open_pages -= 1
        if not is_closed:
            _log.warning("page not closed in time", browser=browser.number, reason=reason)
            self._supervisor.close_browser(browser, "stuck")
        elif browser.is_draining and browser.open_pages == 0:
            self._supervisor.close_browser(browser, "drained")

    def _check_browser_limits(self, browser: BrowserProcess) -> None:
        limits = self._limits
        age_s = asyncio.get_running_loop().time() - browser.started_s
        if browser.renders >= limits.browser_renders:
            self._start_task(self._replace_browser(browser, "renders"))
        elif age_s >= limits.browser_age_s:
            self._start_task(self._replace_browser(browser, "age"))
        elif browser.renders % limits.memory_check_renders == 0:
            self._start_task(self._check_browser_memory(browser))

    async def _check_browser_memory(self, browser: BrowserProcess) -> None:
        with contextlib.suppress(Error, OSError):
            memory_bytes = measure_memory(await browser.list_processes())
            self._metrics.pdf_browser_memory_bytes.set(memory_bytes)
            if memory_bytes > self._limits.browser_memory_bytes:
                await self._replace_browser(browser, "memory")

    async def _replace_browser(self, browser: BrowserProcess, reason: str) -> None:
        await self._supervisor.replace(browser, reason)
        self._discard_unusable_pages()

    def _discard_unusable_pages(self) -> None:
        """Discard pages whose browser is dead or draining."""
        for page in [page for page in self._idle_pages if not page.is_usable]:
            self._idle_pages.remove(page)
            self._discard_page(page, "stale")
        if self._spare_page is not None and not self._spare_page.is_usable:
            self._discard_page(self._spare_page, "stale")
            self._spare_page = None

    def _start_task(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
