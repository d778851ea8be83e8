"""PDF mode: what it shows, how it is moved through, copied, left and come back to."""

from __future__ import annotations

import asyncio
import io
import itertools
import unicodedata
from collections import Counter
from typing import Any

import pypdfium2
import pytest
from PIL import Image, ImageChops, ImageFilter
from playwright.async_api import Download, FloatRect, Page, Response, ViewportSize, expect

from tests.journeys.conftest import OpenPage, PdfProcesses, Portal, ReadLayoutShifts
from tests.journeys.test_page_access import find_violations

MANY = "lines-200"
VISIBLE = 128  # of 255: what two ways of smoothing edges differ by stays below


async def choose_pdf(page: Page, pdf_processes: PdfProcesses) -> None:
    await page.get_by_role("radio", name="PDF").click()
    await wait_until_shown(page, pdf_processes)


async def wait_until_shown(page: Page, pdf_processes: PdfProcesses) -> None:
    await expect(page.locator(".viewer")).to_have_attribute(
        "data-state", "shown", timeout=pdf_processes.timeout_ms
    )


async def read_box(page: Page, selector: str) -> FloatRect:
    found = await page.locator(selector).first.bounding_box()
    assert found is not None
    return found


async def read_download(download: Download) -> bytes:
    path = await download.path()
    return await asyncio.to_thread(path.read_bytes)


def measure_difference(shot: Image.Image, data: bytes) -> float:
    """Return the share of pixels at 2x that are no shade of their neighbours in what pdfium draws of the first page."""
    with pypdfium2.PdfDocument(data) as pdf:
        first: Any = pdf[0]
        other: Image.Image = first.render(scale=2 * 96 / 72).to_pil().convert("L")
    size = (min(shot.width, other.width), min(shot.height, other.height))
    one, two = (each.convert("L").crop((0, 0, *size)) for each in (shot, other))
    apart = ImageChops.lighter(measure_excess(one, two), measure_excess(two, one))
    return sum(apart.histogram()[VISIBLE:]) / (size[0] * size[1])


def measure_excess(one: Image.Image, two: Image.Image) -> Image.Image:
    least, most = two.filter(ImageFilter.MinFilter(3)), two.filter(ImageFilter.MaxFilter(3))
    return ImageChops.lighter(ImageChops.subtract(one, most), ImageChops.subtract(least, one))


async def read_width(page: Page) -> float:
    return (await read_box(page, ".page"))["width"]


def count_letters(text: str) -> Counter[str]:
    # What stands for a hyphen at the end of a line, and forms of the same letter, the two tell in ways of their own.
    plain = unicodedata.normalize("NFKC", text.replace("\ufffe", "-").replace("\x02", "-"))
    return Counter("".join(plain.split()))


def read_pdf_text(data: bytes) -> str:
    with pypdfium2.PdfDocument(data) as pdf:
        return "".join(page.get_textpage().get_text_range() for page in pdf)


# Not the Arabic one: its font builds letters of several parts, and pdf.js does not read what the PDF says they are.
@pytest.mark.parametrize("kind", ["due", "german", "japanese", "hostile-text"])
async def test_it_shows_the_words_of_the_pdf_that_is_downloaded(
    open_page: OpenPage, pdf_processes: PdfProcesses, kind: str
) -> None:
    page = await open_page(kind)
    async with page.expect_response(lambda answer: "/invoice.pdf" in answer.url) as first:
        await choose_pdf(page, pdf_processes)
    seen = await (await first.value).body()
    downloads = []
    for _ in range(2):
        async with page.expect_download() as download:
            await page.get_by_role("link", name="PDF").filter(visible=True).click()
        downloads.append(await read_download(await download.value))
    assert [seen, seen] == downloads
    await expect(page.locator(".page .end")).to_have_count(await page.locator(".page").count())
    written = await page.locator(".layer").all_text_contents()
    assert count_letters("".join(written)) == count_letters(read_pdf_text(seen))


@pytest.mark.parametrize("kind", ["due", "japanese", "rtl", "hostile-text"])
async def test_it_draws_what_another_reader_draws(
    open_page: OpenPage, pdf_processes: PdfProcesses, kind: str
) -> None:
    page = await open_page(kind, width=1600, height=1400, device_scale_factor=2)
    async with page.expect_response(lambda answer: "/invoice.pdf" in answer.url) as first:
        await choose_pdf(page, pdf_processes)
    await page.get_by_role("combobox").select_option("1")
    await expect(page.locator(".page canvas").first).to_have_js_property(
        "width", int(await read_width(page) * 2)
    )
    shot = await page.locator(".page").first.screenshot(animations="disabled")
    assert measure_difference(Image.open(io.BytesIO(shot)), await (await first.value).body()) <= 0.0005


