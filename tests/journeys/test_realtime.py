"""Pages that hear by themselves what happens: over sockets, by polling where there are none, and after an absence."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from playwright.async_api import Browser, BrowserContext, Page, Route, WebSocketRoute, expect

from tenants.invoices.actions import add_version, void
from tenants.invoices.content import Transfer
from tenants.invoices.stream import append_pdf_ready
from tests.fakes.conversations import Conversation
from tests.fakes.payments import set_paid
from tests.fakes.sample_workspaces import build_content, euros
from tests.journeys.conftest import BeginConversation, Hubs, OpenPage
from tests.journeys.test_page_access import find_violations
from tests.journeys.test_thread import ANA, BEN, fill_in, list_comments, send

#: A socket is tried again some seconds after it has failed, and a machine under load is slow.
_PATIENCE_MS: Final = 60_000
_TABS: Final = 50
# Records each state of the connection that the page shows.
_RECORD_STATES: Final = """
window.states = [];
document.addEventListener("DOMContentLoaded", () => {
  const state = document.querySelector("[data-connection]");
  new MutationObserver(() => window.states.push(state.dataset.state)).observe(
    state, {attributes: true, attributeFilter: ["data-state"]});
});
"""


async def expect_state(page: Page, state: str) -> None:
    """Wait until the page shows a state of its connection."""
    connection = page.locator("[data-connection]")
    await expect(connection).to_have_attribute("data-state", state, timeout=_PATIENCE_MS)


async def change(talk: Conversation, act: Awaitable[Any]) -> None:
    """Do something to the invoice, as a member does."""
    async with talk.workspace.database.scope(talk.workspace.workspace_id):
        await act


async def open_recorded(chromium: Browser, url: str) -> tuple[BrowserContext, Page]:
    """Open a page that records the states of its connection; it may fail to connect."""
    context = await chromium.new_context()
    await context.add_init_script(_RECORD_STATES)
    page = await context.new_page()
    await page.goto(url)
    return context, page


async def test_two_browsers_hear_of_each_other_and_of_the_staff_once_and_in_order(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    ana, ben = await open_page(talk.url), await open_page(talk.url, width=390)
    for page in (ana, ben):
        await expect_state(page, "live")
    expected: list[str] = []
    for turn in range(3):
        for page, who in ((ana, ANA), (ben, BEN)):
            expected.append(f"{who[0]}, {turn}")
            await fill_in(page, expected[-1], None if turn else who)
            await send(page)
            for each in (ana, ben):
                await expect(list_comments(each)).to_have_text(expected)
        await talk.write_note("Nobody outside reads this.")
    # What others write leaves a text alone that is being written, and its cursor.
    text = ben.get_by_label("Write a comment")
    await text.fill("Half a sentence")
    await talk.reply("Good morning")
    for page in (ana, ben):
        await expect(list_comments(page)).to_have_text([*expected, "Good morning"])
        assert "Nobody outside" not in await page.content()
    await expect(text).to_be_focused()
    await expect(text).to_have_value("Half a sentence")


async def test_a_killed_hub_is_replaced_while_one_types_and_without_hubs_the_page_polls(
    chromium: Browser, hubs: Hubs
) -> None:
    talk = await hubs.begin_conversation()
    context = await chromium.new_context()
    await context.add_init_script(_RECORD_STATES)
    page = await context.new_page()
    async with page.expect_websocket() as opened:
        await page.goto(talk.url)
    await expect_state(page, "live")
    await fill_in(page, "Half a sentence")
    used = hubs.processes.ports.index(urlsplit((await opened.value).url).port or 0)
    async with page.expect_websocket():
        await hubs.processes.kill(used)
    await talk.reply("Over the other hub")
    await expect(list_comments(page)).to_have_text(["Over the other hub"])
    assert await page.evaluate("window.states") == ["live"]
    await hubs.processes.kill(1 - used)
    await expect_state(page, "polling")
    await talk.reply("By polling")
    await expect(list_comments(page)).to_have_text(["Over the other hub", "By polling"])
    await hubs.processes.start(used)
    await expect_state(page, "live")
    await talk.reply("Live again")
    text = page.get_by_label("Write a comment")
    await expect(text).to_have_value("Half a sentence")
    await send(page)
    expected = ["Over the other hub", "By polling", "Live again", "Half a sentence"]
    await expect(list_comments(page)).to_have_text(expected)
    await expect(page.locator("[data-own][data-comment]")).to_have_count(1)
    assert await page.evaluate("window.states") == ["live", "polling", "live"]
    assert await talk.list_bodies() == expected
    await context.close()


async def test_a_network_that_swallows_sockets_leaves_the_page_polling_until_it_does_not(
    chromium: Browser, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    context = await chromium.new_context()
    page = await context.new_page()
    is_blocked = True

    def connect(route: WebSocketRoute) -> None:
        # A blocked one is open, as behind some proxies, and nothing ever comes.
        if not is_blocked:
            route.connect_to_server()

    await page.route_web_socket(re.compile("/realtime"), connect)
    async with page.expect_request(re.compile("wait=25"), timeout=_PATIENCE_MS):
        await page.goto(talk.url)
    await expect_state(page, "polling")
    # Held by the gateway until there is something to say.
    async with page.expect_response(re.compile("wait=25")) as answered:
        await talk.reply("Without a socket")
    assert (await answered.value).status == 200
    await expect(list_comments(page)).to_have_text(["Without a socket"])
    is_blocked = False
    await expect_state(page, "live")
    await talk.reply("By the socket")
    await expect(list_comments(page)).to_have_text(["Without a socket", "By the socket"])
    await context.close()


async def test_who_was_offline_sees_all_that_was_missed_and_a_revoked_link_ends_it(
    chromium: Browser, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    context, page = await open_recorded(chromium, talk.url)
    await expect_state(page, "live")
    await context.set_offline(True)
    await expect_state(page, "offline")
    await expect(page.locator("[data-thread-says]")).to_have_text("No connection")
    await talk.reply("Missed one")
    await talk.reply("Missed two")
    await context.set_offline(False)
    await expect(list_comments(page)).to_have_text(["Missed one", "Missed two"])
    assert await page.evaluate("window.states") == ["live", "offline", "live"]
    await talk.revoke_link()
    await expect_state(page, "gone")
    await expect(page.locator("[data-connection]")).to_have_text("This link no longer opens the invoice")
    await context.close()


async def test_fifty_tabs_each_show_a_new_comment_once(
    chromium: Browser, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    # Without the policy of the page, which does not let it be asked by script.
    context = await chromium.new_context(bypass_csp=True)
    page = await context.new_page()
    await page.goto(talk.url)
    # Opened by one page they share a process: fifty of them would be the test of the machine.
    await page.evaluate(
        f"window.tabs = [window, ...Array.from({{length: {_TABS - 1}}}, () => window.open(location.href))]"
    )

    async def wait_until_each(condition: str) -> None:
        # Not by `wait_for_function`, which asks with each frame: a page behind others draws none.
        async with asyncio.timeout(2 * _PATIENCE_MS / 1000):
            while (  # noqa: ASYNC110  -- a browser does not tell
                await page.evaluate(f"window.tabs.filter(tab => {condition}).length") < _TABS
            ):
                await asyncio.sleep(0.2)

    await wait_until_each("tab.document.querySelector('[data-connection][data-state=live]')")
    await talk.reply("To all")
    await wait_until_each("tab.document.querySelectorAll('.comment .body').length === 1")
    await page.bring_to_front()
    await fill_in(page, "From one of them")
    await send(page)
    await wait_until_each("tab.document.querySelectorAll('.comment .body').length === 2")
    await wait_until_each("tab.document.querySelector('[data-connection][data-state=live]')")
    texts = "window.tabs.map(tab => [...tab.document.querySelectorAll('.comment .body')].map(each => each.textContent))"
    assert await page.evaluate(texts) == [["To all", "From one of them"]] * _TABS
    await context.close()


async def test_payment_a_new_version_and_the_end_of_an_invoice_reach_an_open_page(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    clock, invoice_id = talk.workspace.clock, talk.invoice_id
    payable = msgspec.structs.replace(
        build_content(), transfers=(Transfer(account="DE02120300000000202051"),)
    )
    await change(talk, add_version(invoice_id, payable, clock=clock))
    page = await open_page(talk.url, bypass_csp=True)
    await expect_state(page, "live")
    text = page.get_by_label("Write a comment")
    await text.fill("Half a sentence")
    place = await text.bounding_box()
    await change(talk, set_paid(invoice_id, euros("19"), clock=clock))
    await expect(page.locator(".summary .status")).to_have_text("Partly paid")
    await expect(page.locator(".summary .amount")).to_have_text("€100.00")
    await expect(page.locator("[data-thread-says]")).to_have_text("Status of the invoice: Partly paid")
    await expect(page.locator(".transfer")).to_contain_text("€100.00")
    await expect(text).to_be_focused()
    assert await text.bounding_box() == place
    # What was put in place works as what was there.
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy amount €100.00").click()
    assert await page.evaluate("navigator.clipboard.readText()") == "100.00"
    await change(talk, set_paid(invoice_id, euros("0"), clock=clock))
    await change(talk, add_version(invoice_id, build_content("200"), clock=clock))
    notice = page.locator("[data-changed]").filter(visible=True)
    await expect(notice).to_have_count(1)
    await expect(page.locator(".summary .amount")).to_have_text("€238.00")
    await expect(page.locator(".paper")).to_contain_text("119.00")
    assert await find_violations(page) == []
    await page.get_by_role("button", name="Show the new version").click()
    await expect(page.locator(".paper")).to_contain_text("238.00")
    await expect(notice).to_have_count(0)
    await expect(text).to_have_value("Half a sentence")
    await expect_state(page, "live")
    await change(talk, void(invoice_id, clock=clock))
    await expect(page.locator(".stage > .banner")).to_have_text(
        "This invoice was cancelled. Please do not pay it."
    )
    await expect(page.locator(".transfer, .bar")).to_have_count(0)
    await page.locator(".masthead").get_by_role("button", name="Download PDF").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await find_violations(page) == []


async def test_under_the_policy_of_the_page_parts_are_replaced_and_a_ready_pdf_is_asked_for_at_once(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    page = await open_page(talk.url)
    await expect_state(page, "live")
    await change(talk, set_paid(talk.invoice_id, euros("119"), clock=talk.workspace.clock))
    await expect(page.locator(".summary .status")).to_have_text("Paid")
    await expect(page.locator(".sheet > .mark")).to_have_text("Paid")

    async def delay(route: Route) -> None:
        await route.fulfill(status=202, headers={"retry-after": "600"})

    await page.route(re.compile(r"invoice\.pdf"), delay)
    await page.get_by_role("radio", name="PDF").click()
    await expect(page.locator(".viewer")).to_have_attribute("data-state", "preparing")
    async with page.expect_request(re.compile(r"invoice\.pdf")):
        await change(talk, append_pdf_ready(talk.invoice_id, 1, "en"))
