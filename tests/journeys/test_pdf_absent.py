"""PDF mode when there is no PDF to show: it names the problem and the remedy."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Response, Route, ViewportSize, expect

from tests.journeys.conftest import PdfProcesses, Portal
from tests.journeys.test_page_access import find_violations
from tests.journeys.test_pdf_mode import wait_until_shown

Respond = Callable[[Route], object]


@asynccontextmanager
async def open_with_response(browser: Browser, address: str, respond: Respond | None) -> AsyncIterator[Page]:
    """Open a page whose PDF requests get the response of `respond`; errors of loading are expected."""
    context: BrowserContext = await browser.new_context(
        viewport=ViewportSize(width=1280, height=900), bypass_csp=True
    )
    try:
        page = await context.new_page()
        if respond is not None:
            await page.route("**/invoice.pdf*", respond)
        await page.goto(address)
        yield page
    finally:
        await context.close()


async def respond_unavailable(route: Route) -> None:
    body = '{"type":"about:blank","status":503}'
    await route.fulfill(
        status=503, content_type="application/problem+json", headers={"retry-after": "40"}, body=body
    )


async def respond_broken(route: Route) -> None:
    await route.fulfill(status=200, content_type="application/pdf", body="%PDF-1.7 and then nothing")


async def abort_connection(route: Route) -> None:
    await route.abort("connectionreset")


async def respond_gone(route: Route) -> None:
    await route.fulfill(status=404, content_type="application/problem+json", body="{}")


@pytest.mark.parametrize(
    "case",
    [
        (
            respond_unavailable,
            "due",
            "The PDF is not available at the moment. It should be there in 40 seconds",
            "Try again",
        ),
        (
            respond_unavailable,
            "german",
            "Das PDF ist im Moment nicht verfügbar. Voraussichtlich ist es in 40 Sekunden",
            "Noch einmal versuchen",
        ),
        (respond_broken, "due", "The PDF cannot be shown here. Download it", "Download PDF"),
        (abort_connection, "due", "The PDF could not be loaded. Perhaps", "Try again"),
        (respond_gone, "due", "This link no longer opens the invoice. Ask whoever sent it", ""),
    ],
    ids=("unavailable", "unavailable-german", "broken", "connection-reset", "gone"),
)
async def test_it_says_what_is_the_matter_and_what_to_do(
    chromium: Browser, portal: Portal, case: tuple[Respond, str, str, str]
) -> None:
    respond, tag, words, act = case
    async with open_with_response(chromium, portal.link(tag), respond) as page:
        await page.locator("[data-modes] [data-shows='pdf']").click()
        await expect(page.locator("[data-says]")).to_contain_text(words)
        notice = page.locator(".notice:visible[data-notice]")
        assert words.split(". ", maxsplit=1)[0] in await notice.inner_text()
        actions = await notice.get_by_role("button").or_(notice.get_by_role("link")).all_inner_texts()
        assert actions[:1] == ([act] if act else [])
        assert await find_violations(page) == []
        assert await page.locator(".summary .amount").is_visible()


async def test_the_paper_stays_while_the_pdf_is_loading_and_after_a_moment_it_is_said(
    chromium: Browser, portal: Portal
) -> None:
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    async with open_with_response(chromium, portal.link("due"), hold) as page:
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
        # Live ends the wait, and no notice appears later.
        await page.get_by_role("radio", name="Live").click()
        assert await page.locator(".paper").is_visible()
        assert len(held) == 1


async def test_a_slow_pdf_shows_its_progress_over_the_paper_until_its_first_page_is_there(
    chromium: Browser, portal: Portal, pdf_processes: PdfProcesses
) -> None:
    async with open_with_response(chromium, portal.link("due"), None) as page:
        # The scripts of the viewer are in the cache then: only the PDF is slow.
        await page.get_by_role("radio", name="PDF").click()
        await wait_until_shown(page, pdf_processes)
        network = await page.context.new_cdp_session(page)
        slow = {"offline": False, "latency": 0, "downloadThroughput": 8000, "uploadThroughput": 8000}
        await network.send("Network.enable")
        await page.goto(portal.link("lines-200"))
        await network.send("Network.emulateNetworkConditions", slow)
        await page.get_by_role("radio", name="PDF").click()
        bar = page.get_by_role("progressbar", name="Progress of loading")
        await expect(bar).to_be_visible(timeout=pdf_processes.timeout_ms)
        await expect(bar).not_to_have_attribute("value", "0")
        assert await bar.evaluate("bar => 0 < bar.value && bar.value < bar.max")
        assert await page.locator(".paper").is_visible()
        assert await page.locator("[data-notice='loading']").inner_text() == "The PDF is being loaded."
        await network.send("Network.emulateNetworkConditions", slow | {"downloadThroughput": -1})
        await wait_until_shown(page, pdf_processes)
        await expect(page.locator(".viewer .page").first.locator("canvas")).to_be_visible()
        assert not await page.locator(".paper").is_visible()
        assert not await bar.is_visible()


async def test_a_retry_asks_again_and_shows_the_pdf(
    chromium: Browser, portal: Portal, pdf_processes: PdfProcesses
) -> None:
    requests: list[str] = []

    async def fail_first(route: Route) -> None:
        requests.append(route.request.url)
        await (respond_unavailable(route) if len(requests) == 1 else route.continue_())

    async with open_with_response(chromium, portal.link("due"), fail_first) as page:
        await page.get_by_role("radio", name="PDF").click()
        await page.get_by_role("button", name="Try again").click()
        await wait_until_shown(page, pdf_processes)
        assert len(requests) >= 2


async def test_waiting_keeps_its_words_and_the_focus_until_the_pdf_comes(
    chromium: Browser, portal: Portal, pdf_processes: PdfProcesses
) -> None:
    requests: list[str] = []

    async def respond_preparing(route: Route) -> None:
        body = '{"status":"preparing","retry_after_s":1}'
        await route.fulfill(
            status=202, content_type="application/json", headers={"retry-after": "1"}, body=body
        )

    async def respond_in_turn(route: Route) -> None:
        requests.append(route.request.url)
        # The third request fails, as while the gateway is restarted.
        responses: dict[int, Callable[[Route], Awaitable[None]]] = {
            1: respond_preparing,
            2: respond_preparing,
            3: abort_connection,
            4: respond_preparing,
        }
        await (responses[len(requests)](route) if len(requests) in responses else route.continue_())

    async with open_with_response(chromium, portal.link("due"), respond_in_turn) as page:
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
        await wait_until_shown(page, pdf_processes)
        assert len(requests) >= 5
        assert await page.evaluate("window.states") == ["preparing", "shown"]
        # The button disappears with its notice, and the focus moves to the PDF.
        await expect(page.locator(".viewer")).to_be_focused()


async def test_offline_it_waits_for_the_connection(
    chromium: Browser, portal: Portal, pdf_processes: PdfProcesses
) -> None:
    async with open_with_response(chromium, portal.link("due"), None) as page:
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
        await wait_until_shown(page, pdf_processes)


def delete_blob(folder: Path, sha256: str) -> None:
    (blob,) = folder.rglob(f"{sha256}*")
    blob.unlink()


async def test_while_nobody_prints_the_page_is_read_and_says_when_until_the_pdf_comes(
    chromium: Browser, portal: Portal, pdf_processes: PdfProcesses, blobs_folder: Path
) -> None:
    answers: list[Response] = []
    async with open_with_response(chromium, portal.link("overdue"), None) as page:
        page.on("response", lambda answer: answers.append(answer) if "invoice.pdf" in answer.url else None)
        await page.get_by_role("radio", name="PDF").click()
        await wait_until_shown(page, pdf_processes)
    etag = answers[-1].headers["etag"]
    await pdf_processes.stop("worker")
    await asyncio.to_thread(delete_blob, blobs_folder, etag.strip('"'))
    async with open_with_response(chromium, portal.link("overdue"), None) as page:
        page.on("response", lambda answer: answers.append(answer) if "invoice.pdf" in answer.url else None)
        says = page.locator("[data-says]")
        await page.get_by_role("radio", name="PDF").click()
        # Which of the two depends on what workers are registered.
        expected = re.compile(
            r"The PDF is (being prepared\. It opens here by itself|not available at the moment\. It should be there in)"
        )
        await expect(says).to_have_text(expected, timeout=20_000)
        await page.get_by_role("button", name="Read the invoice").filter(visible=True).click()
        await expect(page.locator(".paper")).to_be_visible()
        await page.get_by_role("radio", name="PDF").click()
        await pdf_processes.start("worker")
        await wait_until_shown(page, pdf_processes)
        assert (answers[-1].status, answers[-1].headers["etag"]) == (200, etag)
