"""From a version of an invoice to its PDF: rendered once, stored, and pinned if the version is issued."""

from __future__ import annotations

import asyncio
import hashlib
from time import perf_counter
from typing import TYPE_CHECKING, Final

from kernel.errors import Missing, Unavailable
from kernel.ids import WorkspaceId
from kernel.language import Language
from kernel.telemetry.logs import get_logger
from tenants.ids import InvoiceId
from tenants.invoices import queries
from tenants.invoices.actions.pdfs import store_pdf
from tenants.invoices.document.brand import build_document_brand
from tenants.invoices.document.model import CATALOGUES, compose_document
from tenants.invoices.document.pdf_html import encode_data_url, hash_templates, render_pdf_html
from tenants.invoices.values import Pdf
from tenants.workspaces import queries as workspaces
from workers.pdf import postprocess

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from kernel.blobs import Blobs
    from kernel.clock import Clock
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.invoices.document.fonts import Fonts
    from tenants.invoices.values import PdfSource
    from tenants.workspaces.profile import WorkspaceProfile
    from workers.pdf.renderer import Renderer

_log: Final = get_logger("workers.pdf")


class InvoiceRenderer:
    """Renders and stores the PDFs of invoices; the same call again returns the stored one."""

    def __init__(
        self,
        *,
        database: Database,
        blobs: Blobs,
        renderer: Renderer,
        fonts: Fonts,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        """Take an open database; the renderer launches its browser when it is needed."""
        self._database = database
        self.blobs = blobs
        self._renderer = renderer
        self._fonts = fonts
        self._clock = clock
        self._metrics = metrics

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
        """Return the PDF of a version in a locale: the stored one, else it is rendered within `within_s` seconds.

        The first PDF of an issued version is pinned. `open_unit` opens the unit of work that stores a new one.
        Missing("invoice.not_found"); Unavailable: "pdf.deadline", "pdf.renderer_unavailable", "blobs.unavailable",
        "store.unavailable", or "pdf.lost" when the blob of a pinned PDF is gone and a new one differs.
        """
        if not self._renderer.version:
            # The fingerprint has Chromium's version, which is known once it runs.
            await self._renderer.get_browser()
        async with self._database.scope(workspace_id, read_only=True):
            source = await queries.load_pdf_source(invoice_id, version)
            profile = await workspaces.load_profile()
            fingerprint = self._compute_fingerprint(source, profile, locale)
            stored = await queries.find_pdf(invoice_id, version, locale, fingerprint)
            logo = (await workspaces.load_brand_image(profile.logo.sha256)).data if profile.logo else None
        if stored is not None and await self._has_blob(stored):
            return stored
        data = await self._render(source, profile, locale, logo, within_s)
        pdf = Pdf(workspace_id, hashlib.sha256(data).hexdigest(), len(data), source.is_issued)
        if stored is not None and stored.is_pinned and stored.sha256 != pdf.sha256:
            _log.error("pdf lost", invoice=str(invoice_id), version=version, sha256=stored.sha256)
            raise Unavailable("pdf.lost", "The stored PDF is gone, and a new one would look different.")
        # The blob first: a row always has its blob.
        await self.blobs.put(pdf.key, data)
        async with open_unit():
            return await store_pdf(
                invoice_id,
                version,
                locale,
                fingerprint,
                data,
                is_pinned=source.is_issued,
                created_at=self._clock.now(),
                was_lost=stored is not None,
            )

    async def _has_blob(self, pdf: Pdf) -> bool:
        try:
            return await self.blobs.size(pdf.key) == pdf.size
        except Missing:
            return False

    def _compute_fingerprint(self, source: PdfSource, profile: WorkspaceProfile, locale: str) -> bytes:
        """Return a hash over everything that decides how the PDF looks."""
        return _hash_parts(
            source.hash_input,
            source.created_at.isoformat(),
            profile.name,
            profile.logo.sha256 if profile.logo else "",
            # It decides the size of the paper.
            profile.locale,
            locale,
            hash_templates(),
            self._fonts.version,
            str(postprocess.VERSION),
            self._renderer.version,
        )

    async def _render(
        self, source: PdfSource, profile: WorkspaceProfile, locale: str, logo: bytes | None, within_s: float
    ) -> bytes:
        language = Language.load(locale, (CATALOGUES,))
        model = compose_document(
            source.content,
            source.totals,
            source.number or "",
            language,
            brand=build_document_brand(profile, encode_data_url(logo) if logo else ""),
            page_size=Language.load(profile.locale).page_size,
        )
        # Both take some ten milliseconds for each hundred lines: in threads, other renders go on meanwhile.
        html = await asyncio.to_thread(render_pdf_html, model, self._fonts)
        raw = await self._renderer.render(html, owner=profile.workspace_id, within_s=within_s)
        started_at = perf_counter()
        metadata = postprocess.PdfMetadata(
            title=f"{model.title} {model.number}".strip(),
            author=source.content.seller.name,
            language=model.language,
            created_at=source.created_at,
        )
        data = await asyncio.to_thread(postprocess.postprocess, raw, metadata)
        self._metrics.pdf_postprocess_seconds.observe(perf_counter() - started_at)
        return data


def _hash_parts(*parts: str | bytes) -> bytes:
    """Return one hash over parts, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()
