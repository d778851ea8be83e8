"""Issue invoices: assign the number and make the content final; set the series of numbers."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import asyncpg
import msgspec
from piccolo.columns import Column

from kernel.clock import Clock, today
from kernel.errors import Conflict, Unavailable
from kernel.store import current_workspace, fetch_one, fetch_value, savepoint
from kernel.store.errors import CONTENDED
from tenants.activity.actions import emit
from tenants.activity.events import find_changes
from tenants.ids import InvoiceId
from tenants.invoices.actions.pdfs import enqueue_prerenders
from tenants.invoices.actions.rows import lock_invoice, update_invoice, update_version
from tenants.invoices.actions.writing import require_lines
from tenants.invoices.content import Content, Transfer
from tenants.invoices.encoding import encode_content, encode_totals
from tenants.invoices.events import InvoiceIssued, SeriesChanged
from tenants.invoices.numbering import DEFAULT_SERIES, Series, check_sequence, check_series, write_number
from tenants.invoices.queries import load_version
from tenants.invoices.status import InvoiceStatus, check_transition
from tenants.invoices.tables import Invoice, InvoiceVersion, NumberSeries
from tenants.invoices.totals import compute_totals
from tenants.workspaces import queries as workspaces

# The row stays locked until the unit of work ends: the next issue waits, and a rollback frees the number.
_RESERVE_NUMBER: Final = """
INSERT INTO number_series AS s (workspace_id, series, prefix, digits, next_number) VALUES ($1, $2, $3, $4, 2)
ON CONFLICT (workspace_id, series)
DO UPDATE SET next_number = first_free_number(s.workspace_id, s.prefix, s.digits, s.next_number) + 1
RETURNING prefix, digits, next_number - 1 AS sequence
"""
# A number that is free can be taken by an import, or by another series of the same prefix, that commits first.
_MAX_NUMBER_ATTEMPTS: Final = 10
_ADD_SERIES: Final = """
INSERT INTO number_series (workspace_id, series, prefix, digits, next_number) VALUES ($1, $2, $3, $4, 1)
ON CONFLICT (workspace_id, series) DO NOTHING RETURNING true
"""
# The numbers of the series from $4 on, and the number $5, also of an import or another series.
_FIND_USED_NUMBER: Final = """
SELECT number FROM invoice
WHERE workspace_id = $1
  AND (number = $5
       OR series = $2 AND starts_with(number, $3)
          AND CASE WHEN substr(number, length($3) + 1) ~ '^[0-9]{1,18}$'
                   THEN substr(number, length($3) + 1)::bigint >= $4 ELSE false END)