async def test_the_pages_stand_where_the_paper_stood_and_nothing_else_moves(
    open_page: OpenPage, pdf_processes: PdfProcesses, read_layout_shifts: ReadLayoutShifts
) -> None:
    page = await open_page("due")
    before = await read_box(page, ".paper"), await read_box(page, ".amount")
    await choose_pdf(page, pdf_processes)
    after = await read_box(page, ".page"), await read_box(page, ".amount")
    assert before[1] == after[1]
    for side in ("x", "y", "width"):
        assert after[0][side] == pytest.approx(before[0][side], abs=1)
    assert not await page.locator(".paper").is_visible()
    await page.get_by_role("radio", name="Live").click()
    assert await read_box(page, ".paper") == before[0]
    assert await read_layout_shifts(page) == []


async def test_the_address_keeps_the_mode(open_page: OpenPage, pdf_processes: PdfProcesses) -> None:
    page = await open_page("due")
    await choose_pdf(page, pdf_processes)
    assert page.url.endswith("#pdf")
    await page.reload()
    await wait_until_shown(page, pdf_processes)
    await expect(page.get_by_role("radio", name="PDF")).to_be_checked()
    await page.go_back()
    await expect(page.locator(".paper")).to_be_visible()
    await expect(page.get_by_role("radio", name="Live")).to_be_checked()
    await page.go_forward()
    await expect(page.locator(".viewer .page").first).to_be_visible()
    # Choosing Live is going back: no trail of modes is left to walk through.
    length = await page.evaluate("history.length")
    await page.get_by_role("radio", name="Live").click()
    await expect(page.locator(".paper")).to_be_visible()
    assert (await page.evaluate("[history.length, location.hash]")) == [length, ""]


async def test_the_same_pdf_is_fetched_once(open_page: OpenPage, pdf_processes: PdfProcesses) -> None:
    page = await open_page("due")
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer) if "invoice.pdf" in answer.url else None)
    await choose_pdf(page, pdf_processes)
    await page.get_by_role("radio", name="Live").click()
    await expect(page.locator(".paper")).to_be_visible()
    assert await page.locator(".pages canvas").count() == 0
    await choose_pdf(page, pdf_processes)
    await expect(page.locator(".page:first-child canvas")).to_be_visible()
    assert [answer.status for answer in answers] == [200]


async def test_the_keyboard_chooses_turns_and_sizes(open_page: OpenPage, pdf_processes: PdfProcesses) -> None:
    page = await open_page(MANY)
    await page.get_by_role("radio", name="Live").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("radio", name="PDF")).to_be_focused()
    await wait_until_shown(page, pdf_processes)
    field, size = page.get_by_role("textbox", name="Page"), page.get_by_role("combobox")
    await page.get_by_role("group", name="Pages of the PDF").focus()
    for key, number in (("ArrowRight", "2"), ("ArrowRight", "3"), ("ArrowLeft", "2"), ("Home", "1")):
        await page.keyboard.press(key)
        await expect(field).to_have_value(number)
    await page.keyboard.press("End")
    await expect(field).to_have_value(str(await page.locator(".page").count()))
    await page.keyboard.press("PageUp")
    await page.keyboard.press("PageUp")
    await expect(field).not_to_have_value(str(await page.locator(".page").count()))
    for key, value in (("+", "1.25"), ("+", "1.5"), ("-", "1.25"), ("0", "width")):
        await page.keyboard.press(key)
        await expect(size).to_have_value(value)
    await expect(page.locator("[data-says]")).to_have_text("100%")
    await field.fill("7")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-says]")).to_have_text(f"Page 7 of {await page.locator('.page').count()}")


async def test_pages_get_their_size_on_paper_and_keep_their_place(
    open_page: OpenPage, pdf_processes: PdfProcesses
) -> None:
    page = await open_page(MANY)
    await choose_pdf(page, pdf_processes)
    await page.get_by_role("button", name="Next page").click()
    await page.get_by_role("combobox").select_option("1")
    assert (await read_box(page, ".page"))["width"] == pytest.approx(8.5 * 96, abs=0.5)
    await page.get_by_role("button", name="Larger").click()
    assert (await read_box(page, ".page"))["width"] == pytest.approx(8.5 * 96 * 1.25, abs=0.5)
    await expect(page.get_by_role("textbox", name="Page")).to_have_value("2")
    assert await page.evaluate("document.documentElement.scrollWidth") == 1280
    await page.get_by_role("combobox").select_option("width")
    assert (await read_box(page, ".page"))["width"] == pytest.approx(
        (await read_box(page, ".stage"))["width"], abs=1
    )


