"""The invoice page: what a link opens, what is cached of it, and when it is rendered anew."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import re
from typing import Any

import pytest
from msgspec.structs import replace

from kernel.clock import FixedClock, SystemClock
from kernel.money import Money, find_currency
from kernel.store import execute
from tenants.invoices import actions
from tenants.invoices.content import Party
from tests.fakes.payments import set_paid
from web.http.sections import CompressedHtml, join_gzipped, join_plain

CLOCK = SystemClock()
RENDERED = "portal_document_render_seconds_count"


def without_slots(page: str) -> str:
    """What all visitors are shown: the page without its nonces, its form tokens and the id of its next comment."""
    without_nonces, nonces = re.subn(r'nonce="[^"]+"', "", page)
    shared, values = re.subn(r'name="(?:form_token|client_id)" value="[^"]+"', "", without_nonces)
    assert nonces
    assert values == 3
    return shared


async def test_a_link_opens_its_invoice(visitor: Any, acme: Any) -> None:
    answer = await visitor.ask(acme.path, acme.host)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for shown in (
        acme.number,
        "€238.00",
        "Kunde &amp; Söhne &lt;AG&gt;",
        "Work 2",
        "DE89 3704 0044 0532 0130 00",
    ):
        assert shown in answer.text, shown
    assert "<AG>" not in answer.text
    assert '<template shadowrootmode="open">' in answer.text


async def test_pages_are_never_stored_and_have_no_tag(visitor: Any, acme: Any) -> None:
    answer = await visitor.ask(acme.path, acme.host)
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
    assert (await visitor.ask(acme.path, acme.host, if_none_match="*")).status_code == 200


async def test_a_compressed_page_is_the_same_page(visitor: Any, acme: Any) -> None:
    plain = await visitor.ask(acme.path, acme.host)
    packed = await visitor.ask(acme.path, acme.host, accept_encoding="gzip, br")
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert without_slots(packed.text) == without_slots(plain.text)
    assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding, cookie"


async def test_a_page_is_rendered_once_and_cached(portal: Any, acme: Any) -> None:
    visitor = portal.visitor()
    for _ in range(3):
        await visitor.ask(acme.path, acme.host)
    assert portal.count(RENDERED) == 1
    assert portal.count("portal_document_lookups_total", result="miss") == 1
    assert portal.count("portal_document_lookups_total", result="hit") == 2


async def test_many_who_open_it_at_once_wait_for_one_rendering(
    portal: Any, tenants: Any, acme: Any, content: Any
) -> None:
    large = await tenants.another(acme, content(150))
    visitor = portal.visitor()
    answers = await asyncio.gather(*(visitor.ask(large.path, large.host) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert portal.count(RENDERED) == 1


async def test_a_payment_is_seen_at_once(portal: Any, tenants: Any, acme: Any) -> None:
    visitor = portal.visitor()
    before = await visitor.ask(acme.path, acme.host)
    async with tenants.database.scope(acme.profile.workspace_id):
        await set_paid(acme.invoice_id, Money(23800, find_currency("EUR")), clock=CLOCK)
    after = await visitor.ask(acme.path, acme.host)
    assert 'data-state="due"' in before.text
    assert 'data-state="paid"' in after.text
    assert "This invoice is paid. Thank you." in after.text


async def test_a_void_invoice_says_that_it_is_void(portal: Any, tenants: Any, acme: Any) -> None:
    async with tenants.database.scope(acme.profile.workspace_id):
        await actions.void(acme.invoice_id, clock=CLOCK)
    answer = await portal.visitor().ask(acme.path, acme.host)
    assert 'data-state="void"' in answer.text
    assert "This invoice was cancelled. Please do not pay it." in answer.text
    assert "DE89 3704" not in answer.text.split("<template")[0]


async def test_a_new_version_replaces_the_page(portal: Any, tenants: Any, acme: Any, content: Any) -> None:
    visitor = portal.visitor()
    await visitor.ask(acme.path, acme.host)
    async with tenants.database.scope(acme.profile.workspace_id):
        await actions.add_version(acme.invoice_id, content(3), clock=CLOCK)
    answer = await visitor.ask(acme.path, acme.host)
    assert "Work 3" in answer.text
    assert "€357.00" in answer.text


async def test_the_day_is_the_one_of_the_workspaces_time_zone(
    make_portal: Any, tenants: Any, content: Any
) -> None:
    """At 23:30 in London it is tomorrow in Tokyo, and the invoice is overdue there and not here."""
    due = dt.date(2090, 6, 1)
    clock = FixedClock(dt.datetime(2090, 6, 1, 22, 30, tzinfo=dt.UTC))
    states = {}
    for zone in ("Europe/London", "Asia/Tokyo"):
        tenant = await tenants.make(content(due_date=due), time_zone=zone)
        answer = await make_portal(clock=clock).visitor().ask(tenant.path, tenant.host)
        states[zone] = "1 day overdue" in answer.text, "due today" in answer.text
    assert states == {"Europe/London": (False, True), "Asia/Tokyo": (True, False)}


async def test_tomorrow_the_page_counts_one_day_less(make_portal: Any, tenants: Any, content: Any) -> None:
    tenant = await tenants.make(content(due_date=dt.date(2090, 6, 10)))
    clock = FixedClock(dt.datetime(2090, 6, 1, 12, tzinfo=dt.UTC))
    visitor = make_portal(clock=clock).visitor()
    first = await visitor.ask(tenant.path, tenant.host)
    clock.advance(dt.timedelta(days=1))
    second = await visitor.ask(tenant.path, tenant.host)
    assert ("due in 9 days" in first.text, "due in 8 days" in second.text) == (True, True)


async def test_the_language_is_the_recipients_then_the_workspaces(
    portal: Any, tenants: Any, acme: Any
) -> None:
    german = await tenants.make(locale="de-DE")
    answer = await portal.visitor().ask(german.path, german.host)
    assert '<html lang="de" dir="ltr">' in answer.text
    assert "238,00\N{NO-BREAK SPACE}€" in answer.text
    async with tenants.database.scope(acme.profile.workspace_id):
        await execute("UPDATE customer SET locale = 'de-DE' WHERE customer_id = $1", acme.customer_id)
    answer = await portal.visitor().ask(acme.path, acme.host)
    assert '<html lang="de" dir="ltr">' in answer.text


async def test_nothing_an_invoice_says_becomes_markup(portal: Any, tenants: Any, content: Any) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    said = content(
        seller=Party(name=evil),
        buyer=Party(name=evil),
        buyer_reference=evil,
        payment_terms=evil,
        notes=(evil,),
    )
    said = replace(said, lines=(replace(said.lines[0], name=evil, description=evil),))
    tenant = await tenants.make(said, name="Evil & <Sons>")
    answer = await portal.visitor().ask(tenant.path, tenant.host)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    assert "Evil &amp; &lt;Sons&gt;" in answer.text


async def test_a_text_that_looks_like_a_nonce_stays_where_it_is(
    portal: Any, tenants: Any, content: Any
) -> None:
    tenant = await tenants.make(content(notes=("nonce AAAAAAAAAAAAAAAAAAAAAA",)))
    visitor = portal.visitor()
    for _ in range(2):
        answer = await visitor.ask(tenant.path, tenant.host)
        assert "nonce AAAAAAAAAAAAAAAAAAAAAA" in answer.text


async def test_a_thousand_lines_are_one_page(portal: Any, tenants: Any, acme: Any, content: Any) -> None:
    large = await tenants.another(acme, content(1000))
    answer = await portal.visitor().ask(large.path, large.host, accept_encoding="gzip")
    assert answer.status_code == 200
    assert "Work 1000" in answer.text
    assert int(answer.headers["content-length"]) < len(answer.content) / 10


async def test_the_cache_counts_every_byte_that_it_holds(portal: Any, acme: Any) -> None:
    await portal.visitor().ask(acme.path, acme.host)
    cache = portal.dependency("pages")._sections._cache
    (page,) = cache._values.values()
    assert cache.size == page.size
    sections = (page.head, page.middle, page.tail)
    parts = [part for section in sections for part in section.parts]
    texts = [part for part in parts if isinstance(part, CompressedHtml)]
    names = [part for part in parts if not isinstance(part, CompressedHtml)]
    assert page.size >= sum(len(text.plain) + len(text.deflated) for text in texts)
    assert set(names) == {"nonce", "form_token", "language_error", "thread_link"}
    slots = {name: f"<{name}>".encode() for name in names}
    plain = b"".join(join_plain(sections, slots))
    assert gzip.decompress(b"".join(join_gzipped(sections, slots))) == plain


async def test_the_first_page_sets_an_anonymous_session_and_the_next_ones_none(
    portal: Any, acme: Any
) -> None:
    visitor = portal.visitor()
    first = await visitor.ask(acme.path, acme.host)
    name, _, value = first.headers["set-cookie"].partition(";")[0].partition("=")
    assert (name, len(value), value[0]) == ("session", 44, "a")
    attributes = {part.strip().lower() for part in first.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} <= attributes
    assert not any(part.startswith(("domain", "max-age", "expires")) for part in attributes)
    second = await visitor.ask(acme.path, acme.host, cookie=f"session={value}")
    assert "set-cookie" not in second.headers
    miss = await visitor.ask(f"/i/{'0' * len(acme.token)}", acme.host)
    assert (miss.status_code, "set-cookie" in miss.headers) == (404, False)
    other = await visitor.ask(acme.path, acme.host, cookie="session=mine")
    assert other.headers["set-cookie"].partition(";")[0] not in {"session=mine", f"session={value}"}


@pytest.mark.parametrize(
    ("wrong", "suffix"),
    [
        ("customer SET locale = 'zz-QQ'", ""),
        ("workspace SET time_zone = 'No/Where'", ""),
        ("workspace SET time_zone = 'No/Where'", "/invoice.json"),
    ],
)
async def test_what_we_have_stored_wrongly_is_our_failure(
    portal: Any, tenants: Any, acme: Any, wrong: str, suffix: str
) -> None:
    async with tenants.database.scope(acme.profile.workspace_id):
        await execute(f"UPDATE {wrong} WHERE workspace_id = $1", acme.profile.workspace_id)
    answer = await portal.visitor().ask(acme.path + suffix, acme.host)
    # Nobody has sent anything wrong: no bad request, but a failure, which is what is written down.
    assert answer.status_code == 500