ORDER BY length(number) DESC, number DESC LIMIT 1
"""


async def issue(invoice_id: InvoiceId, *, series: str = DEFAULT_SERIES.name, clock: Clock) -> str:
    """Issue a draft and return its number, the next of the series; its content is final.

    Without an issue date it is today's in the workspace's time zone; without a due date it is due as many
    days later as the workspace's terms say. One that names no account to transfer to names the workspace's.
    Numbers have no gaps: concurrent issues of a series wait for each other, a rollback frees the number, and a
    number that an imported invoice has is skipped.
    Its PDFs are prerendered.

    Missing("invoice.not_found"), Conflict("invoice.status"), Invalid (`invoice.no_lines`,
    `series.invalid`), Unavailable("store.contended") if concurrent imports took every number that was tried.
    """
    draft = await lock_invoice(invoice_id)
    check_transition(draft.status, InvoiceStatus.ISSUED)
    wanted = check_series(Series(series, DEFAULT_SERIES.prefix, DEFAULT_SERIES.digits))
    draft_content = (await load_version(invoice_id, draft.version)).content
    content = require_lines(await _fill_account(await _fill_dates(draft_content, clock)))
    computed, now = compute_totals(content), clock.now()
    await update_version(
        invoice_id,
        draft.version,
        {
            InvoiceVersion.content: encode_content(content),
            InvoiceVersion.totals: encode_totals(computed),
            InvoiceVersion.issued_at: now,
        },
    )
    values: dict[Column | str, Any] = {
        Invoice.status: InvoiceStatus.ISSUED.value,
        Invoice.series: wanted.name,
        Invoice.total_minor: computed.payable.minor,
        Invoice.buyer_name: content.buyer.name,
        Invoice.issue_date: content.issue_date,
        Invoice.due_date: content.due_date,
        Invoice.issued_at: now,
        Invoice.changed_at: now,
    }
    number = await _assign_number(invoice_id, wanted, values)
    await enqueue_prerenders(invoice_id, draft.version)
    await emit(
        InvoiceIssued(
            invoice_id=invoice_id,
            customer_id=draft.customer_id,
            number=number,
            series=wanted.name,
            version=draft.version,
            currency=content.currency,
            total_minor=computed.payable.minor,
            issue_date=content.issue_date,
            due_date=content.due_date,
        )
    )
    return number


async def _assign_number(invoice_id: InvoiceId, series: Series, values: dict[Column | str, Any]) -> str:
    """Update the invoice with `values` and the next free number of the series, and return that."""
    for _ in range(_MAX_NUMBER_ATTEMPTS):
        reserved = await fetch_one(
            _RESERVE_NUMBER, current_workspace(), series.name, series.prefix, series.digits
        )
        number = write_number(reserved["prefix"], reserved["digits"], reserved["sequence"])
        try:
            async with savepoint():
                await update_invoice(invoice_id, {**values, Invoice.number: number})
        except asyncpg.UniqueViolationError:
            continue
        return number
    raise Unavailable(CONTENDED, "Other invoices took the numbers that were free; try again.")


async def set_series(series: Series, *, next_sequence: int | None = None) -> None:
    """Set how the numbers of a series are written and which sequence number is next; None leaves that as it is.

    Invalid("series.invalid" | "series.next"); Conflict("series.number_used") if an invoice has that number, or the
    series has issued a later one.
    """
    checked, workspace_id = check_series(series), current_workspace()
    is_new = await fetch_value(_ADD_SERIES, workspace_id, checked.name, checked.prefix, checked.digits)
    is_series = (NumberSeries.workspace_id == workspace_id) & (NumberSeries.series == checked.name)
    row = await NumberSeries.objects().where(is_series).lock_rows("UPDATE").first()
    before = {} if is_new or row is None else row.to_dict()
    after: dict[Any, Any] = {"prefix": checked.prefix, "digits": checked.digits}
    if next_sequence is not None:
        await _require_unused(checked, check_sequence(next_sequence))
        after["next_number"] = next_sequence
    changed = find_changes(before, after)
    if changed:
        await NumberSeries.update(after).where(is_series)
        await emit(SeriesChanged(series=checked.name, changes=changed))


async def _require_unused(series: Series, sequence: int) -> None:
    number = write_number(series.prefix, series.digits, sequence)
    used = await fetch_value(
        _FIND_USED_NUMBER, current_workspace(), series.name, series.prefix, sequence, number
    )
    if used is not None:
        message = f"The next number cannot be {number}: {used} is in use."
        raise Conflict("series.number_used", message, number=number, used=used)


async def _fill_dates(content: Content, clock: Clock) -> Content:
    profile = await workspaces.load_profile()
    issue_date = content.issue_date or today(clock, profile.time_zone)
    due_date = content.due_date or issue_date + dt.timedelta(days=profile.payment_days)
    return msgspec.structs.replace(content, issue_date=issue_date, due_date=due_date)


async def _fill_account(content: Content) -> Content:
    bank = (await workspaces.load_payment_settings()).bank
    if content.transfers or not bank.account:
        return content
    account = Transfer(account=bank.account, holder=bank.holder, bic=bank.bic, bank=bank.bank)
    return msgspec.structs.replace(content, transfers=(account,))
