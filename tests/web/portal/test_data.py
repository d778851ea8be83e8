"""The invoice as data: exact strings, an entity tag, and nothing that is not on the invoice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kernel.clock import SystemClock
from kernel.money import Money, currency
from tenants.invoices import actions
from web.portal.data import plain


def test_amounts_are_plain_decimals_with_the_currencys_digits() -> None:
    assert plain(Money(-123450, currency("EUR"))) == "-1234.50"
    assert plain(Money(1234, currency("JPY"))) == "1234"
    assert plain(Money(5, currency("KWD"))) == "0.005"


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
        "total", "paid", "amount_due", "totals", "content",
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
        await actions.set_paid(acme.invoice_id, Money(100, currency("EUR")), clock=SystemClock())
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
