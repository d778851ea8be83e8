"""Setting up an authenticator: a key to scan or to type, one code that confirms it, recovery codes shown once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
from litestar import HttpMethod, Response, post, route
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody
from markupsafe import Markup

from kernel.errors import Conflict, Denied, Missing, PortalError
from tenants.access import actions
from tenants.access.qr import draw_qr
from tenants.customers.queries import list_contacts_by_email
from web.http.context import GatewayRequest
from web.http.errors import STATUS
from web.http.forms import PURPOSE
from web.http.sessions import Session as BrowserSession
from web.http.surface import KIBIBYTE
from web.portal.account.pages import (
    AccountPages,
    build_actor,
    make_new_cookie,
    redirect,
    redirect_to_sign_in,
)
from web.portal.account.paths import HOME, add_next, parse_next
from web.portal.account.security import SECURITY_PATH
from web.portal.account.values import EnrolmentPage, RecoveryPage
from web.portal.account.words import explain

if TYPE_CHECKING:
    from tenants.access.values import Session

ENROLMENT_PATH: Final = "/authenticator"
_FORM: Final = "enrolment"
_GROUP: Final = 4


class FirstCode(msgspec.Struct):
    """The form with the code that confirms the authenticator."""

    code: str = ""
    next: str = ""


class Enrolments:
    """Sets up authenticators of contacts."""

    def __init__(self, pages: AccountPages) -> None:
        """Show the steps by `pages`."""
        self._pages = pages

    async def show(
        self, request: GatewayRequest, target: str, *, code_error: PortalError | None = None
    ) -> Response[bytes]:
        """Show the key of a new authenticator; loaded again within some minutes, the page shows the same key.

        Somebody who has an authenticator, or whose address is no contact's, has nothing to set up and goes back.
        """
        session = await self._pages.find_signed_in(request)
        if session is None:
            return redirect_to_sign_in(add_next(ENROLMENT_PATH, target))
        try:
            async with self._pages.open_unit(request):
                if not await list_contacts_by_email(session.subject.id):
                    return redirect(SECURITY_PATH)
                enrolment = await actions.begin_enrolment(
                    session.subject, sealer=self._pages.sealer, browser_hash=session.browser_hash
                )
        except Conflict:
            return redirect(_choose_target(target))
        # Drawing takes some milliseconds.
        qr = await asyncio.to_thread(draw_qr, enrolment.uri)
        language = await self._pages.load_person_language(request, session)
        heading = language.gettext("Set up an authenticator")
        page = EnrolmentPage(
            self._pages.build_frame(request, language, heading, email=session.subject.id),
            token=self._pages.issue_token(request, _FORM),
            target=target,
            # A library drew it: paths without any text.
            qr=Markup(qr),  # noqa: S704
            key=" ".join(
                enrolment.secret[place : place + _GROUP] for place in range(0, len(enrolment.secret), _GROUP)
            ),
            uri=enrolment.uri,
            code_error=explain(code_error, language) if code_error else "",
        )
        status_code = STATUS[code_error.kind] if code_error else 200
        return self._pages.respond(
            request, "authenticator.html.jinja", page, language, status_code=status_code
        )

    async def confirm(self, request: GatewayRequest, code: str, target: str) -> Response[bytes]:
        """Confirm the authenticator with one code of it, and show its recovery codes."""
        session = await self._pages.find_signed_in(request)
        if session is None:
            return redirect_to_sign_in(add_next(ENROLMENT_PATH, target))
        pages, workspace_id = self._pages, request.context.workspace.workspace_id
        try:
            with pages.proof_counts.totp_check():
                codes = await actions.confirm_enrolment(
                    pages.database,
                    workspace_id,
                    session.subject,
                    code,
                    pages.sealer,
                    actor=build_actor(request, session),
                )
        except Denied as error:
            return await self.show(request, target, code_error=error)
        except Missing:
            # It was confirmed already, or never begun: the page shows which.
            return redirect(add_next(ENROLMENT_PATH, target))
        return await self._show_codes(request, session, codes, target)

    async def _show_codes(
        self, request: GatewayRequest, session: Session, codes: tuple[str, ...], target: str
    ) -> Response[bytes]:
        pages = self._pages
        async with pages.open_unit(request):
            elevated = await actions.prove_totp(session.session_id, sealer=pages.sealer)
        language = await pages.load_person_language(request, session)
        heading = language.gettext("Your recovery codes")
        # The forms of this page belong to the cookie that it brings.
        browser_session = BrowserSession(elevated.value, is_new=False)
        page = RecoveryPage(
            pages.build_frame(request, language, heading, email=session.subject.id, session=browser_session),
            codes=codes,
            target=_choose_target(target),
            intro=language.gettext("The authenticator is set up."),
        )
        return pages.respond(
            request,
            "recovery_codes.html.jinja",
            page,
            language,
            cookies=[make_new_cookie(request, elevated)],
        )


def _choose_target(target: str) -> str:
    return SECURITY_PATH if target == HOME else target


@route(ENROLMENT_PATH, http_method=[HttpMethod.GET, HttpMethod.HEAD], name="authenticator")
async def show_enrolment(request: GatewayRequest, enrolments: NamedDependency[Enrolments]) -> Response[bytes]:
    """Show the key of a new authenticator."""
    return await enrolments.show(request, parse_next(request.query_params.get("next", "")))


@post(
    ENROLMENT_PATH,
    name="authenticator_code",
    opt={PURPOSE: _FORM},
    request_max_body_size=4 * KIBIBYTE,
)
async def confirm_enrolment(
    request: GatewayRequest, data: URLEncodedBody[FirstCode], enrolments: NamedDependency[Enrolments]
) -> Response[bytes]:
    """Confirm the authenticator with one code of it."""
    return await enrolments.confirm(request, data.code, parse_next(data.next))
