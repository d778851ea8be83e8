"""Ask for the PDF of a version: ahead of need when it is issued, and on demand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Final

from kernel.errors import Unavailable
from kernel.ids import InvoiceId
from kernel.jobs import enqueue
from kernel.jobs.load import queue_load
from kernel.jobs.status import describe_job, expedite, find_by_key
from kernel.store import current_workspace, fetch, fetch_value
from tenants.invoices.jobs import PDF_BULK_QUEUE, PDF_QUEUE, RenderVersion
from tenants.invoices.pdfs import Pdf, kept_pdf
from tenants.invoices.queries import no_invoice

if TYPE_CHECKING:
    from uuid import UUID

# The customer's language, else the workspace's, and those of the contacts who have a link.
_LOCALES: Final = """
SELECT locale FROM (
    SELECT coalesce(c.locale, w.locale) AS locale
    FROM invoice i
    JOIN customer c ON c.workspace_id = i.workspace_id AND c.customer_id = i.customer_id
    JOIN workspace w ON w.workspace_id = i.workspace_id
    WHERE i.workspace_id = $1 AND i.invoice_id = $2
    UNION
    SELECT k.locale
    FROM link l JOIN contact k ON k.workspace_id = l.workspace_id AND k.contact_id = l.contact_id
    WHERE l.workspace_id = $1 AND l.invoice_id = $2 AND l.revoked_at IS NULL AND k.locale IS NOT NULL
) read_in
WHERE NOT EXISTS (
    SELECT FROM invoice_pdf p
    WHERE p.workspace_id = $1 AND p.invoice_id = $2 AND p.version = $3 AND p.locale = read_in.locale AND p.pinned
)
"""
_IS_ISSUED: Final = """
SELECT EXISTS (SELECT FROM invoice_version
               WHERE workspace_id = $1 AND invoice_id = $2 AND version = $3 AND issued_at IS NOT NULL)
"""
# A PDF that could not be made is tried again after this time.
_RETRY_DEAD_AFTER: Final = timedelta(minutes=15)
# After an outage the next attempt may be an hour away.
_EXPEDITE_WITHIN: Final = timedelta(seconds=10)
#: Whoever would wait for longer, in seconds, is asked to come back.
LONGEST_S: Final = 60
# While nobody prints, a new look is worth it after so long.
_UNKNOWN_S: Final = 20


@dataclass(frozen=True, slots=True)
class Expected:
    """A PDF that will be there in about `after_s` whole seconds.

    `is_failing`: the last attempt at it failed, or nobody can print at the moment.
    """

    after_s: int
    is_failing: bool = False


async def request_pdf(
    invoice_id: InvoiceId, version: int, locale: str, *, is_lost: bool = False
) -> Pdf | Expected:
    """Return the pinned PDF of an issued version in a language, else have it printed before what nobody waits for.

    Who asks for what is being made already waits for the same print. `is_lost`: print it although there is one,
    because its blob has gone. Missing("invoice.not_found"); Unavailable, both with `retry_after_s`: "pdf.busy" when
    a minute would not do for those who wait already, "pdf.failed" when it was tried in vain too often lately.
    """
    kept = await kept_pdf(invoice_id, version, locale)
    if kept is not None and not is_lost:
        return kept
    job = RenderVersion(invoice_id=invoice_id, version=version, locale=locale)
    if not await fetch_value(_IS_ISSUED, current_workspace(), invoice_id, version):
        raise no_invoice()
    jobs = await find_by_key(job)
    is_under_way = jobs.live is not None and (jobs.live.queue == PDF_QUEUE or jobs.live.is_running)
    if not is_under_way and jobs.dead_for is not None and jobs.dead_for < _RETRY_DEAD_AFTER:
        message = "The PDF could not be made, however often it was tried."
        retry_after_s = _whole_seconds(_RETRY_DEAD_AFTER - jobs.dead_for)
        raise Unavailable("pdf.failed", message, retry_after_s=retry_after_s)
    load = await queue_load(PDF_QUEUE, job.kind)
    if load.wait_s is not None and load.wait_s > LONGEST_S and not is_under_way:
        message = "Too many PDFs are waited for at the moment."
        raise Unavailable("pdf.busy", message, retry_after_s=load.wait_s)
    added = await enqueue(job)
    return await _expected(added.job_id, load.wait_s)


async def print_ahead(invoice_id: InvoiceId, version: int) -> None:
    """Have an issued version printed before anybody asks for it, in every language that a link of it is read in."""
    for row in await fetch(_LOCALES, current_workspace(), invoice_id, version):
        job = RenderVersion(invoice_id=invoice_id, version=version, locale=row["locale"])
        await enqueue(job, queue=PDF_BULK_QUEUE)


async def _expected(job_id: UUID, wait_s: int | None) -> Expected:
    found = await describe_job(job_id)
    if wait_s is None:
        return Expected(max(_UNKNOWN_S, _whole_seconds(found.due_in)), is_failing=True)
    if found.is_retry:
        # Others print well: it is worth another try while somebody waits for it.
        await expedite(job_id, within=_EXPEDITE_WITHIN)
        found = await describe_job(job_id)
    return Expected(_whole_seconds(found.due_in) + wait_s, found.is_retry)


def _whole_seconds(duration: timedelta) -> int:
    return ceil(duration.total_seconds())
