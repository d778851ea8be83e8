"""Enqueue renders of PDFs, when a version is issued and when a client requests one, and store the PDFs."""

from __future__ import annotations

import datetime as dt
import hashlib
from math import ceil
from typing import TYPE_CHECKING, Final

from kernel.errors import Unavailable
from kernel.jobs import enqueue
from kernel.jobs.load import measure_load
from kernel.jobs.status import describe_job, expedite, find_by_key
from kernel.store import current_workspace, fetch, fetch_value
from tenants.ids import InvoiceId
from tenants.invoices.jobs import PDF_BULK_QUEUE, PDF_QUEUE, RenderPdf
from tenants.invoices.queries import find_pdf, missing_invoice
from tenants.invoices.stream import append_pdf_ready
from tenants.invoices.tables import InvoiceVersion
from tenants.invoices.values import Pdf, PendingPdf

if TYPE_CHECKING:
    from uuid import UUID

_INSERT_PDF: Final = """
INSERT INTO invoice_pdf (workspace_id, invoice_id, version, locale, fingerprint, sha256, bytes, pinned, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING RETURNING true
"""
# The customer's locale, else the workspace's, and those of the contacts who have a link.
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
) recipient
WHERE NOT EXISTS (
    SELECT FROM invoice_pdf p
    WHERE p.workspace_id = $1 AND p.invoice_id = $2 AND p.version = $3 AND p.locale = recipient.locale AND p.pinned
)
"""
# After this time a request enqueues a new job for a PDF whose attempts all failed.
_RETRY_DEAD_AFTER: Final = dt.timedelta(minutes=15)
# After an outage the next attempt may be an hour away: a request brings it forward to within this time.
_EXPEDITE_WITHIN: Final = dt.timedelta(seconds=10)
#: In seconds; a request that would wait for longer is refused.
MAX_WAIT_S: Final = 60
# When to try again while no worker can render.
_RETRY_WITHOUT_WORKER_S: Final = 20
#: The code of a PDF whose last attempt failed, or that no worker can render at the moment.
PDF_UNAVAILABLE: Final = "pdf.unavailable"


async def request_pdf(
    invoice_id: InvoiceId, version: int, locale: str, *, is_lost: bool = False
) -> Pdf | PendingPdf:
    """Return the pinned PDF of an issued version in a locale, else enqueue a render, before all prerenders.

    Requests for the same PDF share one job. `is_lost`: render it although it is stored, because its blob is gone.
    Missing("invoice.not_found"); Unavailable, both with `retry_after_s`: "pdf.busy" when the queue would take
    more than a minute, "pdf.failed" when all attempts failed less than 15 minutes ago.
    """
    stored = await find_pdf(invoice_id, version, locale)
    if stored is not None and not is_lost:
        return stored
    job = RenderPdf(invoice_id=invoice_id, version=version, locale=locale)
    if not await InvoiceVersion.exists().where(
        InvoiceVersion.workspace_id == current_workspace(),
        InvoiceVersion.invoice_id == invoice_id,
        InvoiceVersion.version == version,
        InvoiceVersion.issued_at.is_not_null(),
    ):
        raise missing_invoice()
    jobs = await find_by_key(job)
    is_in_progress = jobs.live is not None and (jobs.live.queue == PDF_QUEUE or jobs.live.is_running)
    if not is_in_progress and jobs.dead_for is not None and jobs.dead_for < _RETRY_DEAD_AFTER:
        message = "The PDF could not be rendered: all attempts failed."
        retry_after_s = _whole_seconds(_RETRY_DEAD_AFTER - jobs.dead_for)
        raise Unavailable("pdf.failed", message, retry_after_s=retry_after_s)
    load = await measure_load(PDF_QUEUE, job.kind)
    if load.wait_s is not None and load.wait_s > MAX_WAIT_S and not is_in_progress:
        message = "Too many PDFs wait to be rendered at the moment."
        raise Unavailable("pdf.busy", message, retry_after_s=load.wait_s)
    added = await enqueue(job)
    return await _estimate_wait(added.job_id, load.wait_s)


async def enqueue_prerenders(invoice_id: InvoiceId, version: int) -> None:
    """Enqueue the renders of an issued version, one for each locale of its recipients, before a client requests one."""
    for row in await fetch(_LOCALES, current_workspace(), invoice_id, version):
        job = RenderPdf(invoice_id=invoice_id, version=version, locale=row["locale"])
        await enqueue(job, queue=PDF_BULK_QUEUE)


async def store_pdf(
    invoice_id: InvoiceId,
    version: int,
    locale: str,
    fingerprint: bytes,
    data: bytes,
    *,
    is_pinned: bool,
    created_at: dt.datetime,
    was_lost: bool = False,
) -> Pdf:
    """Store the row of a PDF whose blob is stored already; returns the PDF that is valid: the first to be pinned.

    `was_lost`: there is a row, and its blob, which was gone, has been stored again: readers may be waiting for it.
    Missing("invoice.not_found") when the version was deleted meanwhile.
    """
    is_new = await fetch_value(
        _INSERT_PDF,
        current_workspace(),
        invoice_id,
        version,
        locale,
        fingerprint,
        hashlib.sha256(data).hexdigest(),
        len(data),
        is_pinned,
        created_at,
    )
    stored = await find_pdf(invoice_id, version, locale, fingerprint)
    if stored is None:
        raise missing_invoice()
    if is_new or was_lost:
        await append_pdf_ready(invoice_id, version, locale)
    return stored


async def _estimate_wait(job_id: UUID, wait_s: int | None) -> PendingPdf:
    found = await describe_job(job_id)
    if wait_s is None:
        return PendingPdf(max(_RETRY_WITHOUT_WORKER_S, _whole_seconds(found.due_in)), PDF_UNAVAILABLE)
    if found.is_retry:
        # A worker can render: try again soon, because a client waits.
        await expedite(job_id, within=_EXPEDITE_WITHIN)
        found = await describe_job(job_id)
    return PendingPdf(_whole_seconds(found.due_in) + wait_s, PDF_UNAVAILABLE if found.is_retry else "")


def _whole_seconds(duration: dt.timedelta) -> int:
    return ceil(duration.total_seconds())
