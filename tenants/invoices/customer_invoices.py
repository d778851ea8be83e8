"""Reads of the invoices of customers, for their own home: lists and what is to be paid, never a draft."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from kernel.money import Money, find_currency
from kernel.store import current_workspace, fetch
from tenants.ids import CustomerId, InvoiceId
from tenants.invoices.queries import load_invoice, missing_invoice, read_summary
from tenants.invoices.values import InvoiceSummary, OpenAmounts

_NO_INVOICE: Final = UUID(int=0)
# The newest of each customer, by an index that begins with the customer, and of these the newest.
_SELECT_OF_CUSTOMERS: Final = """
SELECT i.* FROM unnest($2::uuid[]) owner (customer_id)
CROSS JOIN LATERAL (
    SELECT invoice_id, customer_id, buyer_name, number, status, currency, total_minor, paid_minor, held_minor,
           processing_minor, is_disputed, issue_date, due_date, version, created_at
    FROM invoice
    WHERE workspace_id = $1 AND customer_id = owner.customer_id AND status <> 'draft'
      AND (created_at, invoice_id) < (coalesce($3, 'infinity'::timestamptz), $4::uuid)
      AND (status = 'issued' AND total_minor > paid_minor) = $5
      AND (strpos(lower(number), lower($6)) > 0 OR strpos(lower(buyer_name), lower($6)) > 0)
    ORDER BY created_at DESC, invoice_id DESC LIMIT $7
) i
ORDER BY i.created_at DESC, i.invoice_id DESC LIMIT $7
"""
_SUM_OPEN: Final = """
SELECT currency, count(*) AS invoices, sum(total_minor - paid_minor)::bigint AS due_minor,
       coalesce(sum(total_minor - paid_minor) FILTER (WHERE due_date < $3), 0)::bigint AS overdue_minor
FROM invoice
WHERE workspace_id = $1 AND customer_id = ANY ($2::uuid[]) AND status = 'issued' AND total_minor > paid_minor
GROUP BY currency ORDER BY currency
"""


async def list_customer_invoices(
    customer_ids: Sequence[CustomerId],
    *,
    is_open: bool,
    text: str = "",
    limit: int = 50,
    after: InvoiceId | None = None,
) -> tuple[InvoiceSummary, ...]:
    """Return invoices of customers, newest first, from the one after `after`; never a draft.

    `is_open` selects those of which something is to be paid, else all others. `text` is a part of the number or of
    the customer's name. Missing("invoice.not_found") if `after` is none of these customers' invoices.
    """
    last = None if after is None else await load_invoice(after)
    if last is not None and last.customer_id not in customer_ids:
        raise missing_invoice()
    rows = await fetch(
        _SELECT_OF_CUSTOMERS,
        current_workspace(),
        list(customer_ids),
        last and last.created_at,
        last.invoice_id if last else _NO_INVOICE,
        is_open,
        text,
        limit,
    )
    return tuple(read_summary(row) for row in rows)


async def sum_open_invoices(customer_ids: Sequence[CustomerId], today: dt.date) -> tuple[OpenAmounts, ...]:
    """Return what customers have to pay in each currency, by its code; `today` is the workspace's date."""
    return tuple(
        OpenAmounts(
            invoices=row["invoices"],
            due=Money(row["due_minor"], find_currency(row["currency"])),
            overdue=Money(row["overdue_minor"], find_currency(row["currency"])),
        )
        for row in await fetch(_SUM_OPEN, current_workspace(), list(customer_ids), today)
    )
