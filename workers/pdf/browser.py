"""Owns the Playwright driver and Chromium: launches, relaunches, drains and ends browsers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwright.async_api import Error, async_playwright

from kernel.errors import Unavailable
from kernel.single_flight import SingleFlight
from kernel.telemetry.logs import get_logger
from workers.pdf.processes import find_process_group, kill
from workers.pdf.sandbox import build_launch_options, explain_no_sandbox, find_chromium

if TYPE_CHECKING:
    from playwright.async_api import Browser, CDPSession, Playwright

_log: Final = get_logger("workers.pdf")
# A browser that does not close within this time is killed.
_CLOSE_TIMEOUT_S: Final = 3.0
_PING_TIMEOUT_S: Final = 2.0
_LAUNCH_TIMEOUT_S: Final = 30.0
_SANDBOX_FAILURE: Final = "Chromium sandboxing failed"
_NAMESPACES_FORBIDDEN: Final = (
    "Chromium cannot open its sandbox, because user namespaces are not allowed here. "
    "Allow them, or set PORTAL_CHROMIUM_SANDBOX=false."
)


@dataclass(eq=False, slots=True)
class BrowserProcess:
    """One run of Chromium. `exit_reason` is set as soon as the run is known to have ended."""

    number: int
    handle: Browser
    cdp: CDPSession
    pid: int
    process_group: int
    started_s: float
    exit_reason: asyncio.Future[str]
    is_draining: bool = False
    is_closing: bool = False
    open_pages: int = 0
    renders: int = 0
    failures: int = 0

    @property
    def is_usable(self) -> bool:
        """Whether new pages may be opened in it."""
        return not self.is_draining and not self.exit_reason.done() and self.handle.is_connected()

    async def list_processes(self) -> tuple[int, ...]:
        """Return the ids of its processes, as the browser reports them."""
        report = await self.cdp.send("SystemInfo.getProcessInfo")
        return tuple(int(each["id"]) for each in report["processInfo"])

    def set_exit_reason(self, reason: str) -> None:
        """Mark it as ended; calls that wait for an answer from it fail now."""
        if not self.exit_reason.done():
            self.exit_reason.set_result(reason)


class BrowserSupervisor:
    """Returns the current browser; a caller whose browser died asks again."""

    def __init__(
        self, executable: str | None, on_launch: Callable[[str], None], *, sandbox: bool = True
    ) -> None:
        """Take a Chromium by name or path (None: find one); `on_launch` is called with the reason of each launch."""
        self._executable = executable
        self._sandbox = sandbox
        self._on_launch = on_launch
        self._driver: Playwright | None = None
        self._current: BrowserProcess | None = None
        self._launches: SingleFlight[None, BrowserProcess] = SingleFlight(cancel_abandoned=False)
        self._close_tasks: set[asyncio.Task[None]] = set()
        self._launch_count = 0
        self._is_closed = False
        self._launch_reason = "start"
        self.version = ""

    async def get_browser(self) -> BrowserProcess:
        """Return a browser that works; concurrent callers share one launch.

        Unavailable("pdf.renderer_unavailable") when it cannot be launched, or the supervisor is closed.
        """
        if self._is_closed:
            raise Unavailable("pdf.renderer_unavailable", "The renderer is closed.")
        if self._current is not None and self._current.is_usable:
            return self._current
        return await self._launches.run(None, self._launch)

    async def replace(self, browser: BrowserProcess, reason: str) -> None:
        """Launch the next browser, then drain this one."""
        if browser is not self._current or self._launches:
            return
        self._launch_reason = reason
        with contextlib.suppress(Unavailable):
            await self._launches.run(None, self._launch)
            self.drain(browser, reason)

    def drain(self, browser: BrowserProcess, reason: str) -> None:
        """Open no more pages in a browser; it is closed with its last page."""
        if not browser.is_draining:
            browser.is_draining = True
            self._launch_reason = reason
            _log.info("browser draining", browser=browser.number, reason=reason)
        if browser is self._current:
            self._current = None
        if browser.open_pages == 0:
            self.close_browser(browser, reason)

    def close_browser(self, browser: BrowserProcess, reason: str) -> None:
        """Close a browser now; it is killed when it does not answer."""
        self.mark_dead(browser, reason)
        if browser.is_closing:
            return
        browser.is_closing = True
        task = asyncio.create_task(_close_or_kill(browser))
        self._close_tasks.add(task)
        task.add_done_callback(self._close_tasks.discard)

    def mark_dead(self, browser: BrowserProcess, reason: str) -> None:
        """Use a browser no more, and let all calls that wait for it fail."""
        browser.is_draining = True
        browser.set_exit_reason(reason)
        if browser is self._current:
            self._current = None
            self._launch_reason = reason

    async def is_alive(self, browser: BrowserProcess) -> bool:
        """Whether the browser answers a request for its version in time."""
        if not browser.is_usable:
            return False
        try:
            async with asyncio.timeout(_PING_TIMEOUT_S):
                await browser.cdp.send("Browser.getVersion")
        except (Error, TimeoutError, OSError):
            return False
        return True

    async def close(self) -> None:
        """End browser and driver."""
        self._is_closed = True
        if self._launches:
            with contextlib.suppress(Unavailable, Error):
                await self._launches.run(None, self._launch)
        if self._current is not None:
            self.close_browser(self._current, "closed")
        await asyncio.gather(*self._close_tasks)
        await self._stop_driver()

    def kill(self) -> None:
        """Kill the browser; the driver ends with this process."""
        self._is_closed = True
        if self._current is not None:
            kill(self._current.pid, self._current.process_group)

    async def _launch(self) -> BrowserProcess:
        try:
            browser = await self._launch_with_retry()
        except Exception as error:
            _log.warning("browser launch failed", error=str(error)[:500])
            if isinstance(error, Unavailable):
                raise
            is_forbidden = _SANDBOX_FAILURE in str(error)
            message = _NAMESPACES_FORBIDDEN if is_forbidden else "Chromium could not be started."
            raise Unavailable("pdf.renderer_unavailable", message) from error
        self._current = browser
        self._on_launch(self._launch_reason)
        _log.info("browser started", browser=browser.number, pid=browser.pid, reason=self._launch_reason)
        if browser.number == 1 and (reason := explain_no_sandbox(is_required=self._sandbox)):
            _log.warning("browser runs without its sandbox", reason=reason)
        return browser

    async def _launch_with_retry(self) -> BrowserProcess:
        for is_last in (False, True):
            if self._driver is None:
                self._driver = await async_playwright().start()
            try:
                return await self._launch_browser(self._driver)
            except (Error, OSError):
                # The driver itself may have died.
                await self._stop_driver()
                if is_last:
                    raise
        raise AssertionError

    async def _launch_browser(self, driver: Playwright) -> BrowserProcess:
        # A driver that was killed while it was idle may never answer a launch.
        async with asyncio.timeout(_LAUNCH_TIMEOUT_S):
            executable = find_chromium(driver, self._executable)
            browser = await driver.chromium.launch(**build_launch_options(executable, sandbox=self._sandbox))
            cdp = await browser.new_browser_cdp_session()
            report = await cdp.send("SystemInfo.getProcessInfo")
        self._launch_count += 1
        self.version = browser.version
        loop = asyncio.get_running_loop()
        pid = next(int(each["id"]) for each in report["processInfo"] if each["type"] == "browser")
        process = BrowserProcess(
            self._launch_count,
            browser,
            cdp,
            pid,
            find_process_group(pid),
            loop.time(),
            loop.create_future(),
        )
        browser.on("disconnected", lambda _: self.mark_dead(process, "died"))
        return process

    async def _stop_driver(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(driver.stop(), _CLOSE_TIMEOUT_S)


async def _close_or_kill(browser: BrowserProcess) -> None:
    try:
        await asyncio.wait_for(browser.handle.close(), _CLOSE_TIMEOUT_S)
    except Exception:  # noqa: BLE001  -- Playwright's errors for a dead browser vary, and it must end in any case
        _log.warning("browser killed", browser=browser.number)
    # A renderer process that hangs does not notice that its browser has ended.
    kill(browser.pid, browser.process_group)
