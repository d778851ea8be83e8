"""Issue invoices: the number is given, and what the invoice says is final."""

from __future__ import annotations

import datetime as dt
from typing import Final

import asyncpg
import msgspec

from kernel.clock import Clock, today
from kernel.ids import InvoiceId
from kernel.store import current_workspace, execute, fetch_one, savepoint
from tenants.invoices.actions.pdfs import print_ahead
from tenants.invoices.actions.rows import locked
from tenants.invoices.actions.writing import must_have_lines
from tenants.invoices.content import Content
from tenants.invoices.numbering import DEFAULT_SERIES, Series, check_series, write_number
from tenants.invoices.queries import load_version
from tenants.invoices.snapshot import encode_content, encode_totals
from tenants.invoices.status import InvoiceStatus, step
from tenants.invoices.totals import totals
from tenants.workspaces import queries as workspaces

# The row stays locked until the unit of work ends: whoever comes next waits, and a rollback gives back.
_NEXT: Final = """
INSERT INTO number_series (workspace_id, series, prefix, digits, next_number) VALUES ($1, $2, $3, $4, 2)
ON CONFLICT (workspace_id, series) DO UPDATE SET next_number = number_series.next_number + 1
RETURNING prefix, digits, next_number - 1 AS running
"""
_SET_SERIES: Final = """
INSERT INTO number_series (workspace_id, series, prefix, digits, next_number) VALUES ($1, $2, $3, $4, 1)
ON CONFLICT (workspace_id, series) DO UPDATE SET prefix = excluded.prefix, digits = excluded.digits
"""
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
    other, a rollback gives the number back, and one that an imported invoice has already is passed over.
    Its PDF is printed ahead of need.

    Missing("invoice.not_found"), Conflict("invoice.status"), Invalid (`invoice.no_lines`,
    `series.invalid`).
    """
    draft = await locked(invoice_id)
    step(draft.status, InvoiceStatus.ISSUED)
    wanted = check_series(Series(series, DEFAULT_SERIES.prefix, DEFAULT_SERIES.digits))
    written = (await load_version(invoice_id, draft.version)).content
    content = must_have_lines(await _dated(written, clock))
    computed, now, workspace_id = totals(content), clock.now(), current_workspace()
    sealed = encode_content(content), encode_totals(computed), now
    await execute(_SEAL_VERSION, workspace_id, invoice_id, draft.version, *sealed)
    while True:
        place = await fetch_one(_NEXT, workspace_id, wanted.name, wanted.prefix, wanted.digits)
        number = write_number(place["prefix"], place["digits"], place["running"])
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
        await print_ahead(invoice_id, draft.version)
        return number


async def set_series(series: Series) -> None:
    """Say how the numbers of a series are written from now on; their count goes on. Invalid("series.invalid")."""
    checked = check_series(series)
    await execute(_SET_SERIES, current_workspace(), checked.name, checked.prefix, checked.digits)


async def _dated(content: Content, clock: Clock) -> Content:
    profile = await workspaces.profile()
    issued = content.issue_date or today(clock, profile.time_zone)
    due = content.due_date or issued + dt.timedelta(days=profile.payment_days)
    return msgspec.structs.replace(content, issue_date=issued, due_date=due)
