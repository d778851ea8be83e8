"""One page of the browser: takes a document, gives back a PDF, never waits for a dead renderer."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from playwright.async_api import Error

from workers.press.shut_in import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from playwright.async_api import BrowserContext, CDPSession

    from kernel.ids import WorkspaceId
    from workers.press.browser import Generation

PRINT: Final[dict[str, Any]] = {
    "printBackground": True,
    "preferCSSPageSize": True,
    "generateTaggedPDF": True,
    "generateDocumentOutline": True,
}
# Scripts of documents are off; this one is ours, through the debugger. Asked for, because a sheet that is laid out
# for paper only would begin to load its fonts when it is printed.
_FONTS: Final = {
    "expression": "Promise.allSettled([...document.fonts].map(face => face.load())).then(() => 0)",
    "awaitPromise": True,
}
_CLOSING_S: Final = 2.0


class Broken(Exception):
    """The renderer or the browser died while it was printing."""


@dataclass(eq=False, slots=True)
class Slot:
    """A page in a context of its own; once it has printed for a workspace it prints for no other."""

    generation: Generation
    context: BrowserContext
    cdp: CDPSession
    frame: str
    crashed: asyncio.Future[str]
    owner: WorkspaceId | None = None
    renders: int = 0

    @classmethod
    async def open(cls, generation: Generation) -> Slot:
        """Open a shut-in context with one page; playwright's Error when the browser is gone."""
        crashed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        context = await _race(generation.browser.new_context(**CONTEXT), generation.gone)
        try:
            page = await _race(context.new_page(), generation.gone)

            def crash(_page: object) -> None:
                if not crashed.done():
                    crashed.set_result("renderer crashed")

            page.on("crash", crash)
            cdp = await _race(context.new_cdp_session(page), generation.gone)
            tree = await _race(cdp.send("Page.getFrameTree"), generation.gone, crashed)
        except BaseException:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(context.close(), _CLOSING_S)
            raise
        return cls(generation, context, cdp, tree["frameTree"]["frame"]["id"], crashed)

    @property
    def is_usable(self) -> bool:
        """Whether it may print again."""
        return self.generation.is_usable and not self.crashed.done()

    async def warm(self, sample: str) -> None:
        """Print something of nobody's, so that the first real document finds everything loaded."""
        await self._print(sample)

    async def print(self, html: str) -> bytes:
        """Return the document as Chromium prints it; Broken or playwright's Error when something died."""
        self.renders += 1
        self.generation.renders += 1
        return await self._print(html)

    async def close(self) -> bool:
        """Close the context; False when the browser did not do it in time."""
        try:
            await asyncio.wait_for(self.context.close(), _CLOSING_S)
        except TimeoutError:
            return False
        except Exception:  # noqa: BLE001  -- what is dead is closed
            return True
        return True

    async def _print(self, html: str) -> bytes:
        await self._call("Page.setDocumentContent", {"frameId": self.frame, "html": html})
        await self._call("Runtime.evaluate", _FONTS)
        return b64decode((await self._call("Page.printToPDF", PRINT))["data"])

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        call = self.cdp.send(method, parameters)
        answer: dict[str, Any] = await _race(call, self.generation.gone, self.crashed)
        return answer


async def _race(call: Awaitable[Any], *ends: asyncio.Future[str]) -> Any:
    """Return what the call answers, or raise Broken as soon as one of `ends` is done."""
    asked = asyncio.ensure_future(call)
    asked.add_done_callback(_heard)
    try:
        await asyncio.wait({asked, *ends}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not asked.done():
            asked.cancel()
    if asked.done() and not asked.cancelled():
        return asked.result()
    raise Broken(next(end.result() for end in ends if end.done()))


def _heard(asked: asyncio.Future[Any]) -> None:
    """Nobody may wait for the answer any more; its error is not news then."""
    if not asked.cancelled():
        asked.exception()


__all__ = ["PRINT", "Broken", "Error", "Slot"]
