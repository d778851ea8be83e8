"""One page of the browser that turns HTML into PDF, and fails at once when its renderer process dies."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from playwright.async_api import Error

from workers.pdf.sandbox import CONTEXT_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from playwright.async_api import BrowserContext, CDPSession

    from kernel.ids import WorkspaceId
    from workers.pdf.browser import BrowserProcess

PRINT_OPTIONS: Final[dict[str, Any]] = {
    "printBackground": True,
    "preferCSSPageSize": True,
    "generateTaggedPDF": True,
    "generateDocumentOutline": True,
}
# Scripts of documents are off; this one is ours, run by the debugger. Without it, a document that is laid out for
# paper only would begin to load its fonts when it is printed.
_LOAD_FONTS: Final = {
    "expression": "Promise.allSettled([...document.fonts].map(face => face.load())).then(() => 0)",
    "awaitPromise": True,
}
_CLOSE_TIMEOUT_S: Final = 2.0


class ChromiumCrash(Exception):
    """The renderer process or the browser died during a call."""


@dataclass(eq=False, slots=True)
class RenderPage:
    """A page in a browser context of its own; once it has rendered for a workspace it renders for no other."""

    browser: BrowserProcess
    context: BrowserContext
    cdp: CDPSession
    frame_id: str
    crash_reason: asyncio.Future[str]
    owner: WorkspaceId | None = None
    renders: int = 0

    @classmethod
    async def open(cls, browser: BrowserProcess) -> RenderPage:
        """Open a sandboxed context with one page; ChromiumCrash or playwright's Error when the browser died."""
        crash_reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        exit_reason = browser.exit_reason
        context = await _await_unless_crashed(browser.handle.new_context(**CONTEXT_OPTIONS), exit_reason)
        try:
            page = await _await_unless_crashed(context.new_page(), exit_reason)

            def set_crash_reason(_page: object) -> None:
                if not crash_reason.done():
                    crash_reason.set_result("renderer crashed")

            page.on("crash", set_crash_reason)
            cdp = await _await_unless_crashed(context.new_cdp_session(page), exit_reason)
            tree = await _await_unless_crashed(cdp.send("Page.getFrameTree"), exit_reason, crash_reason)
        except BaseException:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(context.close(), _CLOSE_TIMEOUT_S)
            raise
        return cls(browser, context, cdp, tree["frameTree"]["frame"]["id"], crash_reason)

    @property
    def is_usable(self) -> bool:
        """Whether it may render again."""
        return self.browser.is_usable and not self.crash_reason.done()

    async def warm_up(self, html: str) -> None:
        """Render a document without counting it, so that fonts and code are loaded before the first real one."""
        await self._print(html)

    async def render(self, html: str) -> bytes:
        """Return Chromium's PDF of the document; ChromiumCrash or playwright's Error when a process died."""
        self.renders += 1
        self.browser.renders += 1
        return await self._print(html)

    async def close(self) -> bool:
        """Close the context; False when the browser did not do it in time."""
        try:
            await asyncio.wait_for(self.context.close(), _CLOSE_TIMEOUT_S)
        except TimeoutError:
            return False
        except Exception:  # noqa: BLE001  -- a dead browser has no context left
            return True
        return True

    async def _print(self, html: str) -> bytes:
        await self._call("Page.setDocumentContent", {"frameId": self.frame_id, "html": html})
        await self._call("Runtime.evaluate", _LOAD_FONTS)
        return b64decode((await self._call("Page.printToPDF", PRINT_OPTIONS))["data"])

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        call = self.cdp.send(method, parameters)
        result: dict[str, Any] = await _await_unless_crashed(
            call, self.browser.exit_reason, self.crash_reason
        )
        return result


async def _await_unless_crashed(call: Awaitable[Any], *exit_reasons: asyncio.Future[str]) -> Any:
    """Return the result of the call, or raise ChromiumCrash as soon as one of `exit_reasons` is done."""
    task = asyncio.ensure_future(call)
    task.add_done_callback(_retrieve_exception)
    try:
        await asyncio.wait({task, *exit_reasons}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not task.done():
            task.cancel()
    if task.done() and not task.cancelled():
        return task.result()
    raise ChromiumCrash(next(reason.result() for reason in exit_reasons if reason.done()))


def _retrieve_exception(task: asyncio.Future[Any]) -> None:
    """Avoid asyncio's warning about an exception that no caller retrieves: the caller may have been cancelled."""
    if not task.cancelled():
        task.exception()


__all__ = ["PRINT_OPTIONS", "ChromiumCrash", "Error", "RenderPage"]
