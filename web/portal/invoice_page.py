"""The page of one invoice: from the token in a link to a finished page, made once and kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final

from kernel.clock import today
from kernel.errors import PortalError
from kernel.language import Language
from tenants.invoices import queries
from tenants.invoices.document.fonts import built_fonts
from tenants.invoices.document.model import CATALOGUES as DOCUMENT_WORDS
from tenants.invoices.document.model import document
from tenants.invoices.document.render import render_list, render_paper
from tenants.invoices.snapshot import size_of
from web.http.assets import PREFIX as ASSETS
from web.http.compression import Tail
from web.http.lru import MEBIBYTE, Keep
from web.http.security import new_nonce
from web.http.templates import words
from web.portal import words as page_words
from web.portal.data import invoice_json
from web.portal.links import Unshowable
from web.portal.summary import Paper, document_brand, page_model, since_issue
from web.portal.view_recorder import PURPOSE_HEADERS

if TYPE_CHECKING:
    import datetime as dt

    from kernel.clock import Clock
    from kernel.telemetry.metrics import Metrics
    from tenants.invoices.content import Content
    from tenants.invoices.document.values import Sum
    from tenants.invoices.values import LoadedVersion, OpenedInvoice
    from tenants.workspaces.profile import WorkspaceProfile
    from web.http.context import Visit
    from web.http.templates import Templates
    from web.portal.links import Links
    from web.portal.view_recorder import ViewRecorder

KEPT_BYTES: Final = 96 * MEBIBYTE
# Rendering costs about 0.1 ms a line: above this, other requests are let in between by the thread's switches.
_LINES_IN_LINE: Final = 100
_BYTES_IN_LINE: Final = 40_000


@dataclass(frozen=True, slots=True)
class FinishedPage:
    """A page without its nonce: the pieces of its head around it, and the rest, which never changes."""

    head: tuple[bytes, ...]
    tail: Tail

    @classmethod
    def of(cls, html: str, nonce: str) -> FinishedPage:
        """Take a page apart where `nonce` stands."""
        *head, rest = html.encode().split(nonce.encode())
        return cls((*head, b""), Tail.of(rest))

    @property
    def size(self) -> int:
        """Bytes held, about."""
        return sum(map(len, self.head)) + len(self.tail.plain) + len(self.tail.deflated) + 1024

    def plain(self, nonce: str) -> bytes:
        """Return the page with this nonce."""
        return nonce.encode().join(self.head) + self.tail.plain

    def gzipped(self, nonce: str) -> bytes:
        """Return the page with this nonce as a gzip member."""
        return self.tail.after(nonce.encode().join(self.head))


@dataclass(frozen=True, slots=True)
class _State:
    """Everything a page depends on: two requests with the same state get the same page."""

    profile: WorkspaceProfile
    opened: OpenedInvoice
    day: dt.date


class InvoicePages:
    """Opens links and makes their pages."""

    def __init__(
        self,
        *,
        links: Links,
        clock: Clock,
        templates: Templates,
        metrics: Metrics,
        looks: ViewRecorder,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        """Keep up to `kept_bytes` of finished pages."""
        self._links = links
        self._clock = clock
        self._templates = templates
        self._metrics = metrics
        self._looks = looks
        looked = {result: metrics.document_lookups.labels(result) for result in ("hit", "miss")}
        self._kept: Keep[_State, FinishedPage] = Keep(kept_bytes, lambda result: looked[result].inc())
        # Nobody who writes an invoice can know it, so nothing in one is mistaken for the place of the nonce.
        self._blank = new_nonce()

    async def page(self, visit: Visit, token: str) -> FinishedPage:
        """Return the page a token opens on the visited host; Missing whatever the reason that it opens none."""

        async def read(opened: OpenedInvoice) -> tuple[_State, FinishedPage | LoadedVersion]:
            state = self._state(visit.workspace, opened)
            return state, self._kept.get(state) or await _version(opened)

        _, (state, found) = await self._links.within(visit, token, read)
        if not isinstance(found, FinishedPage):
            version = found
            found = await self._kept.made(state, lambda: self._made(state, version, token))
        if not visit.is_head:
            headers = (visit.headers.get(name.encode()) for name in PURPOSE_HEADERS)
            self._looks.record(
                visit.workspace.workspace_id,
                state.opened,
                address=visit.address,
                user_agent=visit.headers.get(b"user-agent", b"").decode("latin-1"),
                purpose_headers=[value.decode("latin-1") for value in headers if value is not None],
                request_id=visit.request_id,
            )
        return found

    async def data(self, visit: Visit, token: str) -> bytes:
        """Return the invoice a token opens as JSON; Missing as above."""

        async def read(opened: OpenedInvoice) -> tuple[_State, LoadedVersion]:
            return self._state(visit.workspace, opened), await _version(opened)

        _, (state, version) = await self._links.within(visit, token, read)
        try:
            return invoice_json(state.opened, version.content, version.totals, state.profile, state.day)
        except PortalError as error:
            raise _unshowable(state) from error

    def warm(self, profile: WorkspaceProfile, opened: OpenedInvoice, version: LoadedVersion) -> int:
        """Make one page that nobody asked for, so that no customer waits for templates and locales to load.

        Returns its size in bytes.
        """
        return self._rendered(self._state(profile, opened), version, "").size

    def _state(self, profile: WorkspaceProfile, opened: OpenedInvoice) -> _State:
        return _State(profile, opened, today(self._clock, profile.time_zone))

    async def _made(self, state: _State, version: LoadedVersion, token: str) -> FinishedPage:
        try:
            if takes_long(version.content):
                return await asyncio.to_thread(self._rendered, state, version, token)
            return self._rendered(state, version, token)
        except PortalError as error:
            raise _unshowable(state) from error

    def _rendered(self, state: _State, version: LoadedVersion, token: str) -> FinishedPage:
        started = perf_counter()
        tag = state.opened.locale or state.profile.locale
        language = words(tag)
        model = page_model(
            state.opened,
            version.content,
            paper(
                version,
                state.opened.number,
                state.profile,
                tag,
                since=since_issue(state.opened, state.day, language),
            ),
            state.profile,
            language=language,
            today=state.day,
            json_url=f"/i/{token}/invoice.json",
            pdf_url=f"/i/{token}/invoice.pdf",
            pdf_inline_url=f"/i/{token}/invoice.pdf?inline",
            language_form=page_words.build_language_form(language, action=f"/i/{token}/language"),
            nonce=self._blank,
        )
        html = self._templates.render("invoice.html.jinja", language, model)
        finished = FinishedPage.of(html, self._blank)
        self._metrics.document_render_seconds.observe(perf_counter() - started)
        return finished


def _unshowable(state: _State) -> Unshowable:
    return Unshowable(f"invoice {state.opened.invoice_id}, version {state.opened.version}")


async def _version(opened: OpenedInvoice) -> LoadedVersion:
    return await queries.load_version(opened.invoice_id, opened.version)


def paper(
    version: LoadedVersion,
    number: str,
    profile: WorkspaceProfile,
    tag: str,
    *,
    since: tuple[Sum, ...] = (),
) -> Paper:
    """Render the document of a version in a locale; `since` is told below the totals of the list only."""
    language = Language.load(tag, (DOCUMENT_WORDS,))
    # The sheet is the one in the sender's country, whatever language the customer reads.
    size = Language.load(profile.locale).page_size
    brand = document_brand(profile)
    model = document(version.content, version.totals, number, language, brand=brand, page_size=size)
    sheet = render_paper(model)
    return Paper(sheet, render_list(model, since=since), size, built_fonts().page_faces(sheet, ASSETS))


def takes_long(content: Content) -> bool:
    """Tell whether a page of it is written beside the loop: for its lines, or for all else that it says."""
    return len(content.lines) > _LINES_IN_LINE or size_of(content) > _BYTES_IN_LINE
