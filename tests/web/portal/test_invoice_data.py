"""The invoice as data: exact strings, an entity tag, and nothing that is not on the invoice."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import gzip
import hashlib
import types
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from kernel.clock import FixedClock, SystemClock
from kernel.money import Money, find_currency
from tenants.invoices import actions
from tenants.invoices.content import Adjustment, Content, Line, Party, Tax, TaxCategory
from tenants.invoices.status import PaymentState
from tenants.invoices.totals import compute_totals
from tests.fakes.payments import set_paid
from web.http.compression import SMALLEST
from web.portal.invoice_data import FORMAT, encode_invoice, format_amount
from web.portal.sample import _make_opened_invoice, _make_profile

CLOCK = SystemClock()
#: SHA-256 of the document of the sample invoice, for the FORMAT that writes it.
DOCUMENTS = {
    1: "742191ab3c45971c1521df228f4c2adccab853df77e32b99e979849f42dec5d2",
    2: "44a8ec368e4970400c0c77ac905af60f0536cf8797e193676f85b638c093d7fa",
}


def test_amounts_are_plain_decimals_with_the_currencys_digits() -> None:
    assert format_amount(Money(-123450, find_currency("EUR"))) == "-1234.50"
    assert format_amount(Money(1234, find_currency("JPY"))) == "1234"
    assert format_amount(Money(5, find_currency("KWD"))) == "0.005"


async def test_the_data_says_what_the_page_says(visitor: Any, acme: Any) -> None:
    answer = await visitor.ask(f"{acme.path}/invoice.json", acme.host)
    assert answer.headers["content-type"] == "application/json"
    data = answer.json()
    assert (data["number"], data["state"], data["currency"]) == (acme.number, "due", "EUR")
    assert (data["total"], data["paid"], data["amount_due"]) == ("238.00", "0.00", "238.00")
    assert data["totals"]["tax"] == [{"category": "S", "rate": "19", "base": "200.00", "amount": "38.00"}]
    assert [Decimal(line["net"]) for line in data["totals"]["lines"]] == [Decimal("100.00")] * 2
    assert [line["name"] for line in data["content"]["lines"]] == ["Work 1", "Work 2"]
    assert set(data) == {
        "number", "workspace", "customer", "state", "version", "currency", "issue_date", "due_date",
        "total", "paid", "held", "processing", "is_disputed", "amount_due", "totals", "content",
    }  # fmt: skip


async def test_it_is_asked_for_each_time_and_sent_only_when_it_changed(
    visitor: Any, tenants: Any, acme: Any
) -> None:
    path = f"{acme.path}/invoice.json"
    first = await visitor.ask(path, acme.host, accept_encoding="gzip")
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["content-encoding"] == "gzip"
    tag = first.headers["etag"]
    again = await visitor.ask(path, acme.host, accept_encoding="gzip", if_none_match=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert "content-length" not in again.headers
    async with tenants.database.scope(acme.profile.workspace_id):
        await set_paid(acme.invoice_id, Money(100, find_currency("EUR")), clock=SystemClock())
    changed = await visitor.ask(path, acme.host, accept_encoding="gzip", if_none_match=tag)
    assert (changed.status_code, changed.json()["paid"], changed.json()["state"]) == (
        200,
        "1.00",
        "partly_paid",
    )


async def test_one_workspaces_tag_does_not_open_anothers_invoice(
    visitor: Any, tenants: Any, acme: Any
) -> None:
    bolt = await tenants.make(name="Bolt Ltd")
    answer = await visitor.ask(f"{acme.path}/invoice.json", bolt.host, if_none_match="*")
    assert answer.status_code == 404


class CountingDatabase:
    """A database that counts the units of work that are opened: the content of an invoice is read in one."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self.scopes = 0

    def scope(self, *args: Any, **words: Any) -> Any:
        self.scopes += 1
        return self._database.scope(*args, **words)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


