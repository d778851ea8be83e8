"""The visitor chooses the page's language; the server's part of it is tested with its route."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.journeys.conftest import OpenPage


@pytest.mark.parametrize("width", [390, 768, 1280])
@pytest.mark.parametrize(
    ("tag", "label", "current", "other"),
    [("due", "Language", "English", "Deutsch"), ("german", "Sprache", "Deutsch", "English")],
)
async def test_the_languages_stand_at_the_end_in_their_own_words_and_the_current_one_is_marked(
    open_page: OpenPage, tag: str, label: str, current: str, other: str, *, width: int
) -> None:
    page = await open_page(tag, width=width)
    form = page.get_by_role("form", name=label)
    await form.scroll_into_view_if_needed()
    await expect(form.get_by_role("button", name=current)).to_have_attribute("aria-current", "true")
    await expect(form.get_by_role("button", name=other)).not_to_have_attribute("aria-current", "true")
    assert [await each.get_attribute("lang") for each in await form.get_by_role("button").all()] == [
        "en",
        "de",
    ]
    for each in await form.get_by_role("button").all():
        found = await each.bounding_box()
        assert found is not None
        assert min(found["width"], found["height"]) >= 24
    await expect(form.get_by_role("alert")).not_to_be_visible()


@pytest.mark.parametrize("java_script_enabled", [True, False], ids=("scripts", "no-scripts"))
async def test_a_visitor_chooses_the_language_of_the_page_and_of_its_pdf(
    open_page: OpenPage, *, java_script_enabled: bool
) -> None:
    page = await open_page("due", java_script_enabled=java_script_enabled)
    address = page.url
    await page.get_by_role("button", name="Deutsch").click()
    await expect(page.locator("html")).to_have_attribute("lang", "de")
    assert page.url == address
    download = page.get_by_role("link", name="PDF herunterladen").first
    assert str(await download.get_attribute("href")).endswith("/invoice.pdf?lang=de")
    # The choice is remembered.
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("lang", "de")
    await page.get_by_role("button", name="English").click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")


async def test_an_error_stands_at_the_field(open_page: OpenPage) -> None:
    page = await open_page("due")
    alert = page.locator(".language [role='alert']")
    await alert.evaluate("alert => { alert.textContent = 'This form has expired. Please choose again.'; }")
    await expect(alert).to_be_visible()
    await expect(page.get_by_role("button", name="Deutsch")).to_have_accessible_description(
        "This form has expired. Please choose again."
    )