async def test_drawings_are_as_sharp_as_the_screen(open_page: OpenPage, pdf_processes: PdfProcesses) -> None:
    page = await open_page("due", device_scale_factor=2)
    await choose_pdf(page, pdf_processes)
    ratio = "c => [c.width / c.getBoundingClientRect().width, c.height / c.getBoundingClientRect().height]"
    assert await page.locator(".page canvas").first.evaluate(ratio) == pytest.approx([2, 2], abs=0.001)


async def test_a_line_is_selected_and_copied(open_page: OpenPage, pdf_processes: PdfProcesses) -> None:
    page = await open_page("due", permissions=["clipboard-read", "clipboard-write"])
    await choose_pdf(page, pdf_processes)
    line = page.locator(".layer span")
    start = await line.filter(has_text="Visitor guide").first.bounding_box()
    end = await line.filter(has_text="3,480.00").first.bounding_box()
    assert start is not None
    assert end is not None
    await page.mouse.move(start["x"] + 1, start["y"] + start["height"] / 2)
    await page.mouse.down()
    await page.mouse.move(end["x"] + end["width"] - 1, end["y"] + end["height"] / 2, steps=8)
    await page.mouse.up()
    await page.keyboard.press("Control+C")
    copied = (await page.evaluate("navigator.clipboard.readText()")).split()
    assert copied == ["Visitor", "guide,", "art", "direction", "24", "hours", "145.00", "3,480.00"]


