"""The PDF is the page: word by word, colour by colour, pixel by pixel, for every kind of invoice."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, async_playwright

from kernel.blobs import Blobs
from kernel.clock import SystemClock
from kernel.store import Database
from kernel.store.roles import Urls
from kernel.telemetry.metrics import Metrics
from ops.dev.chromium import build_launch_arguments, find_chromium
from ops.seed.example import SeededLinkState, SeededStatus
from ops.seed.workspaces import SEED_WORKSPACES
from tenants.customers.queries import load_customer
from tenants.invoices.queries import list_invoices
from tenants.workspaces.queries import find_workspace_by_host
from tests.fakes.documents import load_fonts
from tests.fakes.page_pdf_comparison import MAX_X_DISTANCE, MAX_Y_DISTANCE, Pairing, Sheet, WordComparison
from tests.fakes.rasters import MAX_DIFFERENT_SHARE, measure_shares
from tests.fakes.words import read_live_words, read_pdf_words
from tests.journeys.conftest import Portal
from workers.pdf.invoice_renderer import InvoiceRenderer
from workers.pdf.renderer import Renderer

# Shows the paper alone, at its natural size; the comparison sets its position.
PAPER_ONLY_CSS = """
body { position: static !important; margin: 0 !important; padding: 0 !important; border: 0 !important; }
body > :not(.paper) { display: none !important; }
.paper { position: absolute !important; left: 0 !important; width: var(--sheet) !important; zoom: 1 !important;
  box-shadow: none !important; }
"""
# Loads all fonts, and returns whether the page has others than that of Latin letters.
LOAD_FONTS = """
async () => {
  await Promise.all([...document.fonts].map(face => face.load()));
  return [...document.fonts].some(face => face.family.includes("Portal"));
}
"""
# All pages are compared word by word; pixel by pixel the first ones, which have all kinds of rows, and the last.
_FIRST_PAGES = 2
# CSS that changes a word, or the cells of a row, and the measure that must find it.
WORD_DEFECTS: dict[str, tuple[str, Callable[[WordComparison], bool]]] = {
    "half a pixel sideways": ("{position:relative;left:0.5px}", lambda found: found.x > MAX_X_DISTANCE),
    "three pixels down": ("{position:relative;top:3px}", lambda found: found.y > MAX_Y_DISTANCE),
    "a shade of colour": ("{color:#575d69!important}", lambda found: bool(found.colours)),
    "a missing word": ("{display:none}", lambda found: bool(found.unpaired)),
}
PIXEL_DEFECTS = {
    "a missing line": "{border-color:transparent!important}",
    "a line of another shade": "{border-color:#dfe2e8!important}",
}
DEFECT_PLACES = {
    "page 0": ("lines-3", ".number bdi", ".items tbody:first-of-type tr:nth-child(2) td"),
    "page 1": (
        "lines-40",
        ".items tbody:first-of-type tr:nth-child(20) .title",
        ".items tbody:first-of-type tr:nth-child(21) td",
    ),
}


@dataclass(frozen=True, slots=True)
class PageComparison:
    """The result of the comparison of an invoice's page and PDF."""

    words: WordComparison
    shares: dict[str, float]

    @property
    def pixels(self) -> float:
        """The largest share of pixels that differ, of a sheet or a part of one."""
        return max(self.shares.values())

    @property
    def is_same(self) -> bool:
        """Whether the PDF is the page."""
        return self.words.is_same and self.pixels <= MAX_DIFFERENT_SHARE


def list_seeded_invoices() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield workspace and tags of every invoice of the demo that has a page."""
    for workspace in SEED_WORKSPACES:
        slug, card = workspace.new.slug, workspace.payment_tag
        yield from ((slug, (f"ubl:{name}", card)) for name in workspace.documents)
        for example in workspace.examples(dt.date(2026, 3, 16)):
            if example.status is not SeededStatus.DRAFT and example.link_state is SeededLinkState.OPEN:
                yield slug, (*example.tags, card)


@pytest.fixture(scope="module")
async def invoice_renderer(
    urls: Urls, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[InvoiceRenderer]:
    """An invoice renderer on the journeys' database."""
    database = await Database.open(urls.app, size=2, name="journeys renderer", acquire_timeout_s=5)
    renderer = Renderer(Metrics())
    await renderer.start()
    yield InvoiceRenderer(
        database=database,
        blobs=Blobs.open(tmp_path_factory.mktemp("blobs")),
        renderer=renderer,
        fonts=load_fonts(),
        clock=SystemClock(),
        metrics=Metrics(),
    )
    await renderer.close()
    await database.close()


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """A browser without font hinting, which places glyphs as high-density screens do."""
    async with async_playwright() as playwright:
        arguments = [*build_launch_arguments(), "--font-render-hinting=none"]
        opened = await playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield opened
        await opened.close()


