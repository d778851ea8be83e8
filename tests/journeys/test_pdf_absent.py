"""PDF mode when there is no PDF to show: it says what is the matter, and what to do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Response, Route, ViewportSize, expect

from tests.journeys.conftest import Portal, Works
from tests.journeys.test_page_access import violations
from tests.journeys.test_pdf_mode import shown

Answering = Callable[[Route], object]


@asynccontextmanager
async def opened(browser: Browser, address: str, answer: Answering | None) -> AsyncIterator[Page]:
    """A page of which some answer for the PDF comes from the network instead; errors of loading are expected."""
    context: BrowserContext = await browser.new_context(
        viewport=ViewportSize(width=1280, height=900), bypass_csp=True
    )
    try:
        page = await context.new_page()
        if answer is not None:
            await page.route("**/invoice.pdf*", answer)
        await page.goto(address)
        yield page
    finally:
        await context.close()


async def later(route: Route) -> None:
    body = '{"type":"about:blank","status":503}'
    await route.fulfill(
        status=503, content_type="application/problem+json", headers={"retry-after": "40"}, body=body
    )


async def broken(route: Route) -> None:
    await route.fulfill(status=200, content_type="application/pdf", body="%PDF-1.7 and then nothing")


async def cut(route: Route) -> None:
    await route.abort("connectionreset")


async def too_late(route: Route) -> None:
    await route.fulfill(status=404, content_type="application/problem+json", body="{}")


@pytest.mark.parametrize(
    "case",
    [
        (
            later,
            "due",
            "The PDF is not available at the moment. It should be there in 40 seconds",
            "Try again",
        ),
        (
            later,
            "german",
            "Das PDF ist im Moment nicht verfügbar. Voraussichtlich ist es in 40 Sekunden",
            "Noch einmal versuchen",
        ),
        (broken, "due", "The PDF cannot be shown here. Download it", "Download PDF"),
        (cut, "due", "The PDF could not be loaded. Perhaps", "Try again"),
        (too_late, "due", "This link no longer opens the invoice. Ask whoever sent it", ""),
    ],
    ids=("later", "later-german", "broken", "cut", "gone"),
)
async def test_it_says_what_is_the_matter_and_what_to_do(
    chromium: Browser, portal: Portal, case: tuple[Answering, str, str, str]
) -> None:
    answer, tag, words, act = case
    async with opened(chromium, portal.link(tag), answer) as page:
        await page.locator("[data-modes] [data-shows='pdf']").click()
        await expect(page.locator("[data-says]")).to_contain_text(words)
        notice = page.locator(".notice:visible[data-notice]")
        assert words.split(". ", maxsplit=1)[0] in await notice.inner_text()
        actions = await notice.get_by_role("button").or_(notice.get_by_role("link")).all_inner_texts()
        assert actions[:1] == ([act] if act else [])
        assert await violations(page) == []
        assert await page.locator(".summary .amount").is_visible()


async def test_the_paper_stays_while_the_pdf_is_loading_and_after_a_moment_it_is_said(
    chromium: Browser, portal: Portal
) -> None:
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    async with opened(chromium, portal.link("due"), hold) as page:
        clicked = await page.evaluate(
            """() => new Promise(done => {
              const start = performance.now();
              new MutationObserver(() => done(performance.now() - start))
                .observe(document.querySelector('.layout'), {attributeFilter: ['data-mode']});
              document.querySelector("[data-modes] [data-shows='pdf']").click();
            })"""
        )
        assert clicked >= 290
        assert await page.locator(".paper").is_visible()
        assert await page.locator(".notices").is_visible()
        await expect(page.locator("[data-notice='preparing']")).to_be_visible()
        # Live ends the waiting, and nothing of it comes back.
        await page.get_by_role("radio", name="Live").click()
        assert await page.locator(".paper").is_visible()
        assert len(held) == 1


async def test_a_slow_pdf_shows_its_progress_over_the_paper_until_its_first_page_is_there(
    chromium: Browser, portal: Portal, works: Works
) -> None:
    async with opened(chromium, portal.link("due"), None) as page:
        # The scripts of the viewer are in the cache then: only the PDF is slow.
        await page.get_by_role("radio", name="PDF").click()
        await shown(page, works)
        network = await page.context.new_cdp_session(page)
        slow = {"offline": False, "latency": 0, "downloadThroughput": 8000, "uploadThroughput": 8000}
        await network.send("Network.enable")
        await page.goto(portal.link("lines-200"))
        await network.send("Network.emulateNetworkConditions", slow)
        await page.get_by_role("radio", name="PDF").click()
        bar = page.get_by_role("progressbar", name="Progress of loading")
        await expect(bar).to_be_visible(timeout=works.patience_ms)
        await expect(bar).not_to_have_attribute("value", "0")
        assert await bar.evaluate("bar => 0 < bar.value && bar.value < bar.max")
        assert await page.locator(".paper").is_visible()
        assert await page.locator("[data-notice='loading']").inner_text() == "The PDF is being loaded."
        await network.send("Network.emulateNetworkConditions", slow | {"downloadThroughput": -1})
        await shown(page, works)
        await expect(page.locator(".viewer .page").first.locator("canvas")).to_be_visible()
        assert not await page.locator(".paper").is_visible()
        assert not await bar.is_visible()


async def test_a_retry_asks_again_and_shows_the_pdf(chromium: Browser, portal: Portal, works: Works) -> None:
    asked: list[str] = []

    async def once(route: Route) -> None:
        asked.append(route.request.url)
        await (later(route) if len(asked) == 1 else route.continue_())

    async with opened(chromium, portal.link("due"), once) as page:
        await page.get_by_role("radio", name="PDF").click()
        await page.get_by_role("button", name="Try again").click()
        await shown(page, works)
        assert len(asked) >= 2


async def test_waiting_keeps_its_words_and_the_focus_until_the_pdf_comes(
    chromium: Browser, portal: Portal, works: Works
) -> None:
    asked: list[str] = []

    async def preparing(route: Route) -> None:
        body = '{"status":"preparing","retry_after_s":1}'
        await route.fulfill(
            status=202, content_type="application/json", headers={"retry-after": "1"}, body=body
        )

    async def in_the_end(route: Route) -> None:
        asked.append(route.request.url)
        # The third time nobody is there: the gateway is being restarted.
        ways: dict[int, Callable[[Route], Awaitable[None]]] = {
            1: preparing,
            2: preparing,
            3: cut,
            4: preparing,
        }
        await (ways[len(asked)](route) if len(asked) in ways else route.continue_())

    async with opened(chromium, portal.link("due"), in_the_end) as page:
        await page.get_by_role("radio", name="PDF").click()
        back = page.get_by_role("button", name="Read the invoice").filter(visible=True)
        await back.focus()
        await page.evaluate(
            """() => {
              const frame = document.querySelector('.viewer');
              window.states = [frame.dataset.state];
              new MutationObserver(() => {
                if (window.states.at(-1) !== frame.dataset.state) window.states.push(frame.dataset.state);
              }).observe(frame, {attributeFilter: ['data-state']});
            }"""
        )
        async with page.expect_request("**/invoice.pdf*"):
            pass
        await expect(back).to_be_focused()
        await shown(page, works)
        assert len(asked) >= 5
        assert await page.evaluate("window.states") == ["preparing", "shown"]
        # The button went away with its notice; who was on it goes on from the PDF.
        await expect(page.locator(".viewer")).to_be_focused()


async def test_offline_it_waits_for_the_connection(chromium: Browser, portal: Portal, works: Works) -> None:
    async with opened(chromium, portal.link("due"), None) as page:
        await page.context.set_offline(offline=True)
        await page.get_by_role("radio", name="PDF").click()
        await expect(page.locator("[data-notice='offline']")).to_be_visible()
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator("[data-notice='offline']")).to_be_visible()
        await page.get_by_role("button", name="Read the invoice").click()
        await expect(page.locator(".paper")).to_be_visible()
        await page.get_by_role("radio", name="PDF").click()
        await expect(page.locator("[data-notice='offline']")).to_be_visible()
        await page.context.set_offline(offline=False)
        await shown(page, works)


def remove(folder: Path, sha256: str) -> None:
    (blob,) = folder.rglob(f"{sha256}*")
    blob.unlink()


async def test_while_nobody_prints_the_page_is_read_and_says_when_until_the_pdf_comes(
    chromium: Browser, portal: Portal, works: Works, blobs_folder: Path
) -> None:
    answers: list[Response] = []
    async with opened(chromium, portal.link("overdue"), None) as page:
        page.on("response", lambda answer: answers.append(answer) if "invoice.pdf" in answer.url else None)
        await page.get_by_role("radio", name="PDF").click()
        await shown(page, works)
    etag = answers[-1].headers["etag"]
    await works.stop("worker")
    await asyncio.to_thread(remove, blobs_folder, etag.strip('"'))
    async with opened(chromium, portal.link("overdue"), None) as page:
        page.on("response", lambda answer: answers.append(answer) if "invoice.pdf" in answer.url else None)
        says = page.locator("[data-says]")
        await page.get_by_role("radio", name="PDF").click()
        # Whether it is taken for slow or for broken depends on what the last worker left behind.
        expected = re.compile(
            r"The PDF is (being prepared\. It opens here by itself|not available at the moment\. It should be there in)"
        )
        await expect(says).to_have_text(expected, timeout=20_000)
        await page.get_by_role("button", name="Read the invoice").filter(visible=True).click()
        await expect(page.locator(".paper")).to_be_visible()
        await page.get_by_role("radio", name="PDF").click()
        await works.start("worker")
        await shown(page, works)
        assert (answers[-1].status, answers[-1].headers["etag"]) == (200, etag)
