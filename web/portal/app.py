"""The portal: what customers see on a workspace's portal domains."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from litestar import HttpMethod, MediaType, Response, Router, route

from kernel.live import Tickets
from web.http.assets import serve_asset
from web.http.conditional import REVALIDATE
from web.http.errors import TEXTS, ErrorPages, ErrorText, Problems
from web.http.limits import MissLimit
from web.http.security import STATIC_POLICY, build_security_headers
from web.http.surface import KIBIBYTE, Surface, build_application, build_limit, provide
from web.http.templates import mark_text as _
from web.portal.account.pages import redirect_to_sign_in
from web.portal.account.routes import (
    build_account_dependencies,
    build_account_handlers,
    build_account_limit,
)
from web.portal.brand_images import BrandImages, show_brand_image
from web.portal.comments.answers import CommentAnswers
from web.portal.comments.comments import Comments
from web.portal.comments.posting import CommentPosting
from web.portal.comments.routes import WRITING_ROUTES, ThreadSections, build_limits, show_thread
from web.portal.invoice_data import InvoiceData, show_invoice_data
from web.portal.invoice_page import InvoicePages, choose_language, show_invoice
from web.portal.links import Links, SignInRequired, clean_path
from web.portal.live.addresses import Hubs
from web.portal.live.polls import Polls, build_events_limit, poll_events
from web.portal.live.tickets import PageTickets, issue_ticket
from web.portal.page_sections import InvoiceSections
from web.portal.pdf import InvoicePdfs, send_invoice_pdf
from web.portal.pdf_waiter import PdfWaiter
from web.portal.proof_counts import ProofCounts
from web.portal.sample import warm
from web.portal.shared_pages import SharedPages
from web.portal.thread.composer import Composers
from web.portal.thread.threads import Threads
from web.portal.view_recorder import ViewRecorder

if TYPE_CHECKING:
    from web.http.context import GatewayRequest
    from web.http.surface import Services

_INVOICE_PAGE: Final = re.compile("/i/[^/]+")
# Only scripts read these: their errors are documents, whatever the request accepts.
_DATA_ROUTES: Final = frozenset({"ticket", "events"})
# A header of the pages says "noindex", and only crawlers that may fetch a page can read it. If robots.txt forbade
# the fetch, a search engine could still list the URL of a link that was published somewhere.
_ROBOTS: Final = b"User-agent: *\nDisallow:\n"

# Codes that an address of the network may ask for: an office signs in at nine, nobody floods mailboxes.
_CODES_PER_MINUTE: Final = 40

_TEXTS: Final = {
    **TEXTS,
    403: ErrorText("denied", _("This is not allowed"), _("Ask the sender of the invoice for access.")),
    404: ErrorText(
        "not_found",
        _("Invoice not found"),
        _(
            "The link may be incomplete, have expired or been withdrawn. If the invoice was sent to you by e-mail, you"
            " can have a fresh link sent to the same address."
        ),
    ),
}


def create_app(services: Services) -> Surface:
    """Build the surface of customers."""
    problems = Problems(services.settings, _TEXTS)
    waiter = PdfWaiter(services.database, services.blobs, services.metrics)
    views = ViewRecorder(services.database, services.clock, services.metrics)
    links = Links(services.database, services.sealer, services.metrics)
    hubs = Hubs(services.settings)
    polls = Polls(links=links, rooms=services.rooms, problems=problems, metrics=services.metrics)
    threads = Threads(
        database=services.database,
        sealer=services.sealer,
        clock=services.clock,
        templates=services.templates,
    )
    sections = InvoiceSections(
        database=services.database, templates=services.templates, metrics=services.metrics
    )
    composers = Composers(services.templates)
    pages = InvoicePages(
        links=links,
        sections=sections,
        threads=threads,
        composers=composers,
        shared=SharedPages(sections=sections, threads=threads, composers=composers, metrics=services.metrics),
        clock=services.clock,
        forms=services.forms,
        views=views,
        hubs=hubs,
    )
    pdfs = InvoicePdfs(
        links=links,
        blobs=services.blobs,
        waiter=waiter,
        templates=services.templates,
        problems=problems,
        metrics=services.metrics,
    )
    images = BrandImages(
        services.database, MissLimit(services.limiter, services.clock, services.access_log, subject="image")
    )
    error_pages = ErrorPages(services.templates, problems, offers_links=True)

    def render_error(request: GatewayRequest, error: Exception) -> Response[Any]:
        path = request.context.path
        if isinstance(error, SignInRequired) and _INVOICE_PAGE.fullmatch(path):
            return redirect_to_sign_in(path)
        if request.route_name in _DATA_ROUTES:
            return problems(request, error)
        response = error_pages(request, error)
        link = clean_path(path) if response.status_code == 404 else None
        if link is None:
            return response
        # A mail program has appended the punctuation of its sentence to the link.
        return Response(b"", status_code=302, media_type=MediaType.TEXT, headers={"location": link})

    def drain() -> None:
        waiter.drain()
        polls.drain()

    return Surface(
        name="portal",
        host=None,
        app=build_application(
            [
                show_invoice,
                show_invoice_data,
                send_invoice_pdf,
                show_brand_image,
                serve_asset,
                show_robots,
                show_thread,
                issue_ticket,
                poll_events,
                # Routes that change something: the guard checks the token and the origin of each form.
                Router(
                    "/",
                    route_handlers=[choose_language, *WRITING_ROUTES],
                    guards=[services.forms.make_guard()],
                ),
                *build_account_handlers(services),
            ],
            max_body_bytes=64 * KIBIBYTE,
            dependencies=provide(
                pages=pages,
                invoice_data=InvoiceData(links=links, database=services.database, clock=services.clock),
                pdfs=pdfs,
                images=images,
                thread_sections=ThreadSections(links=links, threads=threads, forms=services.forms),
                comments=_build_comments(services, links, pages, threads, problems),
                page_tickets=PageTickets(
                    links=links,
                    tickets=Tickets(services.sealer, services.clock),
                    hubs=hubs,
                    clock=services.clock,
                ),
                polls=polls,
                assets=services.assets,
                **build_account_dependencies(services),
            ),
            render_error=render_error,
        ),
        limit=build_limit(services, "page", services.settings.page_limit_per_minute),
        path_limits=(*build_limits(services), build_events_limit(services), build_account_limit(services)),
        unlimited_prefixes=("/brand/",),
        headers=build_security_headers(services.settings, takes_payments=True),
        default_headers={"content-security-policy": STATIC_POLICY, "cache-control": "no-store"},
        render_error=render_error,
        warm=partial(warm, pages),
        drain=drain,
        close=views.close,
    )


def _build_comments(
    services: Services, links: Links, pages: InvoicePages, threads: Threads, problems: Problems
) -> Comments:
    posting = CommentPosting(
        links=links,
        database=services.database,
        sealer=services.sealer,
        clock=services.clock,
        code_limit=build_limit(services, "code", _CODES_PER_MINUTE),
        proof_counts=ProofCounts(services.metrics),
    )
    return Comments(
        links=links,
        threads=threads,
        posting=posting,
        answers=CommentAnswers(pages=pages, forms=services.forms, problems=problems),
        database=services.database,
        sealer=services.sealer,
        clock=services.clock,
        metrics=services.metrics,
    )


@route("/robots.txt", http_method=[HttpMethod.GET, HttpMethod.HEAD], name="robots", media_type=MediaType.TEXT)
async def show_robots() -> Response[bytes]:
    """Return robots.txt: it allows fetching, because the "noindex" of the pages must be read."""
    return Response(_ROBOTS, headers={"cache-control": REVALIDATE})
