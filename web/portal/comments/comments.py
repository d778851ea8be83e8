"""What customers do in a thread: write, change, delete, see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from litestar import MediaType, Response

from kernel.errors import Denied, Kind, PortalError
from tenants.access import actions as access_actions
from tenants.access.values import ABSOLUTE_LIMIT
from tenants.comments import actions
from tenants.comments.values import Side
from web.http.context import LANGUAGE_COOKIE
from web.http.negotiation import prefers_json
from web.portal.comments.answers import OpenedThread
from web.portal.comments.posting import (
    PROOF_REQUIRED,
    Attempt,
    build_actor,
    build_author,
    renew_session,
)
from web.portal.thread.composer import TypedFields, find_missing, find_writer, list_proofs

if TYPE_CHECKING:
    from litestar.datastructures import Cookie

    from kernel.clock import Clock
    from kernel.seals import Sealer
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.ids import CommentId
    from web.http.context import GatewayRequest
    from web.http.responses import Body
    from web.portal.comments.answers import CommentAnswers
    from web.portal.comments.posting import CommentForm, CommentPosting
    from web.portal.links import Links
    from web.portal.thread.threads import Threads

# Other errors are answered by the surface: a miss says nothing, and without Postgres no page can be shown.
_REFUSALS: Final = frozenset({Kind.DENIED, Kind.CONFLICT, Kind.INVALID, Kind.THROTTLED})


class Comments:
    """Answers what customers send to a thread."""

    def __init__(
        self,
        *,
        links: Links,
        threads: Threads,
        posting: CommentPosting,
        answers: CommentAnswers,
        database: Database,
        sealer: Sealer,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        """Answer by `answers`."""
        self._links = links
        self._threads = threads
        self._posting = posting
        self._answers = answers
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._metrics = metrics

    async def post(self, request: GatewayRequest, token: str, form: CommentForm) -> Body:
        """Write a comment, or answer what is missing for it; Missing as for the page."""
        profile, session = request.context.workspace, request.browser_session
        access = await self._links.open(profile, token, session)
        loaded = await self._threads.load(profile, access)
        writer = find_writer(access, self._threads.list_own(loaded, access, session))
        attempt = Attempt(token, form, access, session, request.get_header("user-agent") or "")
        try:
            if request.form_refusal is not None:
                raise request.form_refusal
            posted = await self._posting.write(request, attempt, writer)
        except PortalError as error:
            if error.kind not in _REFUSALS:
                raise
            self._metrics.comments_refused.labels(error.code).inc()
            # With the same bad id the form would be refused for ever.
            client_id = "" if error.code == "comment.client_id" else form.client_id
            typed = TypedFields(client_id, form.name or writer.name, form.email or writer.email, form.body)
            return await self._answers.refuse(
                request, _conclude(request, attempt), error, typed=typed, form=form
            )
        self._metrics.comments_posted.labels("stored" if posted.is_new else "repeated").inc()
        return self._answers.confirm_post(request, _conclude(request, attempt), posted)

    async def edit(self, request: GatewayRequest, token: str, comment_id: CommentId, body: str) -> Body:
        """Change a comment of this browser's; Missing as for the page, and without such a comment."""
        opened = await self._open(request, token)
        access = opened.access
        author = build_author(access, opened.session, self._sealer)

        async def edit() -> None:
            await renew_session(access, self._clock)
            await actions.edit_comment(access.invoice.invoice_id, comment_id, author, body, self._clock)

        try:
            if request.form_refusal is not None:
                raise request.form_refusal
            if find_missing(access, list_proofs(access)):
                raise Denied(PROOF_REQUIRED, "More proofs are required than when the comment was written.")
            await self._database.run(
                request.context.workspace.workspace_id, edit, actor=build_actor(access, request.context)
            )
        except PortalError as error:
            if error.kind not in _REFUSALS or error.code == "comment.not_own":
                raise
            return await self._answers.refuse_edit(request, opened, error, comment_id, body)
        return self._answers.confirm(
            request, opened, f"#comment-{comment_id}", {"comment_id": str(comment_id)}
        )

    async def delete(self, request: GatewayRequest, token: str, comment_id: CommentId) -> Body:
        """Delete a comment of this browser's; Missing as for the page, and without such a comment."""
        opened = await self._open(request, token)
        access = opened.access
        author = build_author(access, opened.session, self._sealer)

        async def delete() -> None:
            await renew_session(access, self._clock)
            await actions.delete_comment(access.invoice.invoice_id, comment_id, author, self._clock)

        await self._database.run(
            request.context.workspace.workspace_id, delete, actor=build_actor(access, request.context)
        )
        return self._answers.confirm(
            request, opened, f"#comment-{comment_id}", {"comment_id": str(comment_id)}
        )

    async def mark_seen(self, request: GatewayRequest, token: str, seq: int) -> Body:
        """Record that the customer has seen the comments up to a place in the customers' stream."""
        profile, opened = request.context.workspace, await self._open(request, token)
        loaded = await self._threads.load(profile, opened.access)
        # The page knows nothing of the counter that counts notes too.
        shown = [each.staff_seq for each in loaded.view.comments if (each.public_seq or 0) <= seq]
        if shown:
            invoice_id = opened.access.invoice.invoice_id

            async def mark() -> None:
                await actions.mark_seen(invoice_id, Side.CUSTOMER, max(shown), self._clock)

            await self._database.run(
                profile.workspace_id, mark, actor=build_actor(opened.access, request.context)
            )
        return Response(b"", status_code=204, media_type=MediaType.TEXT)

    async def forget(self, request: GatewayRequest, token: str) -> Body:
        """End the browser's session and remove everything that this host has stored in the browser."""
        opened = await self._open(request, token)
        visitor = opened.access.visitor
        if visitor is not None:
            async with self._database.scope(request.context.workspace.workspace_id):
                await access_actions.end_session(visitor.session.session_id)
        jar = request.context.cookie_jar
        is_document = prefers_json(request.get_header("accept"))
        # Without a link the invoice is opened by the session alone.
        location = opened.path if opened.access.invoice.link_id is not None else "/"
        return Response(
            b"",
            status_code=204 if is_document else 303,
            media_type=MediaType.TEXT,
            # For browsers without a script, where the page cannot remove its drafts itself.
            headers={"clear-site-data": '"storage"'} | ({} if is_document else {"location": location}),
            cookies=[jar.make_ended_cookie(), jar.make(LANGUAGE_COOKIE, "", max_age=0)],
        )

    async def _open(self, request: GatewayRequest, token: str) -> OpenedThread:
        session = request.browser_session
        return OpenedThread(token, await self._links.open(request.context.workspace, token, session), session)


def _conclude(request: GatewayRequest, attempt: Attempt) -> OpenedThread:
    """Return what an attempt has become: a session that was begun needs its cookie."""
    cookies: tuple[Cookie, ...] = ()
    if attempt.has_new_session:
        max_age = int(ABSOLUTE_LIMIT.total_seconds())
        cookies = (request.context.cookie_jar.make_elevated_cookie(attempt.session.value, max_age=max_age),)
    return OpenedThread(attempt.token, attempt.access, attempt.session, cookies)
