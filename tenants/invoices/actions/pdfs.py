"""Ask for the PDF of a version: ahead of need when it is issued, and on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kernel.ids import InvoiceId
from kernel.jobs import enqueue
from kernel.store import current_workspace, fetch_one, fetch_value
from tenants.invoices.jobs import PDF_BULK_QUEUE, RenderVersion
from tenants.invoices.pdfs import Pdf, kept_pdf
from tenants.invoices.queries import no_invoice

_LOCALE: Final = """
SELECT coalesce(c.locale, w.locale)
FROM invoice i
JOIN customer c ON c.workspace_id = i.workspace_id AND c.customer_id = i.customer_id
JOIN workspace w ON w.workspace_id = i.workspace_id
WHERE i.workspace_id = $1 AND i.invoice_id = $2
"""
_IS_ISSUED: Final = """
SELECT true FROM invoice_version
WHERE workspace_id = $1 AND invoice_id = $2 AND version = $3 AND issued_at IS NOT NULL
"""
_PAUSE: Final = """
SELECT greatest(0, ceil(extract(epoch FROM run_at - now())))::integer AS pause_s,
       attempts > 0 AND state = 'queued' AS failed
FROM job WHERE workspace_id = $1 AND job_id = $2
"""
_USUAL_S: Final = 1


@dataclass(frozen=True, slots=True)
class Expected:
    """A PDF that will be there in about `after_s` whole seconds; `is_failing`: the last attempt at it failed."""

    after_s: int
    is_failing: bool = False


async def request_pdf(
    invoice_id: InvoiceId, version: int, locale: str, *, is_lost: bool = False
) -> Pdf | Expected:
    """Return the pinned PDF of an issued version in a language, else have it printed before what nobody waits for.

    Who asks for what is being made already waits for the same print. `is_lost`: print it although there is one,
    because its blob has gone. Missing("invoice.not_found"); Unavailable("pdf.busy") with `retry_after_s` when too
    many wait already.
    """
    kept = await kept_pdf(invoice_id, version, locale)
    if kept is not None and not is_lost:
        return kept
    if not await fetch_value(_IS_ISSUED, current_workspace(), invoice_id, version):
        raise no_invoice()
    job = RenderVersion(invoice_id=invoice_id, version=version, locale=locale)
    added = await enqueue(job)
    row = await fetch_one(_PAUSE, current_workspace(), added.job_id)
    return Expected(row["pause_s"] + _USUAL_S, row["failed"])


async def print_ahead(invoice_id: InvoiceId, version: int) -> None:
    """Have a version printed in the customer's language, else the workspace's, before anybody asks for it."""
    locale = await fetch_value(_LOCALE, current_workspace(), invoice_id)
    await enqueue(RenderVersion(invoice_id=invoice_id, version=version, locale=locale), queue=PDF_BULK_QUEUE)
