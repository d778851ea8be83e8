"""The thread in a browser: two customers and the staff, with and without a script, online and offline."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import Page, expect

from tests.journeys.conftest import BeginConversation, OpenPage
from tests.journeys.test_page_access import find_violations

ANA = ("Ana Silva", "ana@buyer.example")
BEN = ("Ben Ito", "ben@buyer.example")


async def fill_in(page: Page, body: str, who: tuple[str, str] | None = ANA) -> None:
    """Type a comment, and who writes it if the form asks."""
    await page.get_by_label("Write a comment").fill(body)
    if who is not None:
        await page.get_by_label("Your name").fill(who[0])
        await page.get_by_label("Your e-mail address").fill(who[1])


async def send(page: Page) -> None:
    await page.locator("[data-send]").click()


def list_comments(page: Page) -> Any:
    """The texts of the comments, those on their way too."""
    return page.locator(".thread .comment .body")


async def test_two_customers_and_the_staff_talk_in_one_order(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    ana = await open_page(talk.url, bypass_csp=True)
    await expect(ana.locator(".thread .empty")).to_contain_text("No comments yet")
    await fill_in(ana, "Is this the second delivery?\nSee https://files.example/note.pdf.")
    await ana.get_by_label("Write a comment").press("Control+Enter")
    await expect(ana.locator("[data-own]")).to_have_count(1)
    await expect(ana.locator(".comment a").first).to_have_attribute("href", "https://files.example/note.pdf")
    await talk.write_note("Nobody outside reads this.")
    await talk.reply("Yes, it is.")
    ben = await open_page(talk.url, width=390, bypass_csp=True)
    await expect(ben.locator(".comment .name")).to_have_text(["Ana Silva", "Jo Berg"])
    await expect(ben.locator("[data-own]")).to_have_count(0)
    await fill_in(ben, "Thank you both.", BEN)
    await send(ben)
    await expect(ben.locator("[data-own] .name")).to_have_text(["Ben Ito"])
    await expect(list_comments(ana)).to_have_text(
        [re.compile("second delivery"), "Yes, it is.", "Thank you both."]
    )
    await expect(ana.locator("[data-thread-link]")).to_have_text("3 comments")
    for page in (ana, ben):
        assert "Nobody outside" not in await page.content()
        assert await find_violations(page) == []


async def test_a_draft_outlives_a_reload_and_a_closed_tab_and_is_forgotten_once_it_is_sent(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    page = await open_page((await begin_conversation()).url)
    await fill_in(page, "Not finished")
    await page.reload()
    await expect(page.get_by_label("Write a comment")).to_have_value("Not finished")
    await expect(page.locator("[data-as]")).to_contain_text("as Ana Silva")
    again = await page.context.new_page()
    await page.close()
    await again.goto(page.url)
    await expect(again.get_by_label("Write a comment")).to_have_value("Not finished")
    await send(again)
    await expect(list_comments(again)).to_have_text(["Not finished"])
    await expect(again.locator("[data-own]")).to_have_count(1)
    await again.reload()
    await expect(again.get_by_label("Write a comment")).to_have_value("")


async def test_somebody_on_another_persons_device_has_it_forget_everything(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    page = await open_page((await begin_conversation()).url)
    await fill_in(page, "Sent")
    await send(page)
    await expect(page.locator("[data-own]")).to_have_count(1)
    await page.get_by_label("Write a comment").fill("A draft")
    await page.get_by_role("button", name="not my device").click()
    await expect(page.locator("[data-own]")).to_have_count(0)
    for label in ("Write a comment", "Your name", "Your e-mail address"):
        await expect(page.get_by_label(label)).to_have_value("")
    assert await page.evaluate("localStorage.length") == 0


async def test_what_is_written_offline_is_sent_once_there_is_a_connection(
    chromium: Any, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(talk.url)
    await context.set_offline(True)
    await expect(page.locator("[data-connection]")).to_have_text("No connection")
    await fill_in(page, "From the train")
    await send(page)
    await expect(page.locator(".unsent .note")).to_contain_text("Not sent yet: there is no connection")
    assert await talk.list_bodies() == []
    await context.set_offline(False)
    await expect(page.locator("[data-own][data-comment] .body")).to_have_text("From the train")
    await expect(page.locator(".unsent .comment")).to_have_count(0)
    await expect(page.locator("[data-connection]")).to_have_text("Updates live")
    assert await talk.list_bodies() == ["From the train"]
    await context.close()


async def test_an_answer_that_is_lost_is_asked_for_again_and_the_comment_stays_one(
    chromium: Any, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    context = await chromium.new_context()
    # Neither does the log of the invoice say that the comment has arrived.
    await context.route(re.compile("/(ticket|events)"), lambda route: route.abort())
    page = await context.new_page()
    await page.goto(talk.url)
    # The server gets the first post, and its answer does not arrive.
    await page.evaluate(
        """() => { const ask = window.fetch; window.fetch = async (...said) => {
          await ask(...said); window.fetch = ask; throw new TypeError("connection lost"); }; }"""
    )
    await fill_in(page, "Only once")
    await send(page)
    await expect(page.locator(".unsent .note")).to_contain_text("the server does not answer")
    # The tab ends before the next attempt; what it wrote down does not.
    await page.close()
    await context.unroute_all()
    again = await context.new_page()
    await again.goto(talk.url)
    await expect(list_comments(again)).to_have_text(["Only once"])
    await expect(again.locator(".unsent .comment")).to_have_count(0)
    assert await talk.list_bodies() == ["Only once"]
    await context.close()


async def test_a_comment_is_changed_and_deleted_in_place(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    page = await open_page(talk.url, bypass_csp=True)
    await fill_in(page, "Helo")
    await send(page)
    await page.locator("summary", has_text="Edit").click()
    field = page.get_by_label("Your comment")
    await expect(field).to_be_focused()
    await talk.reply("While you type")
    await field.fill("Hello")
    await expect(page.locator(".comment")).to_have_count(2)
    await expect(field).to_have_value("Hello")
    assert await find_violations(page) == []
    await field.press("Control+Enter")
    await expect(page.locator("[data-own] .body")).to_have_text("Hello")
    await expect(page.locator("[data-own] .edited")).to_have_count(1)
    await page.locator("summary", has_text="Delete").click()
    await page.get_by_role("button", name="Delete comment").click()
    await expect(page.locator("[data-deleted] .body")).to_have_text("The author deleted this comment.")
    assert await talk.list_bodies() == ["", "While you type"]


async def test_a_new_comment_while_one_reads_above_is_announced_and_does_not_scroll(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    page = await open_page(talk.url, width=390, height=700)
    await talk.reply("Good morning")
    pill = page.locator("[data-pill] button")
    await expect(pill).to_have_text("1 new comment")
    await expect(page.locator("[data-thread-says]")).to_have_text("New comment from Jo Berg")
    assert await page.evaluate("scrollY") == 0
    await pill.click()
    await expect(page.locator(".comment")).to_be_in_viewport()
    await expect(pill).to_be_hidden()


async def test_without_a_script_a_comment_is_written_changed_deleted_and_forgotten(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    page = await open_page(talk.url, width=390, java_script_enabled=False)
    await fill_in(page, "By form")
    await send(page)
    await expect(list_comments(page)).to_have_text(["By form"])
    await page.locator("summary", has_text="Edit").click()
    await page.get_by_label("Your comment").fill("By form, changed")
    await page.get_by_role("button", name="Save").click()
    await expect(list_comments(page)).to_have_text(["By form, changed"])
    await fill_in(page, "Written by mistake", None)
    await send(page)
    await page.locator("summary", has_text="Delete").last.click()
    await page.get_by_role("button", name="Delete comment").click()
    await expect(list_comments(page)).to_have_text(["By form, changed", "The author deleted this comment."])
    await page.get_by_role("button", name="not my device").click()
    await expect(page.get_by_label("Your name")).to_have_value("")
    await expect(page.locator("[data-own]")).to_have_count(0)


async def test_what_is_wrong_stands_at_its_field_with_the_text_kept(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    page = await open_page(talk.url, width=390, bypass_csp=True)
    text = page.get_by_label("Write a comment")
    await text.fill("x" * 3700)
    await expect(page.locator("[data-counter]")).to_have_text("300 characters left")
    await text.fill("x" * 4001)
    await expect(page.locator("[data-counter]")).to_have_text("1 characters too many")
    await expect(page.locator(".bar")).not_to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    assert await find_violations(page) == []
    assert await talk.list_bodies() == []


async def test_what_the_staff_has_seen_is_marked_and_the_customer_reports_the_same(
    open_page: OpenPage, begin_conversation: BeginConversation
) -> None:
    talk = await begin_conversation()
    await talk.reply("Please have a look")
    page = await open_page(talk.url)
    async with page.expect_response(lambda answer: answer.url.endswith("/seen")) as answered:
        await page.locator(".comment").scroll_into_view_if_needed()
    assert (await answered.value).status == 204
