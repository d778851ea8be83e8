"""The page of one invoice: sections that are rendered once and cached, joined with the slots of a response."""

from __future__ import annotations

import asyncio
import html
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final

import msgspec
from litestar import HttpMethod, MediaType, Response, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from kernel.clock import today
from kernel.ids import new_nonce
from kernel.language import Language
from tenants.invoices import queries
from tenants.invoices.document.fonts import load_fonts
from tenants.invoices.document.model import CATALOGUES as DOCUMENT_WORDS
from tenants.invoices.document.model import compose_document
from tenants.invoices.document.render import render_list, render_paper
from tenants.invoices.encoding import measure_content
from web.http.assets import PREFIX as ASSETS
from web.http.context import LANGUAGE_COOKIE, GatewayRequest
from web.http.forms import PURPOSE
from web.http.lru import MEBIBYTE, SharedCache
from web.http.negotiation import LANGUAGES, accepts_coding
from web.http.responses import Body, respond
from web.http.sections import Section, join_gzipped, join_plain, mark_slot
from web.http.security import build_page_policy
from web.http.surface import KIBIBYTE
from web.http.templates import load_words
from web.http.templates import mark_text as _
from web.portal.language import CHOICE_MAX_AGE_S, find_page_language, resolve_locale
from web.portal.links import convert_stored_data_errors
from web.portal.summary import Paper, build_document_brand, build_page_model, list_sums_since_issue
from web.portal.view_recorder import PURPOSE_HEADERS
from web.portal.words import build_language_form

if TYPE_CHECKING:
    import datetime as dt

    from kernel.clock import Clock
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.invoices.content import Content
    from tenants.invoices.document.values import TotalRow
    from tenants.invoices.values import InvoiceVersion, OpenedInvoice
    from tenants.workspaces.profile import WorkspaceProfile
    from web.http.forms import FormTokens
    from web.http.templates import Templates
    from web.portal.links import Links
    from web.portal.view_recorder import ViewRecorder

CACHE_BYTES: Final = 96 * MEBIBYTE
# Rendering takes about 0.1 ms a line: larger documents are rendered in a thread, off the event loop.
_LINES_IN_LOOP: Final = 100
_BYTES_IN_LOOP: Final = 40_000
_LANGUAGE_FORM: Final = "language"
# The slots of the page: what each response has of its own.
_NONCE: Final = "nonce"
_LANGUAGE_TOKEN: Final = "language_token"  # noqa: S105  -- the name of a slot
_LANGUAGE_ERROR: Final = "language_error"


@dataclass(frozen=True, slots=True)
class PageKey:
    """Everything that the sections of a page depend on: two requests with the same key share them."""

    profile: WorkspaceProfile
    opened: OpenedInvoice
    day: dt.date
    locale: str


class LanguageChoice(msgspec.Struct):
    """The form that chooses the language of the page."""

    language: str = ""


