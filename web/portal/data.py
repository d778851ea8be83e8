"""The invoice as data: the same facts as the page, as JSON with decimal strings."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from tenants.invoices.status import amount_due
from web.portal.summary import state_of

if TYPE_CHECKING:
    import datetime as dt

    from kernel.money import Money
    from tenants.invoices.content import Content
    from tenants.invoices.totals import Totals
    from tenants.invoices.values import OpenedInvoice
    from tenants.workspaces.profile import WorkspaceProfile


def invoice_json(
    opened: OpenedInvoice, content: Content, totals: Totals, profile: WorkspaceProfile, today: dt.date
) -> bytes:
    """Return the invoice as a JSON document; amounts are decimal strings in major units of `currency`."""
    document: dict[str, Any] = {
        "number": opened.number,
        "workspace": profile.name,
        "customer": opened.customer_name,
        "state": state_of(opened, today).value,
        "version": opened.version,
        "currency": opened.total.currency.code,
        "issue_date": opened.issue_date,
        "due_date": opened.due_date,
        "total": plain(opened.total),
        "paid": plain(opened.paid),
        "amount_due": plain(amount_due(opened.total, opened.paid)),
        "totals": _totals(totals),
        "content": content,
    }
    return msgspec.json.encode(document)


def etag(body: bytes) -> str:
    """Return a strong entity tag of these bytes (RFC 9110, 8.8.3)."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def plain(money: Money) -> str:
    """Return an amount with all digits of its currency and no grouping: "-1234.50"."""
    return f"{money.amount:.{money.currency.digits}f}"


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        "lines": [{"gross": plain(line.gross), "net": plain(line.net)} for line in totals.lines],
        "line_total": plain(totals.line_total),
        "allowance_total": plain(totals.allowance_total),
        "charge_total": plain(totals.charge_total),
        "tax_exclusive": plain(totals.tax_exclusive),
        "tax": [
            {
                "category": subtotal.tax.category,
                "rate": subtotal.tax.rate,
                "base": plain(subtotal.base),
                "amount": plain(subtotal.amount),
            }
            for subtotal in totals.subtotals
        ],
        "tax_total": plain(totals.tax_total),
        "tax_inclusive": plain(totals.tax_inclusive),
        "prepaid": plain(totals.prepaid),
        "rounding": plain(totals.rounding),
        "payable": plain(totals.payable),
    }
