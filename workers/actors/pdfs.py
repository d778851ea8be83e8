"""Runs the jobs that render the PDFs of invoices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from kernel.errors import Invalid, Missing, Unavailable
from kernel.telemetry.logs import get_logger
from tenants.ids import InvoiceId
from workers.actors.attempt import PermanentFailure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from kernel.ids import WorkspaceId
    from tenants.invoices.jobs import RenderPdf
    from tenants.invoices.values import Pdf
    from workers.actors.attempt import Attempt

_log: Final = get_logger("workers.pdfs")
# After these errors no further attempt can succeed.
_PERMANENT_CODES: Final = ("pdf.too_large", "pdf.lost")


class PdfService(Protocol):
    """Renders and stores PDFs; `workers.pdf` implements it."""

    async def ensure_pdf(
        self,
        workspace_id: WorkspaceId,
        invoice_id: InvoiceId,
        version: int,
        *,
        locale: str,
        within_s: float,
        open_unit: Callable[[], AbstractAsyncContextManager[object]],
    ) -> Pdf:
        """Return the stored PDF, else render it and store it in the unit of work that `open_unit` opens."""
        ...


def create_pdf_handler(service: PdfService | None) -> Callable[[RenderPdf, Attempt], Awaitable[None]]:
    """Return the job's function; without a service, each attempt fails with Unavailable("pdf.renderer_unavailable")."""

    async def render_pdf(job: RenderPdf, attempt: Attempt) -> None:
        if service is None:
            raise Unavailable("pdf.renderer_unavailable", "This worker has no render service.")
        try:
            pdf = await service.ensure_pdf(
                attempt.workspace_id,
                InvoiceId(job.invoice_id),
                job.version,
                locale=job.locale,
                within_s=job.within_s,
                open_unit=attempt.effect,
            )
        except Missing as error:
            if error.code != "invoice.not_found":
                raise
            _log.info("pdf not rendered: invoice not found", invoice=str(job.invoice_id), version=job.version)
        except (Invalid, Unavailable) as error:
            if error.code in _PERMANENT_CODES:
                raise PermanentFailure(str(error)) from error
            raise
        else:
            _log.info(
                "pdf ready",
                invoice=str(job.invoice_id),
                version=job.version,
                sha256=pdf.sha256,
                size=pdf.size,
            )

    return render_pdf
