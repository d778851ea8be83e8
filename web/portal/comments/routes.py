"""The routes of a thread."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec
from litestar import HttpMethod, MediaType, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from kernel.live import parse_seq
from tenants.ids import CommentId
from web.http.conditional import PRIVATE_REVALIDATE, add_coding, is_not_modified
from web.http.context import GatewayRequest
from web.http.forms import KEEPS_TEXT, PURPOSE
from web.http.negotiation import accepts_coding
from web.http.responses import Body, respond
from web.http.sections import join_gzipped, join_plain
from web.http.surface import KIBIBYTE, PathLimit, build_limit
from web.portal.comments.comments import Comments
from web.portal.comments.posting import CommentForm
from web.portal.invoice_page import PAGE_FORMS
from web.portal.language import resolve_locale
from web.portal.thread.model import TOKEN_SLOT

if TYPE_CHECKING:
    from web.http.forms import FormTokens
    from web.http.surface import Services
    from web.portal.links import Links
    from web.portal.thread.threads import Threads

# 4,000 characters of UTF-8 are up to 48,000 bytes as they are sent in a form. Texts that are several times too long are
# read too, because the answer to them shows them again.
_MOST_BYTES: Final = 256 * KIBIBYTE
#: A page fetches the thread with each event, and an office shares an address.
_POLLS_PER_PAGE: Final = 5
_POLLS: Final = re.compile(r"/i/[^/]+/(?:thread|seen)")
_WRITES: Final = re.compile(r"/i/[^/]+/(?:comments(?:/.*)?|forget)")
_TEXT_FORM: Final = {PURPOSE: PAGE_FORMS, KEEPS_TEXT: True}
_FORM: Final = {PURPOSE: PAGE_FORMS}


class EditForm(msgspec.Struct):
    """The form that changes a comment."""

    body: str = ""


class SeenForm(msgspec.Struct):
    """What the script of the page reports: the place in the customers' stream up to which comments were visible."""

    seq: str = ""


class ThreadSections:
    """Responds with the section of a thread alone, for pages that refresh it."""

    def __init__(self, *, links: Links, threads: Threads, forms: FormTokens) -> None:
        """Open links by `links`, take sections from `threads` and issue their tokens by `forms`."""
        self._links = links
        self._threads = threads
        self._forms = forms

    async def respond(self, request: GatewayRequest, token: str) -> Body:
        """Return the thread, or 304 while nothing has changed for this browser; Missing as for the page."""
        profile, session = request.context.workspace, request.browser_session
        access = await self._links.open(profile, token, session)
        locale = resolve_locale(access.invoice.locale, profile.locale, request.chosen_language)
        loaded = await self._threads.load(profile, access)
        own = self._threads.list_own(loaded, access, session)
        key = self._threads.make_key(profile, access, own, token=token, locale=locale)
        etag = key.compute_etag(session)
        coding = "gzip" if accepts_coding(request.get_header("accept-encoding"), "gzip") else None
        headers = {
            # Weak: the mask of the tokens differs in each response.
            "etag": f"W/{add_coding(etag, coding)}",
            "cache-control": PRIVATE_REVALIDATE,
            "vary": "accept-encoding, cookie",
        }
        if is_not_modified(request, etag):
            return respond((), media_type=MediaType.HTML, headers=headers, status_code=304)
        thread = await self._threads.render(key, loaded)
        slots = {TOKEN_SLOT: self._forms.issue(request.context, session, PAGE_FORMS).encode()}
        if coding:
            headers["content-encoding"] = coding
        join = join_gzipped if coding else join_plain
        return respond(
            join((thread.section,), slots),
            media_type=MediaType.HTML,
            headers=headers,
            cookies=request.context.cookie_jar.make_session_cookies(session),
        )


def build_limits(services: Services) -> tuple[PathLimit, ...]:
    """Return the limits of the routes of a thread: polling and writing do not use up the limit of pages."""
    per_minute = services.settings.page_limit_per_minute
    return (
        PathLimit(_POLLS, build_limit(services, "poll", per_minute * _POLLS_PER_PAGE)),
        PathLimit(_WRITES, build_limit(services, "comment", per_minute)),
    )


@route("/i/{token:str}/thread", http_method=[HttpMethod.GET, HttpMethod.HEAD], name="thread")
async def show_thread(
    request: GatewayRequest, token: FromPath[str], thread_sections: NamedDependency[ThreadSections]
) -> Body:
    """Return the thread as a part of the page."""
    return await thread_sections.respond(request, token)


@post("/i/{token:str}/comments", name="comment", opt=_TEXT_FORM, request_max_body_size=_MOST_BYTES)
async def write_comment(
    request: GatewayRequest,
    token: FromPath[str],
    data: URLEncodedBody[CommentForm],
    comments: NamedDependency[Comments],
) -> Body:
    """Write a comment."""
    return await comments.post(request, token, data)


@post(
    "/i/{token:str}/comments/{comment_id:uuid}/edit",
    name="comment_edit",
    opt=_TEXT_FORM,
    request_max_body_size=_MOST_BYTES,
)
async def edit_comment(
    request: GatewayRequest,
    token: FromPath[str],
    comment_id: FromPath[UUID],
    data: URLEncodedBody[EditForm],
    comments: NamedDependency[Comments],
) -> Body:
    """Change one's own comment."""
    return await comments.edit(request, token, CommentId(comment_id), data.body)


@post(
    "/i/{token:str}/comments/{comment_id:uuid}/delete",
    name="comment_delete",
    opt=_FORM,
    request_max_body_size=4 * KIBIBYTE,
)
async def delete_comment(
    request: GatewayRequest,
    token: FromPath[str],
    comment_id: FromPath[UUID],
    comments: NamedDependency[Comments],
) -> Body:
    """Delete one's own comment."""
    return await comments.delete(request, token, CommentId(comment_id))


@post("/i/{token:str}/seen", name="thread_seen", opt=_FORM, request_max_body_size=4 * KIBIBYTE)
async def report_seen(
    request: GatewayRequest,
    token: FromPath[str],
    data: URLEncodedBody[SeenForm],
    comments: NamedDependency[Comments],
) -> Body:
    """Take the report of the page that comments were visible."""
    try:
        seq = parse_seq(data.seq)
    except ValueError:
        seq = 0
    return await comments.mark_seen(request, token, seq)


@post("/i/{token:str}/forget", name="thread_forget", opt=_FORM)
async def forget_browser(
    request: GatewayRequest, token: FromPath[str], comments: NamedDependency[Comments]
) -> Body:
    """Forget who writes in this browser."""
    return await comments.forget(request, token)


#: The routes that change something; they need the guard of forms.
WRITING_ROUTES: Final = (write_comment, edit_comment, delete_comment, report_seen, forget_browser)
