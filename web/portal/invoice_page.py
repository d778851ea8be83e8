"""The page of one invoice: sections that are cached, joined with the slots of a response."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

import msgspec
from litestar import HttpMethod, MediaType, Response, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from kernel.clock import today
from kernel.ids import new_nonce
from tenants.workspaces.authority import WriteAuthority, WriteMode
from web.http.context import LANGUAGE_COOKIE, GatewayRequest
from web.http.forms import PURPOSE
from web.http.negotiation import LANGUAGES, accepts_coding
from web.http.responses import Body, respond
from web.http.sections import join_gzipped, join_plain
from web.http.security import build_page_policy
from web.http.surface import KIBIBYTE
from web.http.templates import load_words
from web.http.templates import mark_text as _
from web.portal.language import CHOICE_MAX_AGE_S, resolve_locale
from web.portal.links import convert_stored_data_errors
from web.portal.page_sections import (
    LANGUAGE_ERROR_SLOT,
    NONCE_SLOT,
    THREAD_LINK_SLOT,
    PageKey,
)
from web.portal.thread.composer import (
    ComposerKey,
    Writer,
    fill_slots,
    find_writer,
    make_composer_key,
)
from web.portal.thread.model import TOKEN_SLOT, ThreadKey
from web.portal.thread.values import Challenge
from web.portal.view_recorder import PURPOSE_HEADERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.datastructures import Cookie

    from kernel.clock import Clock
    from tenants.comments.values import Comment
    from tenants.invoices.values import InvoiceAccess, InvoiceVersion, OpenedInvoice
    from web.http.forms import FormTokens
    from web.http.sections import Section
    from web.http.sessions import Session
    from web.portal.links import Links
    from web.portal.live.addresses import Hubs
    from web.portal.page_sections import InvoiceSections
    from web.portal.shared_pages import SharedPage, SharedPages
    from web.portal.thread.composer import Composers, Refusal, TypedFields
    from web.portal.thread.model import EditAttempt
    from web.portal.thread.threads import Threads
    from web.portal.view_recorder import ViewRecorder

#: The purpose of the token that all forms of an invoice's page share.
PAGE_FORMS: Final = "invoice"
# Sent by the script of a page that is open: nobody views the invoice anew.
_REFRESH_HEADER: Final = "x-portal-refresh"


class Visit(msgspec.Struct, frozen=True):
    """What one response shows beside the cached sections; `cookies` are set beside that of a new session."""

    token: str
    access: InvoiceAccess
    session: Session
    cookies: Sequence[Cookie] = ()
    typed: TypedFields | None = None
    refusal: Refusal | None = None
    edit_attempt: EditAttempt | None = None
    language_error: str = ""
    status_code: int = 200

    @property
    def has_input(self) -> bool:
        """Whether the response shows again what was typed."""
        return self.typed is not None or self.refusal is not None or self.edit_attempt is not None


class LanguageChoice(msgspec.Struct):
    """The form that chooses the language of the page."""

    language: str = ""


class InvoicePages:
    """Opens links and responds with their pages."""

    def __init__(
        self,
        *,
        links: Links,
        sections: InvoiceSections,
        threads: Threads,
        composers: Composers,
        shared: SharedPages,
        clock: Clock,
        forms: FormTokens,
        views: ViewRecorder,
        hubs: Hubs,
    ) -> None:
        """Show `shared` pages, and for visitors of whom something is known the parts that the others render."""
        self._links = links
        self._sections = sections
        self._threads = threads
        self._composers = composers
        self._shared = shared
        self._clock = clock
        self._forms = forms
        self._views = views
        self._hubs = hubs

    async def respond(
        self, request: GatewayRequest, token: str, *, error: str = "", status_code: int = 200
    ) -> Body:
        """Return the page that a token opens on the host; Missing whatever the reason that it opens none.

        `error` is a message of the catalogue for the language form.
        """
        session = request.browser_session
        access = await self._links.open(request.context.workspace, token, session)
        page = await self.show(
            request, Visit(token, access, session, language_error=error, status_code=status_code)
        )
        if not request.is_head and not error and not request.get_header(_REFRESH_HEADER):
            self._record_view(request, access.invoice)
        return page

    async def show(self, request: GatewayRequest, visit: Visit) -> Body:
        """Return the page of an invoice that was opened."""
        profile, access, session = request.context.workspace, visit.access, visit.session
        locale = resolve_locale(access.invoice.locale, profile.locale, request.chosen_language)
        with convert_stored_data_errors(profile.workspace_id):
            day = today(self._clock, profile.time_zone)
        key = PageKey(profile, access.invoice, day, locale)
        shared = await self._shared.find(key, visit.token, access)
        own = self._threads.list_own(shared.thread, access, session)
        nonce, error = new_nonce(), visit.language_error
        slots = {
            NONCE_SLOT: nonce.encode(),
            LANGUAGE_ERROR_SLOT: html.escape(load_words(locale).gettext(error)).encode() if error else b"",
            TOKEN_SLOT: self._forms.issue(request.context, session, PAGE_FORMS).encode(),
        }
        if own or access.visitor is not None or visit.has_input:
            sections, own_slots = await self._compose(key, visit, shared, own)
        else:
            sections, own_slots = (shared.section,), fill_slots(Writer(), None)
        policy = build_page_policy(nonce, self._hubs.find(request.context.host).connect_sources)
        headers = {"content-security-policy": policy, "vary": "accept-encoding, cookie"}
        join = join_plain
        if accepts_coding(request.get_header("accept-encoding"), "gzip"):
            headers["content-encoding"] = "gzip"
            join = join_gzipped
        return respond(
            join(sections, slots | own_slots),
            media_type=MediaType.HTML,
            headers=headers,
            cookies=[*visit.cookies, *request.make_session_cookies(session)],
            status_code=visit.status_code,
        )

    async def _compose(
        self, key: PageKey, visit: Visit, shared: SharedPage, own: Sequence[Comment]
    ) -> tuple[tuple[Section, ...], dict[str, bytes]]:
        """Return the page of a visitor of whom something is known, and the slots of the thread and its form."""
        access, typed, parts = visit.access, visit.typed, shared.parts
        thread_key = self._threads.make_key(key.profile, access, own, token=visit.token, locale=key.locale)
        thread = await self._threads.render(thread_key, shared.thread, visit.edit_attempt)
        writer = find_writer(access, own)
        composer_key = make_composer_key(
            access, writer, typed, token=visit.token, locale=key.locale, staff_name=key.profile.name
        )
        composer = await self._composers.render(composer_key, visit.refusal)
        return (
            (parts.head, thread.section, parts.middle, composer, parts.tail),
            {THREAD_LINK_SLOT: thread.link_words, **fill_slots(writer, typed)},
        )

    async def choose_language(self, request: GatewayRequest, token: str, language: str) -> Body:
        """Remember a language for this host and return to the page; Missing as for the page."""
        if language not in LANGUAGES:
            error = _("Choose one of these languages.")
            return await self.respond(request, token, error=error, status_code=400)
        await self._links.open(request.context.workspace, token, request.browser_session)
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
        profile = key.profile
        thread_key = ThreadKey(
            workspace_id=profile.workspace_id,
            invoice_id=key.opened.invoice_id,
            path="",
            cursor=None,
            locale=key.locale,
            zone=profile.time_zone,
            staff_name=profile.name,
            own=(),
            editable=(),
        )
        composer_key = ComposerKey(
            path="",
            invoice_id="",
            locale=key.locale,
            staff_name=profile.name,
            authority=WriteAuthority.create(WriteMode.LINK),
            missing=(),
            challenge=Challenge.NONE,
            is_known=False,
            is_remembered=False,
            is_blank=True,
        )
        return (
            self._sections.render(key, version, "").size
            + self._threads.warm(thread_key)
            + self._composers.warm(composer_key)
        )

    def _record_view(self, request: GatewayRequest, opened: OpenedInvoice) -> None:
        self._views.record(
            request.context.workspace.workspace_id,
            opened,
            address=request.context.address,
            user_agent=request.get_header("user-agent") or "",
            purpose_headers=[value for name in PURPOSE_HEADERS if (value := request.get_header(name))],
            request_id=request.context.request_id,
        )


@route("/i/{token:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], name="invoice")
async def show_invoice(
    request: GatewayRequest, token: FromPath[str], pages: NamedDependency[InvoicePages]
) -> Body:
    """Show the invoice that a link opens."""
    return await pages.respond(request, token)


@post(
    "/i/{token:str}/language",
    name="invoice_language",
    opt={PURPOSE: PAGE_FORMS},
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