class InvoicePages:
    """Opens links and responds with their pages."""

    def __init__(
        self,
        *,
        links: Links,
        database: Database,
        clock: Clock,
        templates: Templates,
        metrics: Metrics,
        forms: FormTokens,
        views: ViewRecorder,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Cache up to `cache_bytes` of sections."""
        self._links = links
        self._database = database
        self._clock = clock
        self._templates = templates
        self._metrics = metrics
        self._forms = forms
        self._views = views
        lookups = {result: metrics.document_lookups.labels(result) for result in ("hit", "miss")}
        self._cache: SharedCache[PageKey, Section] = SharedCache(
            cache_bytes, lambda result: lookups[result].inc()
        )

    async def respond(
        self, request: GatewayRequest, token: str, *, error: str = "", status_code: int = 200
    ) -> Body:
        """Return the page that a token opens on the host; Missing whatever the reason that it opens none.

        `error` is a message of the catalogue for the language form.
        """
        profile = request.context.workspace
        opened = await self._links.open(profile, token)
        locale = resolve_locale(opened.locale, profile.locale, request.chosen_language)
        with convert_stored_data_errors(str(profile.workspace_id)):
            day = today(self._clock, profile.time_zone)
        key = PageKey(profile, opened, day, locale)
        section = self._cache.get(key) or await self._cache.get_or_make(key, lambda: self._make(key, token))
        if not request.is_head and not error:
            self._views.record(
                profile.workspace_id,
                opened,
                address=request.context.address,
                user_agent=request.get_header("user-agent") or "",
                purpose_headers=[value for name in PURPOSE_HEADERS if (value := request.get_header(name))],
                request_id=request.context.request_id,
            )
        cookie_jar, nonce = request.context.cookie_jar, new_nonce()
        session = cookie_jar.read_session(request.cookies)
        slots = {
            _NONCE: nonce.encode(),
            _LANGUAGE_TOKEN: self._forms.issue(request.context, session, _LANGUAGE_FORM).encode(),
            _LANGUAGE_ERROR: html.escape(load_words(locale).gettext(error)).encode() if error else b"",
        }
        headers = {"content-security-policy": build_page_policy(nonce), "vary": "accept-encoding, cookie"}
        join = join_plain
        if accepts_coding(request.get_header("accept-encoding"), "gzip"):
            headers["content-encoding"] = "gzip"
            join = join_gzipped
        return respond(
            join((section,), slots),
            media_type=MediaType.HTML,
            headers=headers,
            cookies=cookie_jar.make_session_cookies(session),
            status_code=status_code,
        )

    async def choose_language(self, request: GatewayRequest, token: str, language: str) -> Body:
        """Remember a language for this host and return to the page; Missing as for the page."""
        if language not in LANGUAGES:
            error = _("Choose one of these languages.")
            return await self.respond(request, token, error=error, status_code=400)
        await self._links.open(request.context.workspace, token)
        return Response(
            b"",
            status_code=303,
            media_type=MediaType.TEXT,
            headers={"location": f"/i/{token}"},
            cookies=[request.context.cookie_jar.make(LANGUAGE_COOKIE, language, max_age=CHOICE_MAX_AGE_S)],
        )

    def warm(self, key: PageKey, version: InvoiceVersion) -> int:
        """Render a page ahead of the first request, so that no customer waits for templates and locales to load.

        Returns its size in bytes.
        """
        return self._render(key, version, "").size

    async def _make(self, key: PageKey, token: str) -> Section:
        async with self._database.scope(key.profile.workspace_id, read_only=True):
            version = await queries.load_version(key.opened.invoice_id, key.opened.version)
        with convert_stored_data_errors(f"invoice {key.opened.invoice_id}, version {key.opened.version}"):
            if takes_long(version.content):
                return await asyncio.to_thread(self._render, key, version, token)
            return self._render(key, version, token)

    def _render(self, key: PageKey, version: InvoiceVersion, token: str) -> Section:
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
            pdf_url=f"/i/{token}/invoice.pdf{'?' + lang if lang else ''}",
            pdf_inline_url=f"/i/{token}/invoice.pdf?{'&'.join(part for part in (lang, 'inline') if part)}",
            language_form=build_language_form(
                language,
                action=f"/i/{token}/language",
                token=mark_slot(_LANGUAGE_TOKEN),
                error=mark_slot(_LANGUAGE_ERROR),
            ),
            nonce=mark_slot(_NONCE),
        )
        section = Section.split(self._templates.render("invoice.html.jinja", language, model))
        self._metrics.document_render_seconds.observe(perf_counter() - started)
        return section


@route("/i/{token:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], name="invoice")
async def show_invoice(
    request: GatewayRequest, token: FromPath[str], pages: NamedDependency[InvoicePages]
) -> Body:
    """Show the invoice that a link opens."""
    return await pages.respond(request, token)


@post(
    "/i/{token:str}/language",
    name="invoice_language",
    opt={PURPOSE: _LANGUAGE_FORM},
    request_max_body_size=4 * KIBIBYTE,
)
async def choose_language(
    request: GatewayRequest,
    token: FromPath[str],
    data: URLEncodedBody[LanguageChoice],
    pages: NamedDependency[InvoicePages],
) -> Body:
    """Choose the language of the page."""
    return await pages.choose_language(request, token, data.language)


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
