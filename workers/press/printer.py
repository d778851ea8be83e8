"""From a version of an invoice to its PDF: printed once, stored, pinned when it was issued."""

from __future__ import annotations

import asyncio
import hashlib
from time import perf_counter
from typing import TYPE_CHECKING, Final

import structlog

from kernel.errors import Missing, Unavailable
from kernel.ids import InvoiceId, WorkspaceId
from kernel.language import Language
from tenants.invoices import pdfs
from tenants.invoices.document.brand import document_brand
from tenants.invoices.document.model import CATALOGUES, document
from tenants.invoices.document.sheet import png_address, render_sheet, template_version
from tenants.workspaces import queries as workspaces
from workers.press import finish

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from kernel.blobs import Blobs
    from kernel.clock import Clock
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.invoices.document.fonts import Fonts
    from tenants.workspaces.profile import WorkspaceProfile
    from workers.press.press import Press

_LOG: Final = structlog.get_logger()
WITHIN_S: Final = 30.0


class Printer:
    """Renders versions; the same call again finds what is there."""

    def __init__(
        self, *, database: Database, blobs: Blobs, press: Press, fonts: Fonts, clock: Clock, metrics: Metrics
    ) -> None:
        """Take an opened database and a started press."""
        self._database = database
        self.blobs = blobs
        self._press = press
        self._fonts = fonts
        self._clock = clock
        self._metrics = metrics

    async def render_version(
        self,
        workspace_id: WorkspaceId,
        invoice_id: InvoiceId,
        version: int,
        *,
        locale: str | None = None,
        within_s: float = WITHIN_S,
        noting: Callable[[], AbstractAsyncContextManager[object]] | None = None,
    ) -> pdfs.Pdf:
        """Return the PDF of a version in a language (None: the customer's, else the workspace's).

        It is printed only if it is not there yet; an issued version's is pinned by its first print. `noting` opens the
        unit of work in which a new one is noted (None: one of its own). Missing
        ("invoice.not_found"); Unavailable: "press.deadline", "press.unavailable", "blobs.unavailable",
        "store.unavailable", or "pdf.lost" when a pinned PDF has gone and cannot be made again the same.
        """
        if not self._press.version:
            # The fingerprint names Chromium's version, known as soon as it runs.
            await self._press.generation()
        async with self._database.scope(workspace_id, read_only=True):
            subject = await pdfs.subject(invoice_id, version)
            profile = await workspaces.profile()
            tag = locale or subject.locale or profile.locale
            mark = self._fingerprint(subject, profile, tag)
            kept = await pdfs.kept_pdf(invoice_id, version, tag, mark)
            logo = (await workspaces.brand_asset(profile.logo.sha256)).data if profile.logo else None
        if kept is not None and await self._is_there(kept):
            return kept
        data = await self._printed(subject, profile, tag, logo, within_s)
        if kept is not None and kept.is_pinned and hashlib.sha256(data).hexdigest() != kept.sha256:
            _LOG.error("pdf.lost", invoice_id=str(invoice_id), version=version, sha256=kept.sha256)
            raise Unavailable("pdf.lost", "The stored PDF has gone, and would look different today.")
        made = pdfs.Pdf(workspace_id, hashlib.sha256(data).hexdigest(), len(data), subject.is_issued)
        # Bytes first: a row that names a blob finds it.
        await self.blobs.put(made.key, data)
        async with noting() if noting else self._database.scope(workspace_id):
            return await pdfs.keep_pdf(
                invoice_id,
                version,
                tag,
                mark,
                data,
                pinned=subject.is_issued,
                created_at=self._clock.now(),
            )

    async def read(self, pdf: pdfs.Pdf) -> bytes:
        """Return the bytes of a PDF; Missing("blobs.missing"), Unavailable("blobs.unavailable")."""
        return await self.blobs.get(pdf.key)

    async def _is_there(self, pdf: pdfs.Pdf) -> bool:
        try:
            return await self.blobs.size(pdf.key) == pdf.size
        except Missing:
            return False

    def _fingerprint(self, subject: pdfs.Subject, profile: WorkspaceProfile, tag: str) -> bytes:
        logo = profile.logo.sha256 if profile.logo else ""
        return pdfs.fingerprint(
            subject.snapshot,
            subject.moment.isoformat(),
            profile.name,
            logo,
            # The sheet is the one in the sender's country.
            profile.locale,
            tag,
            template_version(),
            self._fonts.version,
            str(finish.VERSION),
            self._press.version,
        )

    async def _printed(
        self,
        subject: pdfs.Subject,
        profile: WorkspaceProfile,
        tag: str,
        logo: bytes | None,
        within_s: float,
    ) -> bytes:
        language = Language.load(tag, (CATALOGUES,))
        version = subject.loaded
        model = document(
            version.content,
            version.totals,
            version.number or "",
            language,
            brand=document_brand(profile, png_address(logo) if logo else ""),
            page_size=Language.load(profile.locale).page_size,
        )
        # Both take some ten milliseconds for each hundred lines: other prints go on meanwhile.
        html = await asyncio.to_thread(render_sheet, model, self._fonts)
        raw = await self._press.print(html, owner=profile.workspace_id, within_s=within_s)
        began = perf_counter()
        about = finish.About(
            title=f"{model.title} {model.number}".strip(),
            author=version.content.seller.name,
            language=model.language,
            moment=subject.moment,
        )
        data = await asyncio.to_thread(finish.finish, raw, about)
        self._metrics.press_finish_seconds.observe(perf_counter() - began)
        return data
