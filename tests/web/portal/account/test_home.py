"""The customer's home: all their invoices, what is to be paid of them, and nothing of others."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

from kernel.clock import SystemClock
from kernel.money import Money, find_currency
from kernel.store import execute
from tenants.comments.actions import post_comment
from tenants.comments.values import Author, Side
from tenants.customers.actions import create_customer
from tenants.customers.values import CustomerDetails
from tenants.invoices import actions
from tests.fakes.payments import set_paid
from tests.web.conftest import build_content
from web.portal.account.home import PAGE_ROWS

ANA = "ana@kunde.example"
CLOCK = SystemClock()
_COPY_INVOICE = """
INSERT INTO invoice (workspace_id, invoice_id, customer_id, status, number, version, currency, total_minor, buyer_name,
                     issue_date, due_date, created_at, changed_at, issued_at)
SELECT workspace_id, gen_random_uuid(), customer_id, status, number || '-' || copy, version, currency, total_minor,
       buyer_name, issue_date, due_date, created_at, changed_at, issued_at
FROM invoice, generate_series(1, $2::integer) copy WHERE invoice_id = $1
"""
_COPY_VERSIONS = """
INSERT INTO invoice_version (workspace_id, invoice_id, version, content, totals, created_at, issued_at)
SELECT i.workspace_id, i.invoice_id, v.version, v.content, v.totals, v.created_at, v.issued_at
FROM invoice i, invoice_version v WHERE v.invoice_id = $1 AND i.invoice_id <> $1
"""
YESTERDAY = dt.date.today() - dt.timedelta(days=2)  # noqa: DTZ011  -- on either side of any time zone's midnight


def read_rows(page: Any) -> dict[str, list[str]]:
    """Return the numbers in each group of the page."""
    return {
        key: re.findall(r'<a href="/i/[0-9a-f-]{36}"><bdi>([^<]+)</bdi></a>', table)
        for key, table in re.findall(r'<table class="invoices (\w+)">(.*?)</table>', page.text, re.DOTALL)
    }


async def add_customer(tenants: Any, tenant: Any, name: str) -> Any:
    async with tenants.database.scope(tenant.profile.workspace_id):
        return (await create_customer(CustomerDetails(name=name), clock=CLOCK)).customer_id


async def issue(tenants: Any, tenant: Any, customer_id: Any = None, **content: Any) -> tuple[Any, str]:
    made: tuple[Any, str] = await tenants.issue(
        tenant.profile, customer_id or tenant.customer_id, build_content(1, **content)
    )
    return made


async def pay(tenants: Any, tenant: Any, invoice_id: Any, amount: str, currency: str = "EUR") -> None:
    async with tenants.database.scope(tenant.profile.workspace_id):
        paid = Money.from_decimal(Decimal(amount), find_currency(currency))
        await set_paid(invoice_id, paid, clock=CLOCK)


async def test_a_contact_of_two_customers_sees_the_invoices_of_both_and_of_no_other(
    browser: Any, people: Any, acme: Any, tenants: Any
) -> None:
    other, foreign = [await add_customer(tenants, acme, name) for name in ("Zweigstelle", "Fremde AG")]
    _, second = await issue(tenants, acme, other)
    _, strange = await issue(tenants, acme, foreign)
    await people.add(acme, ANA)
    await people.add(acme, ANA, customer_id=other)
    await people.add(acme, "eve@fremd.example", customer_id=foreign)
    async with tenants.database.scope(acme.profile.workspace_id):
        await actions.create_draft(acme.customer_id, build_content(1), clock=CLOCK)
    await people.sign_in(browser, acme, ANA)
    page = await browser.open("/")
    assert read_rows(page) == {"open": [acme.number, second]}
    assert strange not in page.text
    # Which customer it is for is said where there are several.
    assert page.text.count('<span class="customer">') == 2


async def test_open_and_paid_ones_are_apart_with_totals_of_what_is_open(
    browser: Any, people: Any, acme: Any, tenants: Any
) -> None:
    paid, paid_number = await issue(tenants, acme)
    await pay(tenants, acme, paid, "119.00")
    part, part_number = await issue(tenants, acme, due_date=YESTERDAY, issue_date=YESTERDAY)
    await pay(tenants, acme, part, "19.00")
    _, dollars = await issue(tenants, acme, currency="USD")
    void, void_number = await issue(tenants, acme)
    async with tenants.database.scope(acme.profile.workspace_id):
        await actions.void(void, clock=CLOCK)
    await people.add(acme, ANA)
    await people.sign_in(browser, acme, ANA)
    page = await browser.open("/")
    assert read_rows(page) == {
        # What is due first comes first.
        "open": [part_number, acme.number, dollars],
        "closed": [void_number, paid_number],
    }
    totals = re.findall(r'<p class="sum"><bdi>([^<]+)</bdi></p>', page.text)
    assert totals == ["€338.00", "$119.00"]
    assert "2 invoices to pay" in page.text
    assert "of which €100.00 overdue" in page.text
    assert "<bdi>€100.00</bdi>" in page.text
    assert "of €119.00" in page.text
    assert re.findall(r'data-state="(\w+)"', page.text) == ["overdue", "due", "due", "void", "paid"]


async def test_an_invoice_opened_from_the_home_needs_no_link(browser: Any, people: Any, acme: Any) -> None:
    await people.add(acme, ANA)
    await people.sign_in(browser, acme, ANA)
    path = re.search(r'<a href="(/i/[0-9a-f-]{36})">', (await browser.open("/")).text)
    assert path is not None
    page = await browser.open(path[1])
    assert (page.status_code, acme.number in page.text) == (200, True)


async def test_a_search_finds_numbers_and_customers_and_stays_in_the_address(
    browser: Any, people: Any, acme: Any, tenants: Any
) -> None:
    other = await add_customer(tenants, acme, "Zweigstelle Süd")
    _, second = await issue(tenants, acme, other)
    await people.add(acme, ANA)
    await people.add(acme, ANA, customer_id=other)
    await people.sign_in(browser, acme, ANA)
    assert read_rows(await browser.open(f"/?q={acme.number.lower()}")) == {"open": [acme.number]}
    assert read_rows(await browser.open("/?q=%20s%C3%B6hne")) == {"open": [acme.number, second]}
    nothing = await browser.open("/?q=%25%3Cb%3E")
    assert read_rows(nothing) == {}
    assert "No invoice matches “%&lt;b&gt;”." in nothing.text
    assert 'name="q" value="%&lt;b&gt;"' in nothing.text


async def test_older_invoices_of_a_group_follow_by_a_link(
    browser: Any, people: Any, acme: Any, tenants: Any
) -> None:
    async with tenants.database.scope(acme.profile.workspace_id):
        # All at the same moment: then the id decides.
        await execute(_COPY_INVOICE, acme.invoice_id, PAGE_ROWS + 1)
        await execute(_COPY_VERSIONS, acme.invoice_id)
    await people.add(acme, ANA)
    await people.sign_in(browser, acme, ANA)
    first = await browser.open("/?q=inv")
    older = re.search(r'<p class="older"><a href="([^"]+)"', first.text)
    assert older is not None
    second = await browser.open(older[1].replace("&amp;", "&"))
    pages = [read_rows(page)["open"] for page in (first, second)]
    assert [len(rows) for rows in pages] == [PAGE_ROWS, 2]
    assert len({*pages[0], *pages[1]}) == PAGE_ROWS + 2
    assert "Older invoices" not in second.text


async def test_older_ones_than_an_invoice_of_others_are_a_miss(
    browser: Any, people: Any, acme: Any, tenants: Any
) -> None:
    foreign, _ = await issue(tenants, acme, await add_customer(tenants, acme, "Fremde AG"))
    await people.add(acme, ANA)
    await people.sign_in(browser, acme, ANA)
    answers = [
        await browser.open(f"/?group=open&older={after}")
        for after in (foreign, "00000000-0000-4000-8000-000000000000", "x")
    ]
    assert [each.status_code for each in answers] == [404] * 3
    assert len({each.text for each in answers}) == 1


async def test_new_comments_of_the_staff_are_counted(
    browser: Any, people: Any, acme: Any, tenants: Any
) -> None:
    async with tenants.database.scope(acme.profile.workspace_id):
        staff = Author(side=Side.STAFF, name="Bea")
        for number, is_internal in enumerate((False, False, True)):
            await post_comment(
                acme.invoice_id,
                staff,
                "Hello",
                client_id=f"client-{number}",
                clock=CLOCK,
                is_internal=is_internal,
            )
    await people.add(acme, ANA)
    await people.sign_in(browser, acme, ANA)
    assert '<span class="unread">2 new comments</span>' in (await browser.open("/")).text


async def test_the_home_speaks_the_contacts_language(browser: Any, people: Any, acme: Any) -> None:
    await people.add(acme, ANA, locale="de-DE")
    await people.sign_in(browser, acme, ANA)
    page = await browser.open("/", accept_language="en")
    assert "Ihre Rechnungen" in page.text
    assert "238,00 €" in page.text.replace("\xa0", " ")


async def test_what_others_wrote_is_text(browser: Any, people: Any, acme: Any, tenants: Any) -> None:
    other = await add_customer(tenants, acme, "<img src=x>")
    await issue(tenants, acme, other, buyer=build_content().buyer)
    await people.add(acme, ANA)
    await people.add(acme, ANA, customer_id=other)
    async with tenants.database.scope(acme.profile.workspace_id):
        await execute("UPDATE customer SET name = '<script>x</script>'")
    await people.sign_in(browser, acme, ANA)
    page = await browser.open("/")
    assert "Kunde &amp; Söhne &lt;AG&gt;" in page.text
    assert not re.search(r"<script|<AG>|<img src=x", page.text)
