"""Has the PDFs of invoices printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from kernel.errors import Invalid, Missing, Unavailable
from kernel.ids import InvoiceId
from kernel.telemetry.logs import logger
from workers.actors.attempt import Hopeless

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from kernel.ids import WorkspaceId
    from tenants.invoices.jobs import RenderVersion
    from tenants.invoices.pdfs import Pdf
    from workers.actors.attempt import Attempt

_log: Final = logger("workers.pdfs")
# Whatever is tried, it stays so.
_FINAL: Final = ("press.too_large", "pdf.lost")


class Prints(Protocol):
    """Whoever makes the PDF of a version; the press, behind its floor."""

    async def render_version(
        self,
        workspace_id: WorkspaceId,
        invoice_id: InvoiceId,
        version: int,
        *,
        locale: str | None,
        within_s: float,
        noting: Callable[[], AbstractAsyncContextManager[object]],
    ) -> Pdf:
        """Return the PDF, printed where there is none, noted in the unit of work that `noting` opens."""
        ...


def render_version(printer: Prints | None) -> Callable[[RenderVersion, Attempt], Awaitable[None]]:
    """Return what does the job; without a printer, each attempt fails with Unavailable("press.unavailable")."""

    async def rendered(job: RenderVersion, attempt: Attempt) -> None:
        if printer is None:
            raise Unavailable("press.unavailable", "This worker has no press.")
        try:
            pdf = await printer.render_version(
                attempt.workspace_id,
                InvoiceId(job.invoice_id),
                job.version,
                locale=job.locale,
                within_s=job.within_s,
                noting=attempt.effect,
            )
        except Missing as error:
            if error.code != "invoice.not_found":
                raise
            _log.info("nothing to print", invoice=str(job.invoice_id), version=job.version)
        except (Invalid, Unavailable) as error:
            if error.code in _FINAL:
                raise Hopeless(str(error)) from error
            raise
        else:
            _log.info(
                "printed", invoice=str(job.invoice_id), version=job.version, sha256=pdf.sha256, size=pdf.size
            )

    return rendered
