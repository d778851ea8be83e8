"""Owns driver and browser: launches, relaunches once for all who wait, replaces and drains."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog
from playwright.async_api import Error, async_playwright

from kernel.errors import Unavailable
from kernel.single_flight import SingleFlight
from workers.press.processes import group_of, kill
from workers.press.shut_in import find_chromium, launch_options, why_no_sandbox

if TYPE_CHECKING:
    from playwright.async_api import Browser, CDPSession, Playwright

_LOG: Final = structlog.get_logger()
# A browser that does not close in this time is killed.
_CLOSING_S: Final = 3.0
_ANSWER_S: Final = 2.0
_SANDBOXLESS: Final = "Chromium sandboxing failed"
_NO_SANDBOX: Final = (
    "Chromium cannot open its sandbox, because user namespaces are not allowed here. "
    "Allow them, or set PORTAL_CHROMIUM_SANDBOX=false."
)


@dataclass(eq=False, slots=True)
class Generation:
    """One run of the browser. `gone` is done as soon as it is known to be dead."""

    number: int
    browser: Browser
    control: CDPSession
    pid: int
    group: int
    started_s: float
    gone: asyncio.Future[str]
    is_condemned: bool = False
    is_ended: bool = False
    users: int = 0
    renders: int = 0
    failures: int = 0
    processes: tuple[int, ...] = field(default=())

    @property
    def is_usable(self) -> bool:
        """Whether new slots may be opened on it."""
        return not self.is_condemned and not self.gone.done() and self.browser.is_connected()

    async def count_processes(self) -> tuple[int, ...]:
        """Return the ids of its processes, as the browser itself tells them."""
        told = await self.control.send("SystemInfo.getProcessInfo")
        self.processes = tuple(int(each["id"]) for each in told["processInfo"])
        return self.processes

    def lost(self, why: str) -> None:
        """Say that it is dead; whoever waits for an answer from it stops waiting."""
        if not self.gone.done():
            self.gone.set_result(why)


class Supervisor:
    """Hands out the browser of the day; a caller that finds it dead asks again."""

    def __init__(
        self, executable: str | None, on_launch: Callable[[str], None], *, sandbox: bool = True
    ) -> None:
        """Take a Chromium by name or path (None: find one); `on_launch` hears the reason of every launch."""
        self._wanted = executable
        self._sandbox = sandbox
        self._on_launch = on_launch
        self._driver: Playwright | None = None
        self._current: Generation | None = None
        self._launches: SingleFlight[None, Generation] = SingleFlight(cancel_abandoned=False)
        self._ending: set[asyncio.Task[None]] = set()
        self._count = 0
        self._closed = False
        self._reason = "start"
        self.version = ""

    async def generation(self) -> Generation:
        """Return a browser that works; launches it where there is none, once for all who wait.

        Unavailable("press.unavailable") when it cannot be launched, or the press is closed.
        """
        if self._closed:
            raise Unavailable("press.unavailable", "The press is closed.")
        if self._current is not None and self._current.is_usable:
            return self._current
        return await self._launches.run(None, self._launch)

    async def replace(self, old: Generation, why: str) -> None:
        """Start the next browser, then drain the old one."""
        if old is not self._current or self._launches:
            return
        self._reason = why
        with contextlib.suppress(Unavailable):
            await self._launches.run(None, self._launch)
            self.condemn(old, why)

    def condemn(self, old: Generation, why: str) -> None:
        """Open nothing more on a browser; it is closed when its last slot is given back."""
        if not old.is_condemned:
            old.is_condemned = True
            self._reason = why
            _LOG.info("press.browser_condemned", generation=old.number, why=why)
        if old is self._current:
            self._current = None
        if old.users == 0:
            self.end(old, why)

    def end(self, old: Generation, why: str) -> None:
        """Close a browser now, the hard way if it does not answer."""
        self.lose(old, why)
        if old.is_ended:
            return
        old.is_ended = True
        task = asyncio.create_task(_end(old))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def lose(self, old: Generation, why: str) -> None:
        """Note that a browser is dead."""
        old.is_condemned = True
        old.lost(why)
        if old is self._current:
            self._current = None
            self._reason = why

    async def is_alive(self, asked: Generation) -> bool:
        """Ask the browser for a sign of life."""
        if not asked.is_usable:
            return False
        try:
            async with asyncio.timeout(_ANSWER_S):
                await asked.control.send("Browser.getVersion")
        except (Error, TimeoutError, OSError):
            return False
        return True

    async def close(self) -> None:
        """End browser and driver."""
        self._closed = True
        if self._launches:
            with contextlib.suppress(Unavailable, Error):
                await self._launches.run(None, self._launch)
        if self._current is not None:
            self.end(self._current, "closed")
        await asyncio.gather(*self._ending)
        await self._stop_driver()

    def kill(self) -> None:
        """End the browser without a word; the driver ends with this process."""
        self._closed = True
        if self._current is not None:
            kill(self._current.pid, self._current.group)

    async def _launch(self) -> Generation:
        try:
            made = await self._launched()
        except Exception as error:
            _LOG.warning("press.launch_failed", error=str(error)[:500])
            if isinstance(error, Unavailable):
                raise
            message = _NO_SANDBOX if _SANDBOXLESS in str(error) else "Chromium could not be started."
            raise Unavailable("press.unavailable", message) from error
        self._current = made
        self._on_launch(self._reason)
        _LOG.info("press.browser_up", generation=made.number, pid=made.pid, reason=self._reason)
        if made.number == 1 and (why := why_no_sandbox(wanted=self._sandbox)):
            _LOG.warning("press.without_sandbox", why=why)
        return made

    async def _launched(self) -> Generation:
        for is_last in (False, True):
            if self._driver is None:
                self._driver = await async_playwright().start()
            try:
                return await self._browser(self._driver)
            except (Error, OSError):
                # The driver itself may be what died.
                await self._stop_driver()
                if is_last:
                    raise
        raise AssertionError

    async def _browser(self, driver: Playwright) -> Generation:
        # A driver that was killed while it was idle may leave a launch without an answer.
        async with asyncio.timeout(30):
            executable = find_chromium(driver, self._wanted)
            browser = await driver.chromium.launch(**launch_options(executable, sandbox=self._sandbox))
            control = await browser.new_browser_cdp_session()
            told = await control.send("SystemInfo.getProcessInfo")
        self._count += 1
        self.version = browser.version
        loop = asyncio.get_running_loop()
        pids = {str(each["type"]): int(each["id"]) for each in told["processInfo"]}
        pid = pids["browser"]
        made = Generation(
            self._count, browser, control, pid, group_of(pid), loop.time(), loop.create_future()
        )
        browser.on("disconnected", lambda _: self.lose(made, "died"))
        return made

    async def _stop_driver(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(driver.stop(), _CLOSING_S)


async def _end(old: Generation) -> None:
    try:
        await asyncio.wait_for(old.browser.close(), _CLOSING_S)
    except Exception:  # noqa: BLE001  -- whatever Playwright says of a dead browser, it has to go
        _LOG.warning("press.browser_killed", generation=old.number)
    # A renderer that hangs does not notice that its browser has gone.
    kill(old.pid, old.group)
