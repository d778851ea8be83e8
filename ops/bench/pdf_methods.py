"""The compared methods of rendering a PDF: our renderer, bare CDP, a context or browser for each PDF, WeasyPrint."""

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
from ops.seed.workspaces import SEED_WORKSPACES
from tenants.invoices.content import Content
from tenants.invoices.document.fonts import Fonts
from tenants.invoices.document.model import CATALOGUES, compose_document
from tenants.invoices.document.pdf_html import render_pdf_html
from tenants.invoices.document.values import DocumentBrand
from tenants.invoices.totals import compute_totals
from workers.pdf.page import PRINT_OPTIONS
from workers.pdf.postprocess import PdfMetadata, postprocess
from workers.pdf.renderer import Renderer, RenderLimits
from workers.pdf.sample import render_sample
from workers.pdf.sandbox import CONTEXT_OPTIONS, build_launch_options

OWNER = WorkspaceId(new_id())
METADATA = PdfMetadata("Invoice", "Bench", "de", datetime(2026, 3, 16, tzinfo=UTC))
# Browsers and contexts close after the response; their processor time belongs to the method.
_SETTLE_S = 0.1


@dataclass(frozen=True, slots=True)
class Method:
    """One method, and how often it runs in a round."""

    name: str
    render: Callable[[], Awaitable[bytes]]
    repeats: int


@dataclass(frozen=True, slots=True)
class Chromium:
    """The browser of all methods, launched as by a worker."""

    path: str
    sandbox: bool

    @property
    def launch_options(self) -> dict[str, Any]:
        """The options of Playwright's launch: the renderer's, for all methods."""
        return build_launch_options(self.path, sandbox=self.sandbox)

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a worker."""
        return {"PORTAL_CHROMIUM": self.path, "PORTAL_CHROMIUM_SANDBOX": str(self.sandbox).lower()}


@cache
def find_configured_chromium() -> Chromium:
    """Return the Chromium of the settings, else find or install one. Raises ChromiumMissing."""
    settings = Settings.from_environ({"PORTAL_PROFILE": Profile.DEMO.value} | dict(os.environ))
    path = settings.chromium or find_or_install(lambda text: print(text, flush=True))
    return Chromium(path, settings.chromium_sandbox)


def create_renderer(slots: int, fonts: Fonts | None = None) -> Renderer:
    """Return a renderer, not started; with fonts its spare pages are warmed up with a sample, as a worker's."""
    return Renderer(
        Metrics(),
        executable=find_configured_chromium().path,
        limits=RenderLimits(slots=slots),
        sandbox=find_configured_chromium().sandbox,
        **({"sample": render_sample(fonts)} if fonts else {}),
    )


def load_content() -> Content:
    """Return an invoice of 40 lines, which has two pages."""
    workspace = next(workspace for workspace in SEED_WORKSPACES if workspace.new.slug == "nordlicht")
    return next(e.content for e in workspace.examples(date(2026, 3, 16)) if "lines-40" in e.tags)


def render_sheet_html(fonts: Fonts) -> str:
    """Return that invoice as HTML for the renderer."""
    content, language = load_content(), Language.load("de-DE", (CATALOGUES,))
    model = compose_document(
        content, compute_totals(content), "INV-1", language, brand=DocumentBrand("Bench")
    )
    return render_pdf_html(model, fonts)


async def prepare_bare_cdp(browser: Browser, html: str) -> Callable[[], Awaitable[bytes]]:
    """Return a method that makes the two CDP calls on an open page: the lower bound of all methods."""
    context = await browser.new_context(**CONTEXT_OPTIONS)
    page = await context.new_page()
    cdp = await context.new_cdp_session(page)
    frame = (await cdp.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]

    async def render() -> bytes:
        await cdp.send("Page.setDocumentContent", {"frameId": frame, "html": html})
        return b64decode((await cdp.send("Page.printToPDF", PRINT_OPTIONS))["data"])

    return render


async def render_in_new_context(browser: Browser, html: str) -> bytes:
    """Render in a new context and page."""
    context = await browser.new_context(**CONTEXT_OPTIONS)
    page = await context.new_page()
    await page.set_content(html, wait_until="load")
    await page.evaluate("document.fonts.ready.then(() => 0)")
    data: bytes = await page.pdf(print_background=True, prefer_css_page_size=True, tagged=True, outline=True)
    await context.close()
    return data


async def render_in_new_browser(playwright: Playwright, html: str) -> bytes:
    """Render in a new browser, which is closed afterwards."""
    browser = await playwright.chromium.launch(**find_configured_chromium().launch_options)
    data = await render_in_new_context(browser, html)
    await browser.close()
    return data


async def render_and_postprocess(renderer: Renderer, html: str) -> bytes:
    """Render and post-process, as a worker does."""
    raw = await renderer.render(html, owner=OWNER, within_s=60)
    return await asyncio.to_thread(postprocess, raw, METADATA)


async def render_with_weasyprint(html: str) -> bytes:
    """Render without a browser; ImportError or OSError without the package or its Pango."""
    import weasyprint  # noqa: PLC0415  -- optional: without it the benchmark skips this method

    out = io.BytesIO()
    weasyprint.HTML(string=html).write_pdf(out, pdf_tags=True)
    return out.getvalue()


async def measure_methods(methods: list[Method], rounds: int) -> dict[str, list[Cost]]:
    """Return the costs of every method, round by round, after two warm-up PDFs of each."""
    for method in methods:
        for _ in range(min(2, method.repeats)):
            await method.render()
    costs: dict[str, list[Cost]] = {method.name: [] for method in methods}
    for index in range(rounds):
        print(f"Round {index + 1} of {rounds} …", flush=True)
        for method in methods:
            costs[method.name].append(await _measure_cost(method))
    return costs


async def _measure_cost(method: Method) -> Cost:
    started_at, before = perf_counter(), read_cpu_seconds()
    for _ in range(method.repeats):
        await method.render()
    wall = perf_counter() - started_at
    await asyncio.sleep(_SETTLE_S)
    return Cost(wall * 1000 / method.repeats, (read_cpu_seconds() - before) * 1000 / method.repeats)
