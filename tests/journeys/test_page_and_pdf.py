"""The PDF is the page: word by word, colour by colour, pixel by pixel, for every kind of invoice."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from kernel.blobs import Blobs
from kernel.clock import SystemClock
from kernel.store import Database
from kernel.store.roles import Urls
from kernel.telemetry.metrics import Metrics
from ops import browser as programs
from tenants.invoices.queries import list_invoices
from tenants.workspaces.queries import workspace_by_host
from tests.fakes.live_and_pdf import Difference, compare, live_words, pdf_words, pixels_apart
from tests.fakes.papers import fonts
from workers.press.press import Press
from workers.press.printer import Printer

ONE_PAGE = ("lines-3", "lines-1", "partly-paid", "zero", "huge", "tax-inclusive", "allowances")
LONGER = ("lines-10", "lines-40", "lines-200")
NATURAL_SIZE = ".sheet{max-width:none!important}.paper{zoom:1!important}.mark{display:none!important}"
DEFECTS = {
    "half a pixel sideways": ".number{position:relative;left:0.5px}",
    "three pixels down": ".number{position:relative;top:3px}",
    "a shade of colour": ".number{color:#575d69!important}",
    "a missing word": ".number{display:none}",
    "a missing line": ".items thead th{border-bottom-color:transparent!important}",
}


@pytest.fixture(scope="module")
async def printer(urls: Urls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Printer]:
    """A printer on the journeys' database."""
    database = await Database.open(urls.app, size=2, name="journeys printer", patience_s=5)
    press = Press(Metrics())
    await press.start()
    yield Printer(
        database=database,
        blobs=Blobs.open(tmp_path_factory.mktemp("blobs")),
        press=press,
        fonts=fonts(),
        clock=SystemClock(),
        metrics=Metrics(),
    )
    await press.close()
    await database.close()


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """A browser that sets letters where the layout puts them, as screens of twice the pixels do everywhere."""
    async with async_playwright() as playwright:
        arguments = [*programs.arguments(), "--font-render-hinting=none"]
        opened = await playwright.chromium.launch(executable_path=programs.executable(), args=arguments)
        yield opened
        await opened.close()


async def pdf_of(printer: Printer, page: Page) -> bytes:
    """Return the PDF of the invoice that a page shows."""
    number = await page.evaluate(
        "document.querySelector('.paper').shadowRoot.querySelector('.number').innerText"
    )
    database = printer._database
    async with database.unbound():
        found = await workspace_by_host(urlsplit(page.url).hostname or "")
    assert found is not None
    async with database.scope(found.workspace.workspace_id):
        (line,) = [each for each in await list_invoices(limit=1000) if each.number == number]
    pdf = await printer.render_version(found.workspace.workspace_id, line.invoice_id, line.version)
    return await printer.read(pdf)


@pytest.fixture
def opened(open_page: Callable[..., Awaitable[Page]]) -> Callable[[str], Awaitable[Page]]:
    """Open an invoice with its paper at its natural size, at twice the pixels."""

    async def visit(tag: str) -> Page:
        page = await open_page(tag, width=1600, height=1400, device_scale_factor=2)
        await restyle(page, "document", NATURAL_SIZE)
        await page.evaluate("document.fonts.ready.then(() => 0)")
        return page

    return visit


async def restyle(page: Page, where: str, css: str) -> None:
    """Add rules through the object model, which the page's policy allows."""
    script = f"""css => {{
      const sheet = new CSSStyleSheet(); sheet.replaceSync(css);
      const root = {where}; root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    }}"""
    await page.evaluate(script, css)


async def difference(page: Page, data: bytes, *, with_pixels: bool = True) -> Difference:
    pixels = 0.0
    if with_pixels:
        shot = await page.locator(".paper").screenshot(animations="disabled")
        pixels = pixels_apart(Image.open(io.BytesIO(shot)), data)
    return compare(await live_words(page), pdf_words(data), pixels)


@pytest.mark.parametrize("tag", ONE_PAGE)
async def test_an_invoice_of_one_page_is_the_same_in_both(
    opened: Callable[[str], Awaitable[Page]], printer: Printer, tag: str
) -> None:
    page = await opened(tag)
    found = await difference(page, await pdf_of(printer, page))
    assert found.is_none, found


@pytest.mark.parametrize("tag", LONGER)
async def test_a_longer_invoice_has_the_same_words_at_the_same_places_across(
    opened: Callable[[str], Awaitable[Page]], printer: Printer, tag: str
) -> None:
    page = await opened(tag)
    found = compare(await live_words(page), pdf_words(await pdf_of(printer, page)))
    assert found.is_none, found


@pytest.mark.parametrize("defect", DEFECTS)
async def test_a_planted_defect_is_found(
    opened: Callable[[str], Awaitable[Page]], printer: Printer, defect: str
) -> None:
    page = await opened("lines-3")
    data = await pdf_of(printer, page)
    assert (await difference(page, data)).is_none
    await restyle(page, "document.querySelector('.paper').shadowRoot", DEFECTS[defect])
    assert not (await difference(page, data)).is_none
