"""Answers to what customers send to a thread, for browsers with and without a script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from litestar import MediaType, Response

from web.http.errors import STATUS, format_retry_after
from web.http.negotiation import prefers_json
from web.http.security import DATA_POLICY
from web.http.templates import load_words
from web.portal.comments.posting import PROOF_REQUIRED
from web.portal.invoice_page import PAGE_FORMS, Visit
from web.portal.language import resolve_locale
from web.portal.thread.composer import Refusal, TypedFields, sends_to_contacts_only
from web.portal.thread.model import EditAttempt
from web.portal.thread.values import Challenge
from web.portal.thread.words import describe_challenge, explain_refusal

if TYPE_CHECKING:
    from litestar.datastructures import Cookie

    from kernel.errors import PortalError
    from kernel.language import Language
    from tenants.comments.values import PostedComment
    from tenants.ids import CommentId
    from tenants.invoices.values import InvoiceAccess
    from web.http.context import GatewayRequest
    from web.http.errors import Problems
    from web.http.forms import FormTokens
    from web.http.responses import Body
    from web.http.sessions import Session
    from web.portal.comments.posting import CommentForm
    from web.portal.invoice_page import InvoicePages


@dataclass(frozen=True, slots=True)
class OpenedThread:
    """An invoice that a request opened, with the browser's session."""

    token: str
    access: InvoiceAccess
    session: Session
    cookies: tuple[Cookie, ...] = ()

    @property
    def path(self) -> str:
        """The path of the page; without a link it cannot be opened once the session has ended."""
        return f"/i/{self.token}"


class CommentAnswers:
    """Confirms and refuses: by the page with all that was typed, or by a document for a script."""

    def __init__(self, *, pages: InvoicePages, forms: FormTokens, problems: Problems) -> None:
        """Show refusals on the pages of `pages`, or as documents of `problems`."""
        self._pages = pages
        self._forms = forms
        self._problems = problems

    def confirm_post(self, request: GatewayRequest, opened: OpenedThread, posted: PostedComment) -> Body:
        """Lead to the comment that was written, or tell the script its id."""
        comment_id = posted.comment.comment_id
        return self.confirm(
            request,
            opened,
            f"#comment-{comment_id}",
            {"comment_id": str(comment_id), "is_new": posted.is_new},
            status_code=201 if posted.is_new else 200,
        )

    def confirm(
        self,
        request: GatewayRequest,
        opened: OpenedThread,
        fragment: str,
        members: dict[str, object],
        status_code: int = 200,
    ) -> Body:
        """Lead back to the page, or send `members` to the script with tokens that fit the session."""
        if not prefers_json(request.get_header("accept")):
            return Response(
                b"",
                status_code=303,
                media_type=MediaType.TEXT,
                headers={"location": opened.path + fragment},
                cookies=opened.cookies,
            )
        return Response(
            msgspec.json.encode(members | self._issue_token(request, opened)),
            status_code=status_code,
            media_type=MediaType.JSON,
            headers={"content-security-policy": DATA_POLICY, "vary": "accept, cookie"},
            cookies=opened.cookies,
        )

    async def refuse(
        self,
        request: GatewayRequest,
        opened: OpenedThread,
        error: PortalError,
        *,
        typed: TypedFields,
        form: CommentForm,
    ) -> Body:
        """Answer why a comment was not stored: by the page with all that was typed, or by a problem document."""
        language = self._load_language(request, opened)
        refusal = _describe(error, form, opened.access, language, address=typed.email)
        if prefers_json(request.get_header("accept")):
            return self._render_problem(request, opened, error, refusal)
        visit = Visit(
            opened.token,
            opened.access,
            opened.session,
            cookies=opened.cookies,
            typed=typed,
            refusal=refusal,
            status_code=refusal.status,
        )
        return await self._pages.show(request, visit)

    async def refuse_edit(
        self,
        request: GatewayRequest,
        opened: OpenedThread,
        error: PortalError,
        comment_id: CommentId,
        body: str,
    ) -> Body:
        """Answer why a comment was not changed, with the text that was typed in its form."""
        _, text = explain_refusal(error, self._load_language(request, opened))
        refusal = Refusal(STATUS[error.kind], error.code, {"body": text}, text)
        if prefers_json(request.get_header("accept")):
            return self._render_problem(request, opened, error, refusal)
        visit = Visit(
            opened.token,
            opened.access,
            opened.session,
            # NUL marks a slot where text is part of a section (web/http/sections.py).
            edit_attempt=EditAttempt(comment_id, body.replace("\0", ""), text),
            status_code=refusal.status,
        )
        return await self._pages.show(request, visit)

    def _render_problem(
        self, request: GatewayRequest, opened: OpenedThread, error: PortalError, refusal: Refusal
    ) -> Body:
        members: dict[str, object] = {"detail": refusal.detail, "errors": refusal.errors}
        if refusal.challenge is not Challenge.NONE:
            members["proof"] = refusal.challenge.value
        description = self._problems.describe(request, error)
        response = self._problems.render(request, description, {"vary": "accept, accept-language, cookie"})
        problem = msgspec.json.decode(response.content) | members | self._issue_token(request, opened)
        response.content = msgspec.json.encode(problem)
        if refusal.retry_after_s is not None:
            response.headers["retry-after"] = format_retry_after(refusal.retry_after_s)
        response.cookies.extend([*opened.cookies, *request.make_session_cookies(opened.session)])
        return response

    def _issue_token(self, request: GatewayRequest, opened: OpenedThread) -> dict[str, object]:
        """Return a token for the page's forms: that of the page no longer fits a session that has just begun."""
        return {"form_token": self._forms.issue(request.context, opened.session, PAGE_FORMS)}

    def _load_language(self, request: GatewayRequest, opened: OpenedThread) -> Language:
        profile = request.context.workspace
        return load_words(
            resolve_locale(opened.access.invoice.locale, profile.locale, request.chosen_language)
        )


def _describe(
    error: PortalError, form: CommentForm, access: InvoiceAccess, language: Language, *, address: str
) -> Refusal:
    """Return what the form says about an error, and what it asks for next."""
    challenge = _choose_challenge(error, form)
    status, seconds = STATUS[error.kind], error.data.get("retry_after_s")
    retry_after_s = float(seconds) if isinstance(seconds, int | float) else None
    if error.code == PROOF_REQUIRED:
        is_uniform = sends_to_contacts_only(access.authority)
        detail = describe_challenge(challenge, language, address=address, is_uniform=is_uniform)
        return Refusal(status, error.code, {}, detail, challenge, retry_after_s)
    field, text = explain_refusal(error, language)
    return Refusal(status, error.code, {field: text}, text, challenge, retry_after_s)


def _choose_challenge(error: PortalError, form: CommentForm) -> Challenge:
    if error.code == PROOF_REQUIRED:
        return Challenge(str(error.data["proof"]))
    if error.code.startswith("totp."):
        return Challenge.TOTP
    # A field that was filled in stays, whatever else is wrong.
    return Challenge.CODE if form.code or form.resend or error.code.startswith("code.") else Challenge.NONE
