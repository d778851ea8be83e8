"""Issue invoices: the number is given, and what the invoice says is final."""

from __future__ import annotations

import datetime as dt
from typing import Final

import asyncpg
import msgspec

from kernel.clock import Clock, today
from kernel.errors import Conflict, Unavailable
from kernel.store import current_workspace, execute, fetch_one, fetch_value, savepoint
from kernel.store.faults import CONTENDED
from tenants.ids import InvoiceId
from tenants.invoices.actions.pdfs import render_ahead
from tenants.invoices.actions.rows import locked
from tenants.invoices.actions.writing import must_have_lines
from tenants.invoices.content import Content
from tenants.invoices.numbering import DEFAULT_SERIES, Series, check_running, check_series, write_number
from tenants.invoices.queries import load_version
from tenants.invoices.snapshot import encode_content, encode_totals
from tenants.invoices.status import InvoiceStatus, step
from tenants.invoices.totals import totals
from tenants.workspaces import queries as workspaces

# The row stays locked until the unit of work ends: the next issue waits, and a rollback returns the number.
_TAKE_NUMBER: Final = """
INSERT INTO number_series AS s (workspace_id, series, prefix, digits, next_number) VALUES ($1, $2, $3, $4, 2)
ON CONFLICT (workspace_id, series)
DO UPDATE SET next_number = first_free_number(s.workspace_id, s.prefix, s.digits, s.next_number) + 1
RETURNING prefix, digits, next_number - 1 AS running
"""
# A number that is free can be taken by an import, or by another series of the same prefix, that commits first.
_ATTEMPTS: Final = 10
_SET_SERIES: Final = """
INSERT INTO number_series (workspace_id, series, prefix, digits, next_number) VALUES ($1, $2, $3, $4, 1)
ON CONFLICT (workspace_id, series) DO UPDATE SET prefix = excluded.prefix, digits = excluded.digits
"""
# The series' own numbers from $4 on, and the very number $5 wherever it came from.
_USED: Final = """
SELECT number FROM invoice
WHERE workspace_id = $1
  AND (number = $5
       OR series = $2 AND starts_with(number, $3)
          AND CASE WHEN substr(number, length($3) + 1) ~ '^[0-9]{1,18}$'
                   THEN substr(number, length($3) + 1)::bigint >= $4 ELSE false END)
ORDER BY length(number) DESC, number DESC LIMIT 1
"""
_SET_NEXT: Final = "UPDATE number_series SET next_number = $3 WHERE workspace_id = $1 AND series = $2"
_SEAL_VERSION: Final = """
UPDATE invoice_version SET content = $4, totals = $5, issued_at = $6
WHERE workspace_id = $1 AND invoice_id = $2 AND version = $3
"""
_ISSUE: Final = """
UPDATE invoice SET status = 'issued', number = $3, series = $4, total_minor = $5, buyer_name = $6,
                   issue_date = $7, due_date = $8, issued_at = $9, changed_at = $9
WHERE workspace_id = $1 AND invoice_id = $2
"""


async def issue(invoice_id: InvoiceId, *, series: str = DEFAULT_SERIES.name, clock: Clock) -> str:
    """Issue a draft and return its number, the next of the series; what it says is final.

    Without an issue date it is today's in the workspace's time zone; without a due date it is due as many
    days later as the workspace says. Numbers have no gaps: concurrent issues of a series wait for each
    other, a rollback returns the number, and a number that an imported invoice has is passed over.
    Its PDF is rendered ahead of any request.

    Missing("invoice.not_found"), Conflict("invoice.status"), Invalid (`invoice.no_lines`,
    `series.invalid`), Unavailable("store.contended") where imports took every number that was tried.
    """
    draft = await locked(invoice_id)
    step(draft.status, InvoiceStatus.ISSUED)
    wanted = check_series(Series(series, DEFAULT_SERIES.prefix, DEFAULT_SERIES.digits))
    written = (await load_version(invoice_id, draft.version)).content
    content = must_have_lines(await _dated(written, clock))
    computed, now, workspace_id = totals(content), clock.now(), current_workspace()
    sealed = encode_content(content), encode_totals(computed), now
    await execute(_SEAL_VERSION, workspace_id, invoice_id, draft.version, *sealed)
    for _ in range(_ATTEMPTS):
        taken = await fetch_one(_TAKE_NUMBER, workspace_id, wanted.name, wanted.prefix, wanted.digits)
        number = write_number(taken["prefix"], taken["digits"], taken["running"])
        try:
            async with savepoint():
                await execute(
                    _ISSUE,
                    workspace_id,
                    invoice_id,
                    number,
                    wanted.name,
                    computed.payable.minor,
                    content.buyer.name,
                    content.issue_date,
                    content.due_date,
                    now,
                )
        except asyncpg.UniqueViolationError:
            continue
        await render_ahead(invoice_id, draft.version)
        return number
    raise Unavailable(CONTENDED, "Other invoices took the numbers that were free; try again.")


async def set_series(series: Series, *, next_running: int | None = None) -> None:
    """Set how the numbers of a series are written, and which running number is next; without it the count goes on.

    Invalid("series.invalid" | "series.next"); Conflict("series.number_used") if an invoice has that number, or the
    series has issued a later one.
    """
    checked, workspace_id = check_series(series), current_workspace()
    await execute(_SET_SERIES, workspace_id, checked.name, checked.prefix, checked.digits)
    if next_running is None:
        return
    number = write_number(checked.prefix, checked.digits, check_running(next_running))
    used = await fetch_value(_USED, workspace_id, checked.name, checked.prefix, next_running, number)
    if used is not None:
        message = f"The next number cannot be {number}: {used} is in use."
        raise Conflict("series.number_used", message, number=number, used=used)
    await execute(_SET_NEXT, workspace_id, checked.name, next_running)


async def _dated(content: Content, clock: Clock) -> Content:
    profile = await workspaces.profile()
    issued = content.issue_date or today(clock, profile.time_zone)
    due = content.due_date or issued + dt.timedelta(days=profile.payment_days)
    return msgspec.structs.replace(content, issue_date=issued, due_date=due)
