"""A person of a customer in a browser: sign in, find invoices, set up an authenticator, leave. No page has a script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect
from pyotp.totp import TOTP

from tests.fakes.conversations import Conversation
from tests.journeys.conftest import BeginConversation, OpenPage
from tests.journeys.test_page_access import find_violations

ANA = "ana@buyer.example"
Check = Callable[[Page], Awaitable[None]]


async def check_page(page: Page) -> None:
    """No violation of accessibility, nothing that is wider than the window, one heading, no script."""
    assert await find_violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await expect(page.locator("h1")).to_have_count(1)
    await expect(page.locator("script")).to_have_count(0)


async def sign_in(page: Page, talk: Conversation, check: Check = check_page) -> None:
    """Sign in on the page that asks for the address."""
    await expect(page.get_by_label("E-mail address")).to_be_focused()
    await check(page)
    await page.get_by_label("E-mail address").fill(ANA)
    await page.keyboard.press("Enter")
    field = page.get_by_label("Code from the e-mail")
    await expect(field).to_be_focused()
    code = await talk.receive_code(ANA)
    assert code is not None
    await check(page)
    await field.fill("no code")
    await page.keyboard.press("Enter")
    await expect(page.locator("#code-error")).to_have_text(
        "This code is not right. Check the digits in the newest e-mail."
    )
    await expect(field).to_be_focused()
    await check(page)
    await field.fill(code)
    await page.keyboard.press("Enter")


@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1280, False), (1280, True)], ids=str)
async def test_somebody_signs_in_and_guards_the_account(
    open_page: OpenPage, begin_conversation: BeginConversation, *, width: int, dark: bool
) -> None:
    talk = await begin_conversation()
    await talk.add_contact(ANA)
    await talk.reply("Here is your invoice.")
    origin = talk.url.partition("/i/")[0]
    page = await open_page(f"{origin}/", width=width, dark=dark, expects_refusals=True, bypass_csp=True)
    await sign_in(page, talk)
    await expect(page.get_by_role("heading", name="To pay")).to_be_visible()
    await expect(page.locator(".unread")).to_have_text("1 new comment")
    await check_page(page)
    await page.locator(".invoices a").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Invoice")
    await page.goto(f"{origin}/security")
    await check_page(page)
    await page.get_by_role("link", name="Set up an authenticator").click()
    await check_page(page)
    authenticator = TOTP((await page.locator(".key").inner_text()).replace(" ", ""))
    await page.get_by_label("Enter the code that the app shows now").fill(
        talk.compute_code(authenticator, steps=-1)
    )
    await page.keyboard.press("Enter")
    await expect(page.locator(".recovery-codes li")).to_have_count(10)
    await check_page(page)
    await page.get_by_role("link", name="I have kept them").click()
    await check_page(page)
    await page.get_by_role("button", name="Sign out").click()
    await sign_in(page, talk)
    await expect(page.get_by_label("Code of the authenticator")).to_be_focused()
    await check_page(page)
    await page.get_by_label("Code of the authenticator").fill(talk.compute_code(authenticator))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Your invoices")).to_be_visible()


async def test_a_fresh_link_is_asked_for_where_a_link_opens_nothing(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    page = await open_page(f"{talk.url.partition('/i/')[0]}/i/nothing", width=390, bypass_csp=True)
    await check_page(page)
    await page.get_by_label("Your e-mail address").fill(ANA)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text(f"If invoices were sent to {ANA}")
    await check_page(page)
    assert await page.context.cookies() == []