async def test_a_long_pdf_holds_only_the_drawings_near_the_window_and_the_words_of_all(
    open_page: OpenPage, pdf_processes: PdfProcesses
) -> None:
    page = await open_page("lines-1000", width=390, height=844, device_scale_factor=3)
    await page.get_by_role("link", name="View PDF").click()
    await wait_until_shown(page, pdf_processes)
    pages = await page.locator(".page").count()
    assert pages > 20
    await expect(page.locator(".page .end")).to_have_count(pages, timeout=pdf_processes.timeout_ms)
    for number in (pages // 2, pages):
        await page.get_by_role("textbox", name="Page").fill(str(number))
        await page.keyboard.press("Enter")
        drawing = page.locator(".page").nth(number - 1).locator("canvas")
        await expect(drawing).to_be_attached(timeout=pdf_processes.timeout_ms)
        await expect(page.locator(".page").first.locator("canvas")).not_to_be_attached()
        # Three windows of drawings: one, and its like above and below.
        pixels = await page.evaluate(
            "[...document.querySelectorAll('.pages canvas')].reduce((sum, c) => sum + c.width * c.height, 0)"
        )
        assert 0 < pixels <= 390 * 844 * 9 * 5


async def test_a_phone_shows_it_over_the_page_and_goes_back(
    open_page: OpenPage, pdf_processes: PdfProcesses
) -> None:
    page = await open_page("due", width=390, height=844)
    await page.evaluate("window.scrollTo(0, 40)")
    link = page.get_by_role("link", name="View PDF")
    assert (await read_box(page, ".file"))["height"] >= 44
    await link.click()
    await wait_until_shown(page, pdf_processes)
    assert await read_box(page, ".viewer") == {"x": 0, "y": 0, "width": 390, "height": 844}
    await expect(page.get_by_role("dialog")).to_be_visible()
    await expect(page.get_by_role("button", name="Back to the invoice")).to_be_focused()
    for _ in range(12):
        await page.keyboard.press("Tab")
        inside = "document.activeElement === document.body || !!document.activeElement.closest('.viewer')"
        assert await page.evaluate(inside)
    await page.get_by_role("group", name="Pages of the PDF").focus()
    await page.keyboard.press("Escape")
    await expect(link).to_be_focused()
    assert await page.evaluate("[location.hash, window.scrollY]") == ["", 40]
    assert await page.locator(".reading").is_visible()


@pytest.mark.parametrize(
    "context",
    [
        {"width": 1280},
        {"width": 1280, "dark": True},
        {"width": 390},
        {"width": 640, "height": 450, "device_scale_factor": 2},
        {"width": 1280, "forced_colors": "active"},
    ],
    ids=("wide", "dark", "phone", "200-percent", "forced-colours"),
)
async def test_axe_finds_nothing_and_all_controls_are_in_the_window(
    open_page: OpenPage, portal: Portal, pdf_processes: PdfProcesses, context: dict[str, Any]
) -> None:
    page = await open_page(f"{portal.link('lines-40')}#pdf", bypass_csp=True, **context)
    await wait_until_shown(page, pdf_processes)
    assert await find_violations(page) == []
    height = context.get("height", 900)
    for control in await page.locator(".controls :is(button, input, select)").filter(visible=True).all():
        found = await control.bounding_box()
        assert found is not None
        assert 0 <= found["x"] < found["x"] + found["width"] <= context["width"]
        assert found["y"] + found["height"] <= height
        assert min(found["width"], found["height"]) >= 24


@pytest.mark.parametrize("width", [390, 1280])
async def test_letters_twice_as_large_lie_on_nothing_else(
    open_page: OpenPage, pdf_processes: PdfProcesses, width: int
) -> None:
    page = await open_page("german", width=width, bypass_csp=True)
    await page.add_style_tag(content="html { font-size: 200% }")
    await page.locator("[data-shows='pdf']").filter(visible=True).first.click()
    await wait_until_shown(page, pdf_processes)
    covered = await page.evaluate(
        """() => {
          const parts = ['.masthead > *', '.controls > div > *, .controls > div > label > input'];
          const found = [];
          for (const part of parts) {
            const all = [...document.querySelectorAll(part)].filter(each => each.checkVisibility());
            const boxes = all.filter(each => each.tagName !== 'LABEL').map(each => each.getBoundingClientRect());
            boxes.forEach((one, index) => boxes.slice(index + 1).forEach(two => {
              const across = Math.min(one.right, two.right) - Math.max(one.left, two.left);
              const down = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
              if (across > 0.5 && down > 0.5) found.push([part, across, down]);
            }));
          }
          return found;
        }"""
    )
    assert covered == []


async def test_who_turns_the_phone_goes_on_reading(open_page: OpenPage, pdf_processes: PdfProcesses) -> None:
    page = await open_page("due", width=390, height=844)
    await page.get_by_role("link", name="View PDF").click()
    await wait_until_shown(page, pdf_processes)
    await page.set_viewport_size(ViewportSize(width=844, height=390))
    viewer = page.locator(".viewer")
    await expect(viewer).to_have_attribute("role", "region")
    await expect(viewer).to_be_in_viewport(ratio=0.9)
    await expect(viewer).to_be_focused()
    await page.set_viewport_size(ViewportSize(width=390, height=844))
    await expect(page.get_by_role("dialog")).to_be_focused()


@pytest.mark.parametrize("tag", ["german", "lines-1000"])
async def test_the_chosen_size_is_never_cut_off(
    open_page: OpenPage, pdf_processes: PdfProcesses, tag: str
) -> None:
    page = await open_page(tag, width=320)
    await page.locator("[data-shows='pdf']").filter(visible=True).click()
    await wait_until_shown(page, pdf_processes)
    for width, size in itertools.product((320, 390, 1280), ("width", "1", "4")):
        await page.set_viewport_size(ViewportSize(width=width, height=900))
        await page.locator(".controls select").select_option(size)
        # The arrow takes 20 px of it.
        spare = await page.locator(".controls select").evaluate(
            """select => {
              const style = getComputedStyle(select), pen = document.createElement('canvas').getContext('2d');
              pen.font = style.font;
              const text = pen.measureText(select.selectedOptions[0].text).width;
              return select.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - 20 - text;
            }"""
        )
        assert spare >= 0, (width, size, spare)


async def test_printing_prints_the_paper_which_is_the_same(
    open_page: OpenPage, pdf_processes: PdfProcesses
) -> None:
    page = await open_page("due")
    live = read_pdf_text(await page.pdf(prefer_css_page_size=True))
    await choose_pdf(page, pdf_processes)
    assert read_pdf_text(await page.pdf(prefer_css_page_size=True)) == live


@pytest.mark.parametrize("width", [390, 1280])
async def test_without_scripts_the_links_bring_it(
    open_page: OpenPage, pdf_processes: PdfProcesses, width: int
) -> None:
    page = await open_page("due", width=width, java_script_enabled=False)
    links = page.get_by_role("link", name="PDF").filter(visible=True)
    inline, plain = page.locator("a[href*='inline']").filter(visible=True), links.filter(has_text="Download")
    async with page.expect_download(timeout=pdf_processes.timeout_ms) as download:
        await plain.click()
    data = await read_download(await download.value)
    assert data.startswith(b"%PDF-")
    # A Chromium without a viewer of its own saves it, which ends the navigation.
    async with (
        page.expect_response(lambda answer: "inline" in answer.url) as answer,
        page.expect_download() as inline_download,
    ):
        await inline.click()
    assert (await answer.value).headers["content-disposition"].startswith("inline")
    assert await read_download(await inline_download.value) == data
