"""Who may write, in a browser: each mode opens its challenge in place, and the draft stays."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect
from pyotp.totp import TOTP

from tenants.workspaces.authority import OtpPolicy, WriteMode
from tests.fakes.conversations import Conversation
from tests.journeys.conftest import BeginConversation, OpenPage
from tests.journeys.test_page_access import find_violations
from tests.journeys.test_thread import ANA, fill_in, list_comments, send

ADDRESS = ANA[1]
TEXT = "May we pay in two parts?"


async def enter_mailed_code(page: Page, talk: Conversation) -> None:
    """Enter a wrong code, then the one that was mailed."""
    field = page.get_by_label("Code from the e-mail")
    await expect(field).to_be_focused()
    await expect(page.get_by_label("Write a comment")).to_have_value(TEXT)
    code = await talk.receive_code(ADDRESS)
    assert code is not None
    await field.fill("000000" if code != "000000" else "000001")
    await field.press("Enter")
    await expect(page.locator("#comment-code-error")).to_contain_text("This is not the code that was sent")
    await field.fill(code)
    await field.press("Enter")


async def enter_authenticator_code(page: Page, code: str) -> None:
    field = page.get_by_label("Code from your authenticator app")
    await expect(field).to_be_focused()
    await expect(page.get_by_label("Write a comment")).to_have_value(TEXT)
    await field.fill(code)
    await field.press("Enter")


async def test_nobody_writes_on_an_invoice_that_is_closed(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation(WriteMode.CLOSED)
    await talk.reply("Paid, thank you.")
    page = await open_page(talk.url, bypass_csp=True)
    await expect(list_comments(page)).to_have_text(["Paid, thank you."])
    await expect(page.locator("textarea")).to_have_count(0)
    await expect(page.locator(".thread .closed")).to_be_visible()
    assert await find_violations(page) == []


@pytest.mark.parametrize(
    ("mode", "width", "proofs"),
    [
        (WriteMode.OTP, 390, ["email_code", "link"]),
        (WriteMode.CUSTOMER, 1280, ["contact", "email_code", "link"]),
    ],
    ids=["otp", "customer"],
)
async def test_a_code_by_mail_is_asked_for_in_place(
    open_page: OpenPage, begin_conversation: BeginConversation, mode: WriteMode, width: int, proofs: list[str]
) -> None:
    talk = await begin_conversation(mode)
    if mode is WriteMode.CUSTOMER:
        await talk.add_contact(ADDRESS)
    page = await open_page(talk.url, width=width, expects_refusals=True, bypass_csp=True)
    await fill_in(page, TEXT)
    await send(page)
    await expect(page.locator("[data-challenge=code]")).to_be_visible()
    assert await find_violations(page) == []
    await enter_mailed_code(page, talk)
    await expect(list_comments(page)).to_have_text([TEXT])
    assert await talk.list_proofs() == proofs
    # The session that has begun goes on writing, without a code.
    await page.get_by_label("Write a comment").fill("One more")
    await send(page)
    await expect(page.locator("[data-own]")).to_have_count(2)
    await page.reload()
    await expect(page.locator(".composer .as")).to_contain_text("as Ana Silva")
    await expect(page.get_by_label("Your e-mail address")).to_have_count(0)


@pytest.mark.parametrize("mode", [WriteMode.OTP, WriteMode.CUSTOMER])
async def test_an_authenticator_is_asked_for_after_the_code(
    open_page: OpenPage, begin_conversation: BeginConversation, mode: WriteMode
) -> None:
    talk = await begin_conversation(mode, requires_totp=True)
    await talk.add_contact(ADDRESS)
    authenticator = await talk.enrol(ADDRESS)
    page = await open_page(talk.url, expects_refusals=True, bypass_csp=True)
    await fill_in(page, TEXT)
    await send(page)
    await enter_mailed_code(page, talk)
    await expect(page.locator("[data-challenge=totp]")).to_be_visible()
    assert await find_violations(page) == []
    await enter_authenticator_code(page, talk.compute_code(authenticator))
    await expect(list_comments(page)).to_have_text([TEXT])
    assert await talk.list_proofs() == ["contact", "email_code", "link", "totp"]


async def test_an_authenticator_is_set_up_on_the_way_and_the_draft_waits(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation(WriteMode.CUSTOMER, requires_totp=True)
    await talk.add_contact(ADDRESS)
    page = await open_page(talk.url, expects_refusals=True, bypass_csp=True)
    await fill_in(page, TEXT)
    await send(page)
    await enter_mailed_code(page, talk)
    link = page.get_by_role("link", name="Set up an authenticator app")
    await expect(link).to_be_visible()
    async with page.context.expect_page() as opened:
        await link.click()
    setup = await opened.value
    assert await find_violations(setup) == []
    key = await setup.locator(".key").inner_text()
    authenticator = TOTP(key.replace(" ", ""))
    await setup.get_by_label("Enter the code that the app shows now").fill(
        talk.compute_code(authenticator, steps=-1)
    )
    await setup.get_by_role("button", name="Confirm").click()
    await setup.get_by_role("link", name="I have kept them: go on").click()
    await expect(setup.get_by_label("Write a comment")).to_have_value(TEXT)
    await send(setup)
    if await setup.locator("[data-challenge=totp]").is_visible():
        await enter_authenticator_code(setup, talk.compute_code(authenticator))
    await expect(setup.locator("[data-own] .body")).to_have_text(TEXT)
    assert "totp" in await talk.list_proofs()


async def test_a_stranger_is_told_the_same_and_gets_no_code(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation(WriteMode.OTP, otp_policy=OtpPolicy.CONTACTS)
    page = await open_page(talk.url, expects_refusals=True, bypass_csp=True)
    await fill_in(page, TEXT, ("Eve", "eve@elsewhere.example"))
    await send(page)
    await expect(page.locator("[data-challenge=code] [data-explains]")).to_contain_text(
        "If eve@elsewhere.example may write here, we have sent a code to it."
    )
    assert await talk.receive_code("eve@elsewhere.example") is None


async def test_without_a_script_the_code_is_entered_in_the_same_form(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation(WriteMode.OTP)
    page = await open_page(
        talk.url, width=390, java_script_enabled=False, expects_refusals=True, bypass_csp=True
    )
    await fill_in(page, TEXT)
    await send(page)
    await enter_mailed_code(page, talk)
    await expect(list_comments(page)).to_have_text([TEXT])
