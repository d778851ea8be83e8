"""Invoices that are not to be paid: the page says so everywhere, and offers nothing to pay to."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.async_api import Page, expect

from tests.journeys.conftest import OpenPage, PdfProcesses
from tests.journeys.test_modes import open_pdf
from tests.journeys.test_page_access import find_violations

SENTENCES: Final = {
    "void": "This invoice was cancelled. Please do not pay it.",
    "written-off": "This invoice is closed. Nothing needs to be paid.",
}
CLOSED: Final = tuple(SENTENCES)


async def read_banners(page: Page) -> list[str]:
    """Return what the visible banners say that stand in the window."""
    banners = page.locator(".banner, .notice:is([data-state='void'], [data-state='written_off'])")
    return [await each.inner_text() for each in await banners.filter(visible=True).all()]


@pytest.mark.parametrize("dark", [False, True], ids=("light", "dark"))
@pytest.mark.parametrize("width", [390, 768, 1280])
@pytest.mark.parametrize("tag", CLOSED)
async def test_a_banner_says_in_both_modes_that_nothing_is_to_be_paid(
    open_page: OpenPage, pdf_processes: PdfProcesses, tag: str, width: int, *, dark: bool
) -> None:
    page = await open_page(tag, width=width, dark=dark, bypass_csp=True)
    assert set(await read_banners(page)) == {SENTENCES[tag]}
    assert await find_violations(page) == []
    await open_pdf(page, pdf_processes)
    banner = page.locator(".viewer .banner")
    await expect(banner).to_be_in_viewport(ratio=1)
    assert await banner.inner_text() == SENTENCES[tag]
    assert await find_violations(page) == []


@pytest.mark.parametrize("tag", CLOSED)
async def test_the_banner_stands_above_the_paper_and_above_the_pages(
    open_page: OpenPage, pdf_processes: PdfProcesses, tag: str
) -> None:
    page = await open_page(tag)
    over_paper = await page.locator(".stage > .banner").bounding_box()
    await open_pdf(page, pdf_processes)
    over_pages = await page.locator(".viewer .banner").bounding_box()
    pages = await page.locator(".viewer .page").first.bounding_box()
    assert over_paper == over_pages
    assert over_pages is not None
    assert pages is not None
    assert over_pages["y"] + over_pages["height"] <= pages["y"]


@pytest.mark.parametrize("tag", CLOSED)
async def test_screen_readers_get_the_warning_with_the_pdf(
    open_page: OpenPage, pdf_processes: PdfProcesses, tag: str
) -> None:
    page = await open_page(tag)
    await open_pdf(page, pdf_processes)
    await expect(page.locator(".viewer")).to_have_accessible_description(SENTENCES[tag])


@pytest.mark.parametrize("java_script_enabled", [True, False], ids=("scripts", "no-scripts"))
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("tag", CLOSED)
async def test_a_download_is_confirmed_first_with_and_without_scripts(
    open_page: OpenPage, pdf_processes: PdfProcesses, tag: str, width: int, *, java_script_enabled: bool
) -> None:
    page = await open_page(tag, width=width, java_script_enabled=java_script_enabled)
    links = page.locator("a[href*='invoice.pdf']:not([data-shows])")
    assert await links.filter(visible=True).count() == 0
    await page.get_by_role("button", name="Download PDF").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text(SENTENCES[tag])
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).not_to_be_visible()
    await page.get_by_role("button", name="Download PDF").press("Enter")
    name = "Download void invoice" if tag == "void" else "Download closed invoice"
    async with page.expect_download(timeout=pdf_processes.timeout_ms) as download:
        await dialog.get_by_role("link", name=name).click()
    assert (await (await download.value).path()).stat().st_size > 0


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_confirmation_is_clean_for_axe(open_page: OpenPage, width: int) -> None:
    page = await open_page("void", width=width, bypass_csp=True)
    await page.get_by_role("button", name="Download PDF").click()
    await expect(page.get_by_role("link", name="Download void invoice")).to_be_focused()
    assert await find_violations(page) == []
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).not_to_be_visible()


async def test_the_phones_viewer_names_what_is_downloaded(
    open_page: OpenPage, pdf_processes: PdfProcesses
) -> None:
    page = await open_page("void", width=390, height=844)
    await open_pdf(page, pdf_processes)
    link = page.locator(".viewer .head").get_by_role("link")
    await expect(link).to_have_accessible_name("Download void invoice")


@pytest.mark.parametrize("width", [390, 768, 1280])
@pytest.mark.parametrize("tag", [*CLOSED, "paid", "zero"])
async def test_where_nothing_is_to_pay_there_is_no_account_to_copy(
    open_page: OpenPage, tag: str, width: int
) -> None:
    page = await open_page(tag, width=width)
    assert await page.locator(".bar, .transfer, [data-copy], a[href='#transfer']").count() == 0


async def test_an_invoice_that_is_to_be_paid_has_neither_banner_nor_confirmation(open_page: OpenPage) -> None:
    page = await open_page("overdue")
    assert await page.locator(".banner, .confirm").count() == 0
    assert await page.get_by_role("link", name="Download PDF").is_visible()
