"""The invoice page for everybody: axe, keyboard, no script, forced colours, less motion."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.journeys.conftest import OpenPage, Portal

_OPTIONS: dict[str, Any] = {
    # Rules that passed are not described element by element, which takes as long as all the rules.
    "resultTypes": ["violations"],
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
}
KINDS = ("due", "overdue", "paid", "partly-paid", "void", "rtl", "long-words", "allowances")


async def find_violations(page: Page) -> list[tuple[str, list[str]]]:
    found = (await Axe().run(page, options=_OPTIONS)).response["violations"]
    return [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in found]


@pytest.mark.parametrize("dark", [False, True], ids=("light", "dark"))
@pytest.mark.parametrize("kind", KINDS)
async def test_axe_finds_nothing_on_any_kind_of_invoice(
    open_page: OpenPage, kind: str, *, dark: bool
) -> None:
    for width in (390, 1280):
        page = await open_page(kind, width=width, dark=dark, bypass_csp=True)
        assert (width, await find_violations(page)) == (width, [])


@pytest.mark.parametrize("dark", [False, True], ids=("light", "dark"))
async def test_axe_finds_nothing_on_the_page_of_a_link_that_opens_nothing(
    open_page: OpenPage, portal: Portal, *, dark: bool
) -> None:
    page = await open_page("expired-link", dark=dark, bypass_csp=True)
    assert await find_violations(page) == []
    assert await page.title() == "Invoice not found"


async def test_axe_does_find_what_is_wrong(open_page: OpenPage) -> None:
    page = await open_page("due", bypass_csp=True)
    await page.evaluate(
        "document.querySelector('.paper').shadowRoot.querySelector('article').innerHTML += '<img>'"
    )
    assert [rule for rule, _ in await find_violations(page)] == ["image-alt"]


async def test_the_keyboard_reaches_everything_in_reading_order_and_shows_where_it_is(
    open_page: OpenPage,
) -> None:
    page = await open_page("due")
    reached = []
    for _ in range(25):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(
            """() => {
              const element = document.activeElement;
              if (element === document.body) return null;
              const style = getComputedStyle(element);
              const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
              const name = element.getAttribute('aria-label') ?? (element.labels?.[0] ?? element).textContent;
              return [name.trim(), seen];
            }"""
        )
        if focused is None:
            break
        reached.append(tuple(focused))
    assert reached == [
        (name, True)
        for name in (
            "Skip to the invoice",
            "Live",
            "Download PDF",
            "Print",
            "Copy account holder Acme Studio LLC",
            "Copy account 000123456789",
            "Copy BIC ACMEUS66",
            "Copy reference ACME-0001",
            "Copy amount $9,164.55",
            "3 comments",
            "billing@acme.example",
            "Your invoices",
            "This invoice as data (JSON)",
            "English",
            "Deutsch",
            "https://acme.example/proofs/oakridge",
            "Write a comment",
            "Your name",
            "Your e-mail address",
            "Send",
        )
    ]


async def test_the_skip_link_is_seen_when_reached_and_leads_to_the_invoice(open_page: OpenPage) -> None:
    page = await open_page("due")
    await page.keyboard.press("Tab")
    assert await page.get_by_role("link", name="Skip to the invoice").is_visible()
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "invoice"


async def test_copying_by_keyboard_says_that_it_did(open_page: OpenPage) -> None:
    page = await open_page("german", permissions=["clipboard-read", "clipboard-write"])
    button = page.get_by_role("button", name="IBAN DE02 1203 0000 0000 2020 51 kopieren")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-announcer]")).to_have_text("Kopiert.")
    await expect(button).to_have_attribute("data-state", "done")
    assert await page.evaluate("navigator.clipboard.readText()") == "DE02120300000000202051"


async def test_a_refused_clipboard_says_what_to_do_instead(open_page: OpenPage) -> None:
    page = await open_page("due")
    await page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: () => Promise.reject(new Error('no'))}})"
    )
    await page.get_by_role("button", name="Copy amount").click()
    await expect(page.locator("[data-announcer]")).to_have_text(
        "Your browser did not allow copying. Select the text and copy it by hand."
    )


async def test_the_print_button_opens_the_browsers_dialogue(open_page: OpenPage) -> None:
    page = await open_page("due")
    await page.evaluate("window.print = () => { window.printed = true; }")
    await page.get_by_role("button", name="Print").click()
    assert await page.evaluate("window.printed") is True


@pytest.mark.parametrize("width", [390, 1280])
async def test_without_scripts_everything_is_read_and_nothing_is_dead(
    open_page: OpenPage, width: int
) -> None:
    page = await open_page("due", width=width, java_script_enabled=False)
    paper_or_list = page.locator(".reading" if width < 720 else ".paper")
    assert await paper_or_list.is_visible()
    assert await paper_or_list.get_by_text("Wayfinding signs").is_visible()
    assert await page.locator(".summary .amount").is_visible()
    assert await page.locator(".transfer").get_by_text("000123456789").is_visible()
    scripted = page.locator("button:not([type='submit'])")
    assert [await each.is_visible() for each in await scripted.all()] == [False] * 10
    # Without the one that only the Enter key presses.
    submitting = page.locator("button[type='submit']:not([tabindex])").filter(visible=True)
    assert await submitting.all_inner_texts() == ["English", "Deutsch", "Send"]


async def test_forced_colours_keep_words_lines_and_focus(open_page: OpenPage) -> None:
    page = await open_page("overdue", forced_colors="active", bypass_csp=True)
    assert await page.locator(".status").inner_text() == "Overdue"
    assert await find_violations(page) == []


async def test_who_asks_for_less_motion_gets_none(open_page: OpenPage) -> None:
    durations = (
        "() => [...document.querySelectorAll('*')].map(each => getComputedStyle(each).transitionDuration)"
    )
    still = await open_page("due", reduced_motion="reduce")
    assert set(await still.evaluate(durations)) == {"0s"}
    moving = await open_page("due", reduced_motion="no-preference")
    seconds = {
        float(part.removesuffix("s"))
        for each in await moving.evaluate(durations)
        for part in each.split(", ")
    }
    assert 0 < max(seconds) <= 0.15


async def test_the_paper_stays_light_on_a_dark_page(open_page: OpenPage) -> None:
    page = await open_page("due", dark=True)
    grounds = await page.evaluate(
        """() => [document.documentElement, document.querySelector('.paper').shadowRoot.querySelector('article')]
          .map(each => getComputedStyle(each).backgroundColor)"""
    )
    assert grounds == ["rgb(17, 19, 23)", "rgb(255, 255, 255)"]
