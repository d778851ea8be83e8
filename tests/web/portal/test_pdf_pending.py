"""While a PDF is not there: the page that refreshes itself, the data for programs, and when both end."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from kernel.ids import new_id
from kernel.jobs import enqueue
from kernel.store import execute, fetch
from tenants.invoices.actions import revoke_link
from tenants.invoices.jobs import PDF_QUEUE, RenderPdf
from tenants.invoices.values import PendingPdf
from tests.web.conftest import CLOCK
from web.http.templates import load_words
from web.portal.pdf_pending import MOST_TRIES, build_pending_page, format_delay

OUTCOMES = "portal_pdf_answers_total"
pytestmark = pytest.mark.usefixtures("rendering_worker")

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
async def path(acme: Any) -> str:
    return f"{acme.path}/invoice.pdf"


@pytest.fixture
def draining(portal: Any) -> Any:
    """A gateway in which no request waits for a PDF."""
    portal.gateway.drain()
    return portal


async def fail_renders(tenants: Any, tenant: Any, seconds: int) -> None:
    """Let the last attempt at each render have failed, the next be due in so many seconds, and no worker be there."""
    async with tenants.database.scope(tenant.profile.workspace_id):
        await execute(
            "UPDATE job SET attempts = 1, run_at = now() + make_interval(secs => $2) WHERE kind = $1",
            RenderPdf.kind,
            seconds,
        )
        await execute("DELETE FROM job_worker")


def refresh(page: str) -> tuple[str, str] | None:
    """How soon the page comes back ("soon" or in seconds), and where."""
    found = re.search(r'<meta http-equiv="refresh" content="(\d+); url=([^"]+)">', page)
    if found is None:
        return None
    return "soon" if 2 <= int(found[1]) <= 10 else found[1], found[2].replace("&amp;", "&")


async def test_a_request_that_waits_gets_the_pdf_once_it_is_rendered(
    portal: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    asking = asyncio.create_task(portal.visitor().ask(path, acme.host, accept=BROWSER))
    async with asyncio.timeout(10):
        while portal.count("portal_pdf_waiting_count") < 1:  # noqa: ASYNC110  -- nothing tells of it
            await asyncio.sleep(0.01)
    data = await add_pdf(acme)
    answer = await asking
    assert (answer.status_code, answer.content) == (200, data)
    assert portal.count(OUTCOMES, outcome="waited") == 1


async def test_a_link_that_is_revoked_while_its_pdf_is_rendered_opens_nothing(
    portal: Any, tenants: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    asking = asyncio.create_task(portal.visitor().ask(path, acme.host, accept=BROWSER))
    async with asyncio.timeout(10):
        while portal.count("portal_pdf_waiting_count") < 1:  # noqa: ASYNC110  -- nothing tells of it
            await asyncio.sleep(0.01)
    async with tenants.database.scope(acme.profile.workspace_id):
        await revoke_link(acme.link_id, clock=CLOCK)
    await add_pdf(acme)
    answer = await asking
    page = await portal.visitor().ask(acme.path, acme.host, accept=BROWSER)
    assert (answer.status_code, answer.content) == (404, page.content)


async def test_a_requested_pdf_is_rendered_before_those_ahead_of_requests(
    draining: Any, tenants: Any, acme: Any, path: str
) -> None:
    await draining.visitor().ask(path, acme.host)
    async with tenants.database.scope(acme.profile.workspace_id, read_only=True):
        rows = await fetch("SELECT queue, payload FROM job WHERE kind = $1", RenderPdf.kind)
    # The job that was there since the invoice was issued, and no other.
    assert [row["queue"] for row in rows] == [PDF_QUEUE]


async def test_a_browser_gets_a_page_that_refreshes_itself(
    draining: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    visitor = draining.visitor()
    answer = await visitor.ask(path, acme.host, accept=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (202, "text/html; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"
    assert "retry-after" in answer.headers
    assert "Your PDF is being prepared" in answer.text
    assert f"Invoice {acme.number} · Acme GmbH" in answer.text
    assert f'<a href="{acme.path}">Back to the invoice</a>' in answer.text
    assert "<script" not in answer.text
    assert refresh(answer.text) == ("soon", f"{path}?tries=1")
    await add_pdf(acme)
    again = await visitor.ask(f"{path}?tries=1", acme.host, accept=BROWSER)
    assert again.headers["content-type"] == "application/pdf"
    assert draining.count(OUTCOMES, outcome="preparing") == 1


async def test_the_page_remembers_that_the_pdf_is_to_be_shown(draining: Any, acme: Any, path: str) -> None:
    answer = await draining.visitor().ask(f"{path}?inline&tries=4", acme.host, accept=BROWSER)
    assert refresh(answer.text) == ("soon", f"{path}?inline&tries=5")
    assert "It should open here in a few seconds." in answer.text


@pytest.mark.parametrize("tries", ["30", "31", "999"])
async def test_the_page_does_not_refresh_itself_for_ever(
    draining: Any, acme: Any, path: str, tries: str
) -> None:
    answer = await draining.visitor().ask(f"{path}?tries={tries}", acme.host, accept=BROWSER)
    assert refresh(answer.text) is None
    assert "The PDF is still not ready" in answer.text
    assert f'<a href="{path}">Try again</a>' in answer.text


async def test_the_page_goes_on_asking_for_the_language_that_was_chosen(
    draining: Any, acme: Any, path: str
) -> None:
    answer = await draining.visitor().ask(f"{path}?lang=de&tries=4", acme.host, accept=BROWSER)
    assert answer.status_code == 202
    assert '<html lang="de" dir="ltr">' in answer.text
    assert refresh(answer.text) == ("soon", f"{path}?lang=de&tries=5")
    inline = await draining.visitor().ask(f"{path}?inline&lang=de", acme.host, accept=BROWSER)
    assert refresh(inline.text) == ("soon", f"{path}?lang=de&inline&tries=1")
    over = await draining.visitor().ask(f"{path}?lang=de&tries=30", acme.host, accept=BROWSER)
    assert f'<a href="{path}?lang=de">' in over.text


async def test_a_program_gets_data(draining: Any, acme: Any, path: str) -> None:
    for accept in ("application/pdf", "*/*", "application/json"):
        answer = await draining.visitor().ask(path, acme.host, accept=accept)
        assert (answer.status_code, answer.headers["content-type"]) == (202, "application/json")
        soon = int(answer.headers["retry-after"])
        assert 1 <= soon <= 10
        assert answer.json() == {"status": "preparing", "retry_after_s": soon}


async def test_head_says_that_it_is_being_prepared(draining: Any, acme: Any, path: str) -> None:
    answer = await draining.visitor().ask(path, acme.host, method="HEAD")
    assert (answer.status_code, answer.content) == (202, b"")
    assert "retry-after" in answer.headers


async def test_while_no_worker_can_render_the_response_says_when_to_ask_again(
    portal: Any, tenants: Any, acme: Any, path: str
) -> None:
    await fail_renders(tenants, acme, 100)
    visitor = portal.visitor()
    page = await visitor.ask(path, acme.host, accept=BROWSER)
    assert (page.status_code, page.headers["retry-after"]) == (503, "60")
    assert "The PDF is not available right now" in page.text
    assert "It should be ready in about 2 minutes. This page tries again by itself." in page.text
    assert refresh(page.text) == ("60", f"{path}?tries=1")
    data = await visitor.ask(path, acme.host)
    assert (data.status_code, data.headers["content-type"]) == (503, "application/problem+json")
    assert data.json()["code"] == "pdf.unavailable"
    assert 95 <= int(data.headers["retry-after"]) <= 101
    assert portal.count(OUTCOMES, outcome="down") == 2
    # Nobody waited for what was known to fail, and the invoice is there as ever.
    assert portal.count("portal_pdf_wait_seconds_count") == 0
    assert (await visitor.ask(acme.path, acme.host)).status_code == 200


async def test_while_too_many_wait_the_response_says_so(
    portal: Any, tenants: Any, acme: Any, path: str
) -> None:
    scope = tenants.database.scope
    async with scope(acme.profile.workspace_id):
        await execute("UPDATE job_worker SET slots = 1")
        for _ in range(3):
            await enqueue(RenderPdf(invoice_id=new_id(), version=1, locale="en-US"))
        # Those before were slow.
        await execute(
            """UPDATE job SET state = 'done', begun_at = now() - interval '10 minutes', ended_at = now()
               WHERE kind = $1 AND queue <> $2""",
            RenderPdf.kind,
            PDF_QUEUE,
        )
    try:
        data = await portal.visitor().ask(path, acme.host)
        page = await portal.visitor().ask(path, acme.host, accept=BROWSER)
    finally:
        async with scope(acme.profile.workspace_id):
            # Other tests must not measure slow renders.
            await execute(
                "UPDATE job SET state = 'dead', ended_at = now(), begun_at = NULL WHERE kind = $1",
                RenderPdf.kind,
            )
    assert (data.status_code, data.json()["code"]) == (503, "pdf.busy")
    assert int(data.headers["retry-after"]) > 60
    assert (page.status_code, page.headers["retry-after"]) == (503, "60")
    assert "in about" in page.text


async def test_a_pdf_that_failed_too_often_is_said_to_have_failed(
    portal: Any, tenants: Any, acme: Any, path: str
) -> None:
    async with tenants.database.scope(acme.profile.workspace_id):
        await execute("UPDATE job SET state = 'dead', ended_at = now() WHERE kind = $1", RenderPdf.kind)
    data = await portal.visitor().ask(path, acme.host)
    assert (data.status_code, data.json()["code"]) == (503, "pdf.failed")
    page = await portal.visitor().ask(path, acme.host, accept=BROWSER)
    assert "It should be ready in about 15 minutes." in page.text
    assert (await portal.visitor().ask(acme.path, acme.host)).status_code == 200


async def test_the_page_speaks_the_customers_language(portal: Any, tenants: Any) -> None:
    tenant = await tenants.make(name="<b>Nordlicht</b>", locale="de-DE")
    await fail_renders(tenants, tenant, 50)
    answer = await portal.visitor().ask(
        f"{tenant.path}/invoice.pdf", tenant.host, accept=BROWSER, accept_language="en"
    )
    assert '<html lang="de" dir="ltr">' in answer.text
    assert "Es sollte in weniger als einer Minute bereitstehen." in answer.text
    assert "&lt;b&gt;Nordlicht&lt;/b&gt;" in answer.text
    assert "<b>" not in answer.text


async def test_a_lost_blob_is_rendered_again(
    draining: Any, tenants: Any, acme: Any, path: str, *, add_pdf: Any, blobs: Any
) -> None:
    visitor = draining.visitor()
    data = await add_pdf(acme)
    tag = (await visitor.ask(path, acme.host)).headers["etag"]
    key = f"{acme.profile.workspace_id}/pdf/{tag.strip(chr(34))}.pdf"
    for damage in (None, data[:-1]):
        await (blobs.delete(key) if damage is None else blobs.put(key, damage))
        for method in ("GET", "HEAD"):
            assert (await visitor.ask(path, acme.host, method=method)).status_code == 202
    await blobs.put(key, data)
    assert (await visitor.ask(path, acme.host)).content == data
    # Who has it keeps it, whatever became of ours.
    await blobs.delete(key)
    assert (await visitor.ask(path, acme.host, if_none_match=tag)).status_code == 304


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (0, "in a few seconds", "in wenigen Sekunden"),
        (15, "in a few seconds", "in wenigen Sekunden"),
        (16, "in less than a minute", "in weniger als einer Minute"),
        (61, "in about 2 minutes", "in etwa 2 Minuten"),
        (3600, "in about 60 minutes", "in etwa 60 Minuten"),
        (3601, "in about 2 hours", "in etwa 2 Stunden"),
    ],
)
def test_times_are_told_in_words(seconds: float, english: str, german: str) -> None:
    assert (format_delay(seconds, load_words("en-US")), format_delay(seconds, load_words("de-DE"))) == (
        english,
        german,
    )


def test_the_page_tries_for_some_minutes_and_then_stops() -> None:
    pauses, tries = [], 0
    while True:
        page = build_pending_page(
            PendingPdf(1),
            load_words("en-US"),
            tries=tries,
            page_url="/i/x",
            pdf_query="",
            number="7",
            workspace="Acme",
            inline=False,
        )
        if not page.refresh_s:
            break
        pauses.append(page.refresh_s)
        tries = int(page.again_url.partition("tries=")[2])
    assert len(pauses) == MOST_TRIES
    # Each try waits ten seconds for its answer, too.
    assert 5 * 60 <= sum(pauses) + 10 * len(pauses) <= 10 * 60


async def test_a_pdf_in_a_chosen_language_is_rendered_on_demand(
    draining: Any, tenants: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    await add_pdf(acme)
    visitor = draining.visitor()
    for _ in range(2):
        assert (await visitor.ask(f"{path}?lang=de", acme.host)).status_code == 202
    assert await requested_locales(tenants, acme) == ["de"]
    data = await add_pdf(acme, locale="de")
    answer = await visitor.ask(f"{path}?lang=de", acme.host)
    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["content-disposition"].startswith('attachment; filename="Rechnung ')


async def test_an_unknown_language_has_nothing_rendered(
    draining: Any, tenants: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    await add_pdf(acme)
    for language in ("fr", "xx-XX", "", "DE"):
        assert (await draining.visitor().ask(f"{path}?lang={language}", acme.host)).status_code == 200
    assert await requested_locales(tenants, acme) == []


async def requested_locales(tenants: Any, tenant: Any) -> list[str]:
    """Return the locales of the renders that requests wait for."""
    async with tenants.database.scope(tenant.profile.workspace_id, read_only=True):
        rows = await fetch(
            "SELECT payload FROM job WHERE kind = $1 AND queue = $2", RenderPdf.kind, PDF_QUEUE
        )
    return [json.loads(row["payload"])["locale"] for row in rows]
