"""The ways to a PDF that are compared: the renderer, the bare protocol, and what is usually done."""

from __future__ import annotations

import asyncio
import io
import os
from base64 import b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from time import perf_counter
from typing import Any

from playwright.async_api import Browser, Playwright

from kernel.ids import WorkspaceId, new_id
from kernel.language import Language
from kernel.settings import Profile, Settings
from kernel.telemetry.metrics import Metrics
from ops.bench.resource_usage import Cost, read_cpu_seconds
from ops.dev.chromium import find_or_install
from ops.seed.workspaces import TENANTS
from tenants.invoices.content import Content
from tenants.invoices.document.fonts import Fonts
from tenants.invoices.document.model import CATALOGUES, document
from tenants.invoices.document.sheet import render_sheet
from tenants.invoices.document.values import DocumentBrand
from tenants.invoices.totals import totals
from workers.pdf.page import PRINT_OPTIONS
from workers.pdf.postprocess import PdfMetadata, postprocess
from workers.pdf.renderer import Renderer, RenderLimits
from workers.pdf.sample import render_sample
from workers.pdf.sandbox import CONTEXT_OPTIONS, build_launch_options

OWNER = WorkspaceId(new_id())
METADATA = PdfMetadata("Invoice", "Bench", "de", datetime(2026, 3, 16, tzinfo=UTC))
# For what goes on after an answer: browsers that end, contexts that are torn down. It is part of the price.
_SETTLE_S = 0.1


@dataclass(frozen=True, slots=True)
class Way:
    """One way to print the sheet, and how often in a round."""

    name: str
    print: Callable[[], Awaitable[bytes]]
    each: int


@dataclass(frozen=True, slots=True)
class Chromium:
    """The browser that all ways print with, as every worker would find and launch it."""

    path: str
    sandbox: bool

    @property
    def launch(self) -> dict[str, Any]:
        """The options of Playwright's launch: the renderer's own, for all alike."""
        return build_launch_options(self.path, sandbox=self.sandbox)

    @property
    def settings(self) -> dict[str, str]:
        """The variables that tell a worker."""
        return {"PORTAL_CHROMIUM": self.path, "PORTAL_CHROMIUM_SANDBOX": str(self.sandbox).lower()}


@cache
def chromium() -> Chromium:
    """Return the Chromium that the settings name, else one that is here or can be installed; raises ChromiumMissing."""
    given = Settings.from_environ({"PORTAL_PROFILE": Profile.DEMO.value} | dict(os.environ))
    path = given.chromium or find_or_install(lambda text: print(text, flush=True))
    return Chromium(path, given.chromium_sandbox)


def make_renderer(slots: int, fonts: Fonts | None = None) -> Renderer:
    """Return a renderer, not started; with fonts its spare pages are warmed up with a sample, as a worker's."""
    return Renderer(
        Metrics(),
        executable=chromium().path,
        limits=RenderLimits(slots=slots),
        sandbox=chromium().sandbox,
        **({"sample": render_sample(fonts)} if fonts else {}),
    )


def content() -> Content:
    """Return an invoice of forty lines: two pages, what rendering.md's figures are about."""
    tenant = next(tenant for tenant in TENANTS if tenant.new.slug == "nordlicht")
    return next(e.content for e in tenant.examples(date(2026, 3, 16)) if "lines-40" in e.tags)


def sheet(fonts: Fonts) -> str:
    """Return it as the renderer gets it."""
    what, language = content(), Language.load("de-DE", (CATALOGUES,))
    model = document(what, totals(what), "INV-1", language, brand=DocumentBrand("Bench"))
    return render_sheet(model, fonts)


async def bare(browser: Browser, html: str) -> Callable[[], Awaitable[bytes]]:
    """Return the two calls of the protocol on a page of its own: what nobody can go below."""
    context = await browser.new_context(**CONTEXT_OPTIONS)
    page = await context.new_page()
    cdp = await context.new_cdp_session(page)
    frame = (await cdp.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]

    async def way() -> bytes:
        await cdp.send("Page.setDocumentContent", {"frameId": frame, "html": html})
        return b64decode((await cdp.send("Page.printToPDF", PRINT_OPTIONS))["data"])

    return way


async def in_a_context(browser: Browser, html: str) -> bytes:
    """Print as most do: a context and a page for each document."""
    context = await browser.new_context(**CONTEXT_OPTIONS)
    page = await context.new_page()
    await page.set_content(html, wait_until="load")
    await page.evaluate("document.fonts.ready.then(() => 0)")
    printed: bytes = await page.pdf(
        print_background=True, prefer_css_page_size=True, tagged=True, outline=True
    )
    await context.close()
    return printed


async def in_a_browser(playwright: Playwright, html: str) -> bytes:
    """Print as many do: a browser for each document, closed after it."""
    browser = await playwright.chromium.launch(**chromium().launch)
    printed = await in_a_context(browser, html)
    await browser.close()
    return printed


async def finished(renderer: Renderer, html: str) -> bytes:
    """Print and finish, as the worker does."""
    raw = await renderer.render(html, owner=OWNER, within_s=60)
    return await asyncio.to_thread(postprocess, raw, METADATA)


async def by_weasyprint(html: str) -> bytes:
    """Print without a browser; ImportError or OSError where the package or its Pango is not there."""
    import weasyprint  # noqa: PLC0415  -- the bench goes on without it

    out = io.BytesIO()
    weasyprint.HTML(string=html).write_pdf(out, pdf_tags=True)
    return out.getvalue()


async def measure(ways: list[Way], rounds: int) -> dict[str, list[Cost]]:
    """Return the costs of every way, round by round, after two prints of each to warm up."""
    for way in ways:
        for _ in range(min(2, way.each)):
            await way.print()
    found: dict[str, list[Cost]] = {way.name: [] for way in ways}
    for done in range(rounds):
        print(f"Round {done + 1} of {rounds} …", flush=True)
        for way in ways:
            found[way.name].append(await _cost(way))
    return found


async def _cost(way: Way) -> Cost:
    began, before = perf_counter(), read_cpu_seconds()
    for _ in range(way.each):
        await way.print()
    wall = perf_counter() - began
    await asyncio.sleep(_SETTLE_S)
    return Cost(wall * 1000 / way.each, (read_cpu_seconds() - before) * 1000 / way.each)
