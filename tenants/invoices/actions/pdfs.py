"""Ask for the PDF of a version: ahead of need when it is issued, and on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kernel.errors import Unavailable
from kernel.ids import InvoiceId
from kernel.jobs import enqueue
from kernel.jobs.load import queue_load
from kernel.store import current_workspace, execute, fetch, fetch_one
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
# What is known of an issued version's print: whether one is under way for somebody, or was given up lately.
_KNOWN: Final = """
SELECT EXISTS (SELECT FROM job
               WHERE workspace_id = $1 AND kind = $4 AND dedupe_key = $5 AND state IN ('queued', 'running')
                 AND (queue = $6 OR state = 'running')) AS under_way,
       (SELECT ceil(extract(epoch FROM max(ended_at) + interval '15 minutes' - now()))::integer FROM job
        WHERE workspace_id = $1 AND kind = $4 AND dedupe_key = $5 AND state = 'dead') AS given_up_s
FROM invoice_version
WHERE workspace_id = $1 AND invoice_id = $2 AND version = $3 AND issued_at IS NOT NULL
"""
_NEXT: Final = """
SELECT greatest(0, ceil(extract(epoch FROM run_at - now())))::integer AS pause_s,
       attempts > 0 AND state = 'queued' AS failed
FROM job WHERE workspace_id = $1 AND job_id = $2
"""
# After an outage the next attempt may be an hour away.
_HURRY: Final = """
UPDATE job SET run_at = now() + interval '10 seconds'
WHERE workspace_id = $1 AND job_id = $2 AND state = 'queued' AND run_at > now() + interval '10 seconds'
"""
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
    known = await fetch_one(
        _KNOWN, current_workspace(), invoice_id, version, job.kind, job.dedupe_key(), PDF_QUEUE
    )
    if known is None:
        raise no_invoice()
    if known["given_up_s"] is not None and known["given_up_s"] > 0 and not known["under_way"]:
        message = "The PDF could not be made, however often it was tried."
        raise Unavailable("pdf.failed", message, retry_after_s=known["given_up_s"])
    load = await queue_load(PDF_QUEUE, job.kind)
    if load.wait_s is not None and load.wait_s > LONGEST_S and not known["under_way"]:
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
    workspace_id = current_workspace()
    found = await fetch_one(_NEXT, workspace_id, job_id)
    if wait_s is None:
        return Expected(max(_UNKNOWN_S, found["pause_s"]), is_failing=True)
    if found["failed"]:
        # Others print well: it is worth another try while somebody waits for it.
        await execute(_HURRY, workspace_id, job_id)
        found = await fetch_one(_NEXT, workspace_id, job_id)
    return Expected(found["pause_s"] + wait_s, found["failed"])
