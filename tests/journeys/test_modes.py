"""Live and PDF in the history of the browser, and in windows of every size."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, Route, expect

from tests.journeys.conftest import OpenPage, PdfProcesses, Portal, ReadLayoutShifts
from tests.journeys.test_pdf_mode import wait_until_shown

VIEW_PDF = "[data-shows='pdf']"


async def open_pdf(page: Page, pdf_processes: PdfProcesses) -> None:
    await page.locator(VIEW_PDF).filter(visible=True).first.click()
    await wait_until_shown(page, pdf_processes)
    await expect(page.locator("[data-mode='pdf']")).to_be_attached()


@pytest.mark.parametrize("width", [390, 768])
async def test_going_back_to_the_bank_transfer_closes_the_pdf(
    open_page: OpenPage, pdf_processes: PdfProcesses, width: int
) -> None:
    page = await open_page("due", width=width, height=844)
    await page.evaluate("location.hash = '#transfer'")
    await open_pdf(page, pdf_processes)
    await page.go_back()
    await expect(page.locator(".viewer")).not_to_be_visible()
    assert page.url.endswith("#transfer")
    await expect(page.locator("#transfer")).to_be_in_viewport()
    await page.go_forward()
    await expect(page.locator(".viewer")).to_be_visible()


async def test_going_back_to_a_skip_link_closes_the_pdf(
    open_page: OpenPage, pdf_processes: PdfProcesses
) -> None:
    page = await open_page("due")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await open_pdf(page, pdf_processes)
    await page.go_back()
    await expect(page.locator(".paper")).to_be_visible()
    await expect(page.get_by_role("radio", name="Live")).to_be_checked()


async def test_a_skip_link_in_pdf_mode_keeps_the_mode_when_the_page_is_reloaded(
    open_page: OpenPage, pdf_processes: PdfProcesses
) -> None:
    page = await open_page("due")
    await open_pdf(page, pdf_processes)
    await page.get_by_role("link", name="Skip to the invoice").focus()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{page.url.split('#')[0]}#invoice")
    assert await page.locator(".viewer").is_visible()
    await page.reload()
    await wait_until_shown(page, pdf_processes)
    await expect(page.get_by_role("radio", name="PDF")).to_be_checked()
    await page.go_back()
    await expect(page.get_by_role("radio", name="PDF")).to_be_checked()
    await page.go_back()
    await expect(page.get_by_role("radio", name="Live")).to_be_checked()


@pytest.mark.parametrize(
    ("width", "height", "delay_s"),
    [
        (720, 900, 0.0),
        (768, 1024, 0.5),
        (1023, 700, 0.0),
        (1280, 500, 0.5),
        (1280, 340, 0.0),
        (800, 400, 0.5),
    ],
)
async def test_the_viewer_is_in_view_when_it_opens_and_nothing_jumps(
    open_page: OpenPage,
    pdf_processes: PdfProcesses,
    read_layout_shifts: ReadLayoutShifts,
    *,
    width: int,
    height: int,
    delay_s: float,
) -> None:
    page = await open_page("due", width=width, height=height)

    async def delay(route: Route) -> None:
        await asyncio.sleep(delay_s)
        await route.continue_()

    await page.route("**/invoice.pdf*", delay)
    await open_pdf(page, pdf_processes)
    await expect(page.locator(".viewer")).to_be_in_viewport(ratio=1)
    await expect(page.locator(".viewer .page").first).to_be_in_viewport()
    await expect(page.get_by_role("combobox")).to_be_in_viewport(ratio=1)
    assert await read_layout_shifts(page) == []


async def test_a_link_to_the_pdf_opens_it_in_view(
    open_page: OpenPage, portal: Portal, pdf_processes: PdfProcesses
) -> None:
    page = await open_page(f"{portal.link('due')}#pdf", width=768, height=900)
    await wait_until_shown(page, pdf_processes)
    await expect(page.locator(".viewer")).to_be_in_viewport(ratio=1)
    await expect(page.locator(".viewer")).to_be_focused()


async def test_a_viewer_in_view_leaves_the_focus_where_it_is(
    open_page: OpenPage, pdf_processes: PdfProcesses
) -> None:
    page = await open_page("due")
    await page.get_by_role("radio", name="PDF").focus()
    await page.keyboard.press("Space")
    await wait_until_shown(page, pdf_processes)
    await expect(page.get_by_role("radio", name="PDF")).to_be_focused()
    assert await page.evaluate("window.scrollY") == 0
