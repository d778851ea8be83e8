"""The layout of the invoice page in windows of every size: no shifts, no hidden parts, no overflow."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise

import pytest
from playwright.async_api import Browser, Page, Route, ViewportSize, expect

from tests.journeys.conftest import OpenPage, Portal, ReadLayoutShifts

WIDTHS = (320, 390, 719, 720, 768, 1023, 1024, 1280, 1680)
KINDS = ("lines-1", "lines-40", "huge", "long-words", "japanese", "rtl", "paid", "allowances")

_BOX = "element => { const box = element.getBoundingClientRect(); return [box.left, box.top, box.right, box.bottom]; }"


async def read_box(page: Page, selector: str) -> tuple[float, float, float, float]:
    left, top, right, bottom = await page.locator(selector).first.evaluate(_BOX)
    return left, top, right, bottom


@pytest.mark.parametrize("kind", KINDS)
async def test_no_window_makes_the_page_scroll_sideways(open_page: OpenPage, kind: str) -> None:
    page = await open_page(kind)
    for width in WIDTHS:
        await page.set_viewport_size(ViewportSize(width=width, height=800))
        assert (width, await page.evaluate("document.documentElement.scrollWidth")) == (width, width)


@pytest.mark.parametrize("kind", KINDS)
async def test_no_amount_runs_out_of_its_place_or_over_two_lines(open_page: OpenPage, kind: str) -> None:
    page = await open_page(kind)
    for width in (320, 390, 768, 1024, 1680):
        await page.set_viewport_size(ViewportSize(width=width, height=800))
        overflowing = await page.evaluate(
            """() => {
              const paper = document.querySelector('.paper').shadowRoot;
              const found = [];
              for (const [root, frame] of [[document, document.body], [paper, paper.querySelector('article')]]) {
                const outer = frame.getBoundingClientRect();
                for (const each of root.querySelectorAll('.amount, .sum:not(.bar .sum), td.figure')) {
                  if (!each.checkVisibility()) continue;
                  const range = document.createRange();
                  range.selectNodeContents(each.firstElementChild ?? each);
                  const inner = range.getBoundingClientRect();
                  const tops = new Set([...range.getClientRects()].map(rect => Math.round(rect.top)));
                  const isIn = inner.left >= outer.left - 1 && inner.right <= outer.right + 1;
                  if (!isIn || (tops.size > 1 && !each.querySelector('.remark'))) found.push(each.textContent);
                }
              }
              return found;
            }"""
        )
        assert (width, overflowing) == (width, [])


@pytest.mark.parametrize("width", [720, 768, 1024, 1280, 1680])
async def test_the_paper_fills_its_column_and_keeps_its_shape(open_page: OpenPage, width: int) -> None:
    page = await open_page("due", width=width)
    left, top, right, bottom = await read_box(page, ".paper")
    column = await read_box(page, ".sheet")
    assert (left, right) == pytest.approx((column[0], column[2]), abs=0.5)
    # US Letter, of which the demo's first workspace has a single sheet; the layout has the height that is seen.
    # A column narrower than a sheet makes a narrower one, which may have to grow with what is on it.
    shape = (bottom - top) / (right - left)
    assert 279.4 / 215.9 - 0.01 <= shape <= (1.6 if width < 1280 else 279.4 / 215.9 + 0.01)
    assert column[3] == pytest.approx(bottom, abs=0.5)


async def test_wide_windows_have_paper_beside_a_rail_that_stays_in_view(open_page: OpenPage) -> None:
    page = await open_page("lines-200")
    paper, rail = await read_box(page, ".paper"), await read_box(page, ".rail")
    assert paper[2] < rail[0]
    assert 320 <= rail[2] - rail[0] <= 360
    await page.evaluate("window.scrollTo(0, 3000)")
    assert (await read_box(page, ".paper"))[1] < -2000
    amount = await read_box(page, ".amount")
    assert amount[1] >= 0
    assert amount[3] <= 900


@pytest.mark.parametrize("kind", ["due", "paid"])
async def test_the_parts_of_the_rail_stand_equally_far_apart(open_page: OpenPage, kind: str) -> None:
    page = await open_page(kind)
    gaps = await page.evaluate(
        """() => {
          const parts = [...document.querySelectorAll('.rail > :is(section, .talk-link)')]
            .filter(each => each.checkVisibility());
          const ends = parts.map(each => each.lastElementChild.getBoundingClientRect().bottom);
          return parts.slice(1).map((each, index) => each.getBoundingClientRect().top - ends[index]);
        }"""
    )
    assert gaps == pytest.approx([28] * len(gaps), abs=0.1)


async def test_a_german_phone_keeps_the_words_of_a_button_on_one_line(open_page: OpenPage) -> None:
    page = await open_page("german", width=390, height=844)
    tops, heights = [], []
    for each in await page.locator(".file").all():
        found = await each.bounding_box()
        assert found is not None
        tops.append(found["y"])
        heights.append(found["height"])
    assert len(set(tops)) == 1
    assert heights == [44, 44]


async def test_a_low_window_keeps_the_amount_due_in_view(open_page: OpenPage) -> None:
    page = await open_page("lines-200", height=650)
    await page.evaluate("window.scrollTo(0, 3000)")
    amount = await read_box(page, ".amount")
    assert 0 <= amount[1] < amount[3] <= 650


async def test_a_rail_taller_than_the_window_can_be_read_to_its_end(open_page: OpenPage) -> None:
    page = await open_page("lines-200", height=480)
    await page.evaluate("window.scrollTo(0, 3000)")
    assert (await read_box(page, ".rail"))[3] <= 480
    assert (await read_box(page, ".contact"))[3] > 480
    await page.locator(".rail").hover()
    await page.mouse.wheel(0, 3000)
    await expect(page.locator(".language")).to_be_in_viewport(ratio=1)
    assert (await read_box(page, ".contact"))[3] <= 480


@pytest.mark.parametrize("height", [340, 500, 700])
async def test_the_rail_of_a_low_window_scrolls_inside_and_none_of_its_parts_lies_over_another(
    open_page: OpenPage, height: int
) -> None:
    page = await open_page("due", height=height)
    assert (await read_box(page, ".rail"))[3] <= height
    await page.evaluate("window.scrollTo(0, 1e6)")
    await page.locator(".rail").hover()
    await page.mouse.wheel(0, 60)
    await expect(page.locator(".rail")).to_have_js_property("scrollTop", 60)
    parts = [
        await read_box(page, f".rail > :nth-child({index + 1})")
        for index, part in enumerate(await page.locator(".rail > *").all())
        if await part.is_visible()
    ]
    assert [upper[3] <= lower[1] for upper, lower in pairwise(parts)] == [True] * (len(parts) - 1)


async def test_the_keyboard_brings_every_part_of_a_low_rail_into_view(open_page: OpenPage) -> None:
    page = await open_page("due", height=400)
    for name in ("Copy amount $9,164.55", "Deutsch", "Copy account holder Acme Studio LLC"):
        button = page.get_by_role("button", name=name)
        await button.focus()
        await expect(button).to_be_in_viewport(ratio=1)


async def test_a_window_in_between_has_one_column_with_the_rail_on_top(open_page: OpenPage) -> None:
    page = await open_page("due", width=900)
    assert (await read_box(page, ".rail"))[3] <= (await read_box(page, ".paper"))[1]
    heading, beside = await read_box(page, "#heading"), await read_box(page, "#transfer-heading")
    assert heading[1] == pytest.approx(beside[1], abs=2)


async def test_a_phone_reads_summary_items_totals_transfer(open_page: OpenPage) -> None:
    page = await open_page("due", width=390, height=844)
    order = [
        (await read_box(page, name))[1]
        for name in (".amount", ".reading .lines", ".reading .totals", ".transfer")
    ]
    assert order == sorted(order)
    assert not await page.locator(".paper").is_visible()
    # A class of the document is not one of the page's.
    rows = page.locator(".totals > div")
    assert await rows.evaluate_all(
        "rows => rows.map(row => getComputedStyle(row).borderInlineStartWidth)"
    ) == 3 * ["0px"]


async def test_the_bar_of_a_phone_covers_nothing_at_the_end_of_the_page(open_page: OpenPage) -> None:
    page = await open_page("due", width=390, height=700)
    bar = await read_box(page, ".bar")
    assert bar[3] == pytest.approx(700, abs=1)
    await page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    assert (await read_box(page, ".contact"))[3] <= (await read_box(page, ".bar"))[1]


async def test_how_to_pay_brings_the_transfer_into_view(open_page: OpenPage) -> None:
    page = await open_page("due", width=390, height=700)
    await page.get_by_role("link", name="How to pay").click()
    heading = await read_box(page, "#transfer-heading")
    assert 0 <= heading[1] < heading[3] <= (await read_box(page, ".bar"))[1]


@pytest.mark.parametrize("kind", ["paid", "void", "written-off"])
async def test_what_is_settled_asks_for_nothing_and_says_so(open_page: OpenPage, kind: str) -> None:
    page = await open_page(kind, width=390)
    assert await page.locator(".bar, .transfer").count() == 0
    assert await page.locator(".notice").is_visible()


@pytest.mark.parametrize("width", [720, 1024, 1680])
@pytest.mark.parametrize("kind", ["paid", "void"])
async def test_the_mark_on_the_paper_stands_above_everything_printed(
    open_page: OpenPage, kind: str, width: int
) -> None:
    page = await open_page(kind, width=width)
    mark, paper = await read_box(page, ".mark"), await read_box(page, ".paper")
    printed = await page.evaluate(
        "document.querySelector('.paper').shadowRoot.querySelector('.head').getBoundingClientRect().top"
    )
    assert paper[1] <= mark[1] < mark[3] <= printed


@pytest.mark.parametrize("width", [390, 768, 1280])
@pytest.mark.parametrize("kind", ["due", "lines-200", "rtl", "paid"])
async def test_nothing_moves_while_a_page_arrives(
    open_page: OpenPage, read_layout_shifts: ReadLayoutShifts, kind: str, width: int
) -> None:
    page = await open_page(kind, width=width)
    await page.wait_for_timeout(100)
    assert await read_layout_shifts(page) == []


@pytest.mark.parametrize("late", ["document-", "inter-latin-", "/brand/", "page-"])
async def test_nothing_moves_when_a_part_arrives_late(
    chromium: Browser, portal: Portal, read_layout_shifts: ReadLayoutShifts, late: str
) -> None:
    context = await chromium.new_context(viewport=ViewportSize(width=1280, height=900))
    try:
        page = await context.new_page()
        await page.add_init_script(
            "window.layoutShifts = []; new PerformanceObserver(list => window.layoutShifts.push("
            "...list.getEntries().map(entry => entry.value))).observe({type: 'layout-shift', buffered: true});"
        )
        held: list[str] = []

        async def hold(route: Route) -> None:
            held.append(route.request.url)
            await asyncio.sleep(0.6)
            await route.continue_()

        await page.route(lambda url: late in url, hold)
        await page.goto(portal.link("due"), wait_until="load")
        await page.wait_for_timeout(200)
        assert held != []
        assert await read_layout_shifts(page) == []
    finally:
        await context.close()


async def test_at_200_percent_zoom_everything_is_there_without_scrolling_sideways(
    open_page: OpenPage,
) -> None:
    # A window of 1280 px at 200 % is one of 640 px with twice the pixels.
    page = await open_page("lines-40", width=640, height=450, device_scale_factor=2)
    assert await page.evaluate("document.documentElement.scrollWidth") == 640
    assert await page.locator(".summary .amount").is_visible()
    assert await page.locator(".reading .lines > li").count() == 40


async def test_print_shows_the_paper_and_nothing_else(open_page: OpenPage) -> None:
    page = await open_page("due", width=794)
    await page.emulate_media(media="print")
    for hidden in (".masthead", ".rail", ".toolbar", ".reading", ".bar"):
        assert not await page.locator(hidden).is_visible()
    assert await page.locator(".paper").is_visible()
    assert await page.locator(".paper").evaluate("element => getComputedStyle(element).zoom") == "1"


async def test_a_void_invoice_says_so_even_in_print_and_a_paid_one_keeps_quiet(open_page: OpenPage) -> None:
    seen = []
    for kind in ("void", "paid"):
        page = await open_page(kind, width=794)
        await page.emulate_media(media="print")
        seen.append(await page.locator(".mark").is_visible())
    assert seen == [True, False]


@pytest.mark.parametrize(("kind", "size"), [("lines-40", (595, 842)), ("lines-10", (612, 792))])
async def test_printing_takes_the_sheet_of_the_senders_country(
    open_page: OpenPage, kind: str, size: tuple[int, int]
) -> None:
    page = await open_page(kind)
    printed = await page.pdf(prefer_css_page_size=True)
    boxes = re.findall(rb"/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]", printed)
    assert len(boxes) in (2, 3)
    assert {(round(float(width)), round(float(height))) for width, height in boxes} == {size}