async def render_pdf_of_page(invoice_renderer: InvoiceRenderer, page: Page) -> bytes:
    """Return the PDF of the invoice that a page shows."""
    number = await page.evaluate(
        "document.querySelector('.paper').shadowRoot.querySelector('.number').innerText"
    )
    database = invoice_renderer._database
    found = await find_workspace_by_host(database, urlsplit(page.url).hostname or "")
    assert found is not None
    workspace_id = found.workspace.workspace_id
    async with database.scope(workspace_id):
        (line,) = [each for each in await list_invoices(limit=1000) if each.number == number]
        customer_locale = (await load_customer(line.customer_id)).details.locale
    pdf = await invoice_renderer.ensure_pdf(
        workspace_id,
        line.invoice_id,
        line.version,
        locale=customer_locale or found.workspace.locale,
        within_s=30,
        open_unit=lambda: database.scope(workspace_id),
    )
    return await invoice_renderer.blobs.get(pdf.key)


@pytest.fixture
def open_paper(open_page: Callable[..., Awaitable[Page]]) -> Callable[[str], Awaitable[Page]]:
    """Open an invoice and leave nothing on the page but its paper."""

    async def open_alone(where: str) -> Page:
        page = await open_page(where, width=1600, height=1400)
        # A font that was loaded too late for the first view is used after a reload.
        if await page.evaluate(LOAD_FONTS):
            await page.reload()
        await page.evaluate("document.body.append(document.querySelector('.paper'))")
        await restyle(page, "document", PAPER_ONLY_CSS)
        await page.evaluate("document.fonts.ready.then(() => 0)")
        return page

    return open_alone


async def restyle(page: Page, where: str, css: str) -> None:
    """Add rules through the object model, which the page's policy allows."""
    script = f"""css => {{
      const sheet = new CSSStyleSheet(); sheet.replaceSync(css);
      const root = {where}; root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    }}"""
    await page.evaluate(script, css)


async def compare_page(page: Page, data: bytes, only: str = "") -> PageComparison:
    """Compare a paper with its PDF; the pixels of one sheet only, if it is named."""
    words = await compare_words(page, data)
    chosen = [sheet for sheet in words.sheets if sheet.name == only] or choose_sheets(words.sheets)
    return PageComparison(words, await measure_shares(page, data, chosen))


async def compare_words(page: Page, data: bytes) -> WordComparison:
    """Compare the words of a paper with those of its PDF."""
    return Pairing(*await read_live_words(page), read_pdf_words(data)).compare()


def choose_sheets(sheets: tuple[Sheet, ...]) -> list[Sheet]:
    """Return the sheets to compare pixel by pixel: of many the first ones and the last, and one repeated head."""
    pages = [sheet for sheet in sheets if sheet.name.startswith("page")]
    heads = [sheet for sheet in sheets if not sheet.name.startswith("page")]
    return [*pages[:_FIRST_PAGES], *pages[_FIRST_PAGES:][-1:], *heads[:1]]


@pytest.mark.parametrize(
    ("slug", "tags"),
    [*list_seeded_invoices()],
    ids=lambda each: each if isinstance(each, str) else "+".join(each),
)
async def test_the_pdf_is_the_page(
    portal: Portal,
    open_paper: Callable[[str], Awaitable[Page]],
    invoice_renderer: InvoiceRenderer,
    slug: str,
    tags: tuple[str, ...],
) -> None:
    page = await open_paper(portal.by_tags[slug, tags])
    found = await compare_page(page, await render_pdf_of_page(invoice_renderer, page))
    assert found.is_same, found


@pytest.mark.parametrize("place", DEFECT_PLACES)
async def test_planted_defects_are_found_each_by_its_measure(
    portal: Portal,
    open_paper: Callable[[str], Awaitable[Page]],
    invoice_renderer: InvoiceRenderer,
    place: str,
) -> None:
    tag, word, cells = DEFECT_PLACES[place]
    page = await open_paper(portal.link(tag))
    data = await render_pdf_of_page(invoice_renderer, page)
    assert (await compare_page(page, data, place)).is_same
    for name, (rule, tells) in WORD_DEFECTS.items():
        async with insert_defect(page, word + rule):
            assert tells(await compare_words(page, data)), name
    for name, rule in PIXEL_DEFECTS.items():
        async with insert_defect(page, cells + rule):
            found = await compare_page(page, data, place)
            assert found.words.is_same, name
            assert found.pixels > MAX_DIFFERENT_SHARE, name


@asynccontextmanager
async def insert_defect(page: Page, rule: str) -> AsyncIterator[None]:
    """Insert a defect into the paper, and remove it afterwards."""
    await restyle(page, "document.querySelector('.paper').shadowRoot", rule)
    yield
    await page.evaluate("document.querySelector('.paper').shadowRoot.adoptedStyleSheets = []")
