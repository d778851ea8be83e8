"""The section of the thread that pages poll: entity tags, what changes them, what is cached of it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.live import Audience
from kernel.money import Money, find_currency
from tenants.comments import queries
from tenants.comments.actions import mark_seen, post_comment, resolve_thread
from tenants.comments.values import Author, Side
from tests.fakes.browsers import Browser
from tests.fakes.payments import set_paid

CLOCK = SystemClock()


@pytest.fixture
def ana(portal: Any, acme: Any) -> Browser:
    """Somebody with the link to an invoice."""
    return Browser(portal.visitor(), acme.host)


async def post(tenants: Any, tenant: Any, body: str, **said: Any) -> Any:
    author = Author(Side.STAFF, "Sam Staff")
    async with tenants.database.scope(tenant.profile.workspace_id):
        return await post_comment(
            tenant.invoice_id,
            author,
            body,
            client_id=re.sub("[^A-Za-z0-9]", "-", f"client-{body}"),
            clock=CLOCK,
            **said,
        )


async def pay(tenants: Any, tenant: Any) -> None:
    async with tenants.database.scope(tenant.profile.workspace_id):
        await set_paid(tenant.invoice_id, Money(10_000, find_currency("EUR")), clock=CLOCK)


async def poll(browser: Browser, tenant: Any, etag: str = "", **headers: str) -> Any:
    named = {"if_none_match": etag} if etag else {}
    return await browser.ask(f"{tenant.path}/thread", **named, **headers)


async def test_a_poll_gets_the_thread_alone_and_then_nothing_until_it_changes(
    ana: Browser, tenants: Any, acme: Any
) -> None:
    await ana.open(acme.path)
    await post(tenants, acme, "First")
    first = await poll(ana, acme)
    assert (first.status_code, first.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "First" in first.text
    assert "<html" not in first.text
    assert first.headers["cache-control"] == "private, no-cache"
    again = await poll(ana, acme, first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    await post(tenants, acme, "Second")
    changed = await poll(ana, acme, first.headers["etag"])
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


async def test_notes_and_views_change_nothing_of_it(ana: Browser, tenants: Any, acme: Any) -> None:
    await post(tenants, acme, "First")
    await ana.open(acme.path)
    etag = (await poll(ana, acme)).headers["etag"]
    await post(tenants, acme, "A note", is_internal=True)
    assert (await poll(ana, acme, etag)).status_code == 304


async def test_a_compressed_section_is_the_same_section(ana: Browser, tenants: Any, acme: Any) -> None:
    await post(tenants, acme, "First")
    await ana.open(acme.path)
    plain = await poll(ana, acme)
    packed = await poll(ana, acme, accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text
    assert (await poll(ana, acme, packed.headers["etag"])).status_code == 304


async def test_another_session_gets_forms_of_its_own(portal: Any, ana: Browser, acme: Any) -> None:
    """The tag of one session is none of another: the form tokens in the section would not fit."""
    await ana.open(acme.path)
    await ana.send(f"{acme.path}/comments", name="Ana", email="ana@kunde.example", body="Mine")
    mine = await poll(ana, acme)
    assert "/edit" in mine.text
    bob = Browser(portal.visitor(), acme.host)
    await bob.open(acme.path)
    other = await poll(bob, acme, mine.headers["etag"])
    assert other.status_code == 200
    assert "/edit" not in other.text


async def test_readers_share_one_loading_and_one_rendering(
    portal: Any, tenants: Any, acme: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the database is asked for a thread that nobody has changed: nothing but the opening statement."""
    loads: list[object] = []
    load = queries.load_thread

    async def count(invoice_id: Any, audience: Audience) -> Any:
        loads.append(invoice_id)
        return await load(invoice_id, audience)

    monkeypatch.setattr(queries, "load_thread", count)
    await post(tenants, acme, "First")
    for _ in range(3):
        browser = Browser(portal.visitor(), acme.host)
        assert "First" in (await browser.open(acme.path)).text
        assert "First" in (await poll(browser, acme)).text
    assert len(loads) == 1


async def test_a_page_is_followed_from_where_its_oldest_part_stands(
    ana: Browser, tenants: Any, acme: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread is loaded after the summary: what is committed in between must still be told to the summary."""
    load = queries.load_thread

    async def pay_first(invoice_id: Any, audience: Audience) -> Any:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pay(tenants, acme))
        return await load(invoice_id, audience)

    await post(tenants, acme, "First")
    monkeypatch.setattr(queries, "load_thread", pay_first)
    raced = (await ana.open(acme.path)).text
    assert "€238.00" in raced
    assert 'data-seq="1" data-count' in raced
    monkeypatch.undo()
    settled = (await ana.open(acme.path)).text
    assert "€138.00" in settled
    assert 'data-seq="2" data-count' in settled


async def test_what_the_staff_has_seen_and_resolved_is_shown(ana: Browser, tenants: Any, acme: Any) -> None:
    await ana.open(acme.path)
    await ana.send(f"{acme.path}/comments", name="Ana", email="ana@kunde.example", body="When?")
    assert "Seen by" not in (await poll(ana, acme)).text
    async with tenants.database.scope(acme.profile.workspace_id):
        await mark_seen(acme.invoice_id, Side.STAFF, 1000, CLOCK)
        await resolve_thread(acme.invoice_id, CLOCK)
    shown = await poll(ana, acme)
    assert "Seen by Acme GmbH" in shown.text
    assert "marked this conversation as answered" in shown.text


async def test_a_long_thread_is_complete(ana: Browser, tenants: Any, acme: Any) -> None:
    """It is rendered off the event loop."""
    for number in range(45):
        await post(tenants, acme, f"Comment {number}.")
    page = (await ana.open(acme.path)).text
    assert all(f"Comment {number}." in page for number in range(45))
    assert "45 comments" in page


async def test_polling_and_writing_do_not_use_up_the_limit_of_pages(portal: Any, acme: Any) -> None:
    surface = portal.gateway.surfaces["portal"]
    polls, writes = (surface.find_limit(f"{acme.path}/{name}") for name in ("thread", "comments"))
    assert surface.find_limit(acme.path) is surface.limit
    assert len({surface.limit, polls, writes}) == 3
    assert surface.find_limit(f"{acme.path}/seen") is polls
    for name in ("comments/x/edit", "comments/x/delete", "forget"):
        assert surface.find_limit(f"{acme.path}/{name}") is writes


async def test_a_german_page_has_a_german_thread(ana: Browser, tenants: Any, acme: Any) -> None:
    await post(tenants, acme, "Guten Tag")
    page = await ana.open(acme.path)
    assert "1 comment<" in page.text
    ana.cookies["language"] = "de"
    assert "1 Kommentar<" in (await ana.open(acme.path)).text
