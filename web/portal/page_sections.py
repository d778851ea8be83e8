"""The sections of an invoice's page that do not depend on the visitor: rendered once and cached."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final

import msgspec
from markupsafe import Markup

from kernel.language import Language
from tenants.invoices import queries
from tenants.invoices.document.fonts import load_fonts
from tenants.invoices.document.model import CATALOGUES as DOCUMENT_WORDS
from tenants.invoices.document.model import compose_document
from tenants.invoices.document.render import render_list, render_paper
from tenants.invoices.encoding import measure_content
from web.http.assets import PREFIX as ASSETS
from web.http.lru import MEBIBYTE, SharedCache
from web.http.sections import Section, mark_slot
from web.http.templates import load_words
from web.portal.language import find_page_language
from web.portal.links import convert_stored_data_errors
from web.portal.summary import Paper, build_document_brand, build_page_model, list_sums_since_issue
from web.portal.thread.model import TOKEN_SLOT
from web.portal.words import build_language_form

if TYPE_CHECKING:
    import datetime as dt

    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.invoices.content import Content
    from tenants.invoices.document.values import TotalRow
    from tenants.invoices.values import InvoiceVersion, OpenedInvoice
    from tenants.workspaces.profile import WorkspaceProfile
    from web.http.templates import Templates

CACHE_BYTES: Final = 96 * MEBIBYTE
# Rendering takes about 0.1 ms a line: larger documents are rendered in a thread, off the event loop.
_LINES_IN_LOOP: Final = 100
_BYTES_IN_LOOP: Final = 40_000
#: The slots of the page: what each response has of its own.
NONCE_SLOT: Final = "nonce"
LANGUAGE_ERROR_SLOT: Final = "language_error"
THREAD_LINK_SLOT: Final = "thread_link"
# Where the sections of the thread and of its composer are put between.
_THREAD: Final = "thread"
_COMPOSER: Final = "composer"


class PageKey(msgspec.Struct, frozen=True):
    """Everything that the sections of a page depend on: two requests with the same key share them."""

    profile: WorkspaceProfile
    opened: OpenedInvoice
    day: dt.date
    locale: str


@dataclass(frozen=True, slots=True)
class PageParts:
    """The page before the thread, between it and its composer, and after both."""

    head: Section
    middle: Section
    tail: Section

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return self.head.size + self.middle.size + self.tail.size


class InvoiceSections:
    """Renders the parts of pages."""

    def __init__(
        self,
        *,
        database: Database,
        templates: Templates,
        metrics: Metrics,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Cache up to `cache_bytes` of parts."""
        self._database = database
        self._templates = templates
        self._metrics = metrics
        lookups = {result: metrics.document_lookups.labels(result) for result in ("hit", "miss")}
        self._cache: SharedCache[PageKey, PageParts] = SharedCache(
            cache_bytes, lambda result: lookups[result].inc()
        )

    async def find(self, key: PageKey, token: str) -> PageParts:
        """Return the parts of the page that a token opens."""
        return self._cache.get(key) or await self._cache.get_or_make(key, lambda: self._make(key, token))

    def render(self, key: PageKey, version: InvoiceVersion, token: str) -> PageParts:
        """Render the parts of a page."""
        started = perf_counter()
        language = load_words(key.locale)
        spoken = find_page_language(key.locale)
        # Visitors cannot choose the language of such a locale, so the links to the PDF do not name it.
        lang = f"lang={spoken}" if spoken else ""
        since = list_sums_since_issue(key.opened, key.day, language)
        model = build_page_model(
            key.opened,
            version.content,
            render_document(version, key.opened.number, key.profile, key.locale, since=since),
            key.profile,
            language=language,
            today=key.day,
            json_url=f"/i/{token}/invoice.json",
            events_url=f"/i/{token}/events",
            ticket_url=f"/i/{token}/ticket",
            pdf_url=f"/i/{token}/invoice.pdf{'?' + lang if lang else ''}",
            pdf_inline_url=f"/i/{token}/invoice.pdf?{'&'.join(part for part in (lang, 'inline') if part)}",
            language_form=build_language_form(
                language,
                action=f"/i/{token}/language",
                token=mark_slot(TOKEN_SLOT),
                error=mark_slot(LANGUAGE_ERROR_SLOT),
            ),
            thread=Markup(mark_slot(_THREAD)),  # noqa: S704
            thread_link=mark_slot(THREAD_LINK_SLOT),
            composer=Markup(mark_slot(_COMPOSER)),  # noqa: S704
            nonce=mark_slot(NONCE_SLOT),
        )
        head, rest = Section.split(self._templates.render("invoice.html.jinja", language, model)).divide(
            _THREAD
        )
        parts = PageParts(head, *rest.divide(_COMPOSER))
        self._metrics.document_render_seconds.observe(perf_counter() - started)
        return parts

    async def _make(self, key: PageKey, token: str) -> PageParts:
        async with self._database.scope(key.profile.workspace_id, read_only=True):
            version = await queries.load_version(key.opened.invoice_id, key.opened.version)
        with convert_stored_data_errors(f"invoice {key.opened.invoice_id}, version {key.opened.version}"):
            if takes_long(version.content):
                return await asyncio.to_thread(self.render, key, version, token)
            return self.render(key, version, token)


def render_document(
    version: InvoiceVersion,
    number: str,
    profile: WorkspaceProfile,
    locale: str,
    *,
    since: tuple[TotalRow, ...] = (),
) -> Paper:
    """Render the document of a version in a locale; `since` is printed below the totals of the list only."""
    language = Language.load(locale, (DOCUMENT_WORDS,))
    # The page size is that of the sender's country, whatever language the customer reads.
    size = Language.load(profile.locale).page_size
    brand = build_document_brand(profile)
    model = compose_document(version.content, version.totals, number, language, brand=brand, page_size=size)
    sheet = render_paper(model)
    return Paper(
        sheet, render_list(model, later_rows=since), size, load_fonts().select_page_fonts(sheet, ASSETS)
    )


def takes_long(content: Content) -> bool:
    """Tell whether a document has so many lines or so much text that a thread must render it."""
    return len(content.lines) > _LINES_IN_LOOP or measure_content(content) > _BYTES_IN_LOOP