async def test_the_document_is_made_once_for_many(make_portal: Any, tenants: Any, acme: Any) -> None:
    database = CountingDatabase(tenants.database)
    visitor = make_portal(over=database).visitor()
    path = f"{acme.path}/invoice.json"
    # The host is resolved, and is no part of what is counted.
    await visitor.ask("/robots.txt", acme.host)
    before = database.scopes
    answers = await asyncio.gather(*(visitor.ask(path, acme.host) for _ in range(8)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert database.scopes == before + 1
    packed = await visitor.ask(path, acme.host, accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == answers[0].content
    assert database.scopes == before + 1


async def test_a_client_that_has_the_document_is_answered_without_loading_the_content(
    make_portal: Any, tenants: Any, acme: Any
) -> None:
    path = f"{acme.path}/invoice.json"
    tag = (await make_portal().visitor().ask(path, acme.host)).headers["etag"]
    # Another process, which has never made the document.
    database = CountingDatabase(tenants.database)
    portal = make_portal(over=database)
    visitor = portal.visitor()
    await visitor.ask("/robots.txt", acme.host)
    before = database.scopes
    for method in ("GET", "HEAD"):
        again = await visitor.ask(path, acme.host, method=method, if_none_match=tag)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert database.scopes == before
    assert portal.dependency("invoice_data")._cache.size == 0
    assert (await visitor.ask(path, acme.host, if_none_match='"other"')).status_code == 200
    assert database.scopes == before + 1


async def test_each_coding_has_a_tag_of_its_own(visitor: Any, acme: Any) -> None:
    path = f"{acme.path}/invoice.json"
    plainly = await visitor.ask(path, acme.host)
    packed = await visitor.ask(path, acme.host, accept_encoding="gzip")
    refused = await visitor.ask(path, acme.host, accept_encoding="br, gzip;q=0")
    assert [answer.headers.get("content-encoding") for answer in (plainly, packed, refused)] == [
        None,
        "gzip",
        None,
    ]
    assert int(packed.headers["content-length"]) < int(plainly.headers["content-length"])
    assert plainly.content == packed.content == refused.content
    tags = [answer.headers["etag"] for answer in (plainly, packed, refused)]
    assert tags[0] == tags[2] != tags[1]
    assert not any(tag.startswith("W/") for tag in tags)
    assert {answer.headers["vary"] for answer in (plainly, packed)} == {"accept-encoding"}
    # Whoever has one of them has the document.
    for tag in tags:
        for accepted in ({}, {"accept_encoding": "gzip"}):
            again = await visitor.ask(path, acme.host, if_none_match=tag, **accepted)
            assert (again.status_code, again.content) == (304, b"")


async def test_the_tag_of_a_short_document_is_the_same_with_and_without_its_body(
    visitor: Any, tenants: Any, acme: Any, content: Any
) -> None:
    """Too short to be worth compressing; but the tag is known before the document, and so is its coding."""
    short = content(1, transfers=(), buyer_reference="", payment_terms="", buyer=Party(name="K"))
    tenant = await tenants.another(acme, short)
    path = f"{tenant.path}/invoice.json"
    for accepted in ({}, {"accept_encoding": "gzip"}):
        first = await visitor.ask(path, tenant.host, **accepted)
        assert len(first.content) < SMALLEST
        again = await visitor.ask(path, tenant.host, if_none_match=first.headers["etag"], **accepted)
        assert (again.status_code, again.headers["etag"]) == (304, first.headers["etag"])


async def pay(tenants: Any, acme: Any) -> None:
    await set_paid(acme.invoice_id, Money(23800, find_currency("EUR")), clock=CLOCK)


async def void(tenants: Any, acme: Any) -> None:
    await actions.void(acme.invoice_id, clock=CLOCK)


async def write_version(tenants: Any, acme: Any) -> None:
    content = Content(
        currency="EUR",
        seller=Party(name="Acme GmbH"),
        buyer=Party(name="Kunde & Söhne <AG>"),
        # The same sums in other words.
        lines=(Line(name="Other work", quantity=Decimal(2), unit_price=Decimal(100), tax=S19),),
    )
    await actions.add_version(acme.invoice_id, content, clock=CLOCK)


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (pay, {"paid": "238.00", "amount_due": "0.00", "state": "paid"}),
        (void, {"state": "void"}),
        (write_version, {"version": 2}),
    ],
)
async def test_the_tag_changes_with_payment_state_and_version(
    visitor: Any,
    tenants: Any,
    acme: Any,
    *,
    change: Callable[[Any, Any], Awaitable[None]],
    changed: dict[str, object],
) -> None:
    path = f"{acme.path}/invoice.json"
    first = await visitor.ask(path, acme.host)
    async with tenants.database.scope(acme.profile.workspace_id):
        await change(tenants, acme)
    second = await visitor.ask(path, acme.host, if_none_match=first.headers["etag"])
    assert (second.status_code, second.headers["etag"] == first.headers["etag"]) == (200, False)
    data = second.json()
    assert {name: data[name] for name in changed} == changed
    assert {name: first.json()[name] for name in changed} != changed


async def test_the_tag_changes_when_the_invoice_becomes_overdue(
    make_portal: Any, tenants: Any, content: Any
) -> None:
    tenant = await tenants.make(content(due_date=dt.date(2090, 6, 1)))
    clock = FixedClock(dt.datetime(2090, 6, 1, 12, tzinfo=dt.UTC))
    visitor = make_portal(clock=clock).visitor()
    path = f"{tenant.path}/invoice.json"
    first = await visitor.ask(path, tenant.host)
    clock.advance(dt.timedelta(days=1))
    second = await visitor.ask(path, tenant.host, if_none_match=first.headers["etag"])
    assert (first.json()["state"], second.status_code, second.json()["state"]) == ("due", 200, "overdue")
    clock.advance(dt.timedelta(days=1))
    third = await visitor.ask(path, tenant.host, if_none_match=second.headers["etag"])
    # One more day changes nothing that the document says.
    assert third.status_code == 304


async def test_two_invoices_of_the_same_words_have_tags_of_their_own(
    visitor: Any, tenants: Any, acme: Any, content: Any
) -> None:
    other = await tenants.another(acme, content())
    tags = {
        (await visitor.ask(f"{tenant.path}/invoice.json", tenant.host)).headers["etag"]
        for tenant in (acme, other)
    }
    assert len(tags) == 2


async def test_a_long_invoice_is_the_same_document_compressed(
    visitor: Any, tenants: Any, acme: Any, content: Any
) -> None:
    long = await tenants.another(acme, content(400))
    path = f"{long.path}/invoice.json"
    plainly = await visitor.ask(path, long.host)
    packed = await visitor.ask(path, long.host, accept_encoding="gzip")
    assert len(plainly.json()["content"]["lines"]) == 400
    assert packed.content == plainly.content
    assert int(packed.headers["content-length"]) == len(gzip.compress(plainly.content, 6, mtime=0))


S19 = Tax(TaxCategory.STANDARD, Decimal(19))


def fill_every_field(of: Any) -> Any:
    """A value of a type with every field filled in: the same each time, and no default left out."""
    origin, args = get_origin(of), get_args(of)
    if origin in {types.UnionType, tuple}:
        inner = fill_every_field(next(each for each in args if each is not type(None)))
        return (inner,) if origin is tuple else inner
    if isinstance(of, type) and issubclass(of, msgspec.Struct):
        hints = get_type_hints(of)
        values = {name: fill_every_field(hints[name]) for name in of.__struct_fields__}
        names = {name: name for name, value in values.items() if value == "text"}
        return of(**(values | names))
    if isinstance(of, type) and issubclass(of, enum.Enum):
        # The last one is nobody's default.
        return list(of)[-1]
    return {str: "text", bool: True, int: 7, Decimal: Decimal("1.50"), dt.date: dt.date(2026, 3, 16)}[of]


def sample_document() -> bytes:
    """The document of one invoice that has everything an invoice can have."""
    charge = Adjustment(is_charge=True, amount=Decimal("9.99"), reason="Freight", tax=S19)
    allowance = Adjustment(is_charge=False, percent=Decimal(10), base=Decimal(100), tax=S19)
    content = Content(
        currency="EUR",
        seller=Party(name="Sample"),
        buyer=Party(name="Sample"),
        lines=(
            Line(name="A", quantity=Decimal("2.5"), unit_price=Decimal("19.99"), tax=S19),
            Line(
                name="B",
                quantity=Decimal(1),
                unit_price=Decimal(100),
                tax=Tax(TaxCategory.STANDARD, Decimal(7)),
            ),
        ),
        adjustments=(charge, allowance),
        prepaid=Decimal(20),
        rounding=Decimal("0.01"),
    )
    computed = compute_totals(content)
    opened = msgspec.structs.replace(
        _make_opened_invoice(), total=computed.payable, paid=Money(1234, find_currency("EUR"))
    )
    return encode_invoice(
        opened, fill_every_field(Content), computed, _make_profile("en-US"), PaymentState.PARTLY_PAID
    )


def test_a_document_of_another_form_has_another_format() -> None:
    """FORMAT is in the entity tag and the document is not: clients would go on using the old form.

    When this fails, raise FORMAT in web/portal/invoice_data.py and record the document here.
    """
    assert hashlib.sha256(sample_document()).hexdigest() == DOCUMENTS[FORMAT]


def test_the_sample_leaves_nothing_out() -> None:
    data = msgspec.json.decode(sample_document())
    assert set(data["content"]) == set(Content.__struct_fields__)
    assert set(data["content"]["lines"][0]) == set(Line.__struct_fields__)
    assert len(data["totals"]["tax"]) == 2
    assert all(value not in {None, "", "0.00"} for value in data["totals"].values() if isinstance(value, str))
