"""Sessions of a person, which can be ended, and what they have beside the e-mail address: an authenticator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec
from litestar import HttpMethod, Response, post, route
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody

from kernel.clock import find_zone
from kernel.errors import Denied, Missing, PortalError
from tenants.access import actions, queries
from tenants.customers.queries import list_contacts_by_email
from tenants.ids import SessionId
from web.http.context import GatewayRequest
from web.http.errors import STATUS
from web.http.forms import PURPOSE
from web.http.surface import KIBIBYTE
from web.http.templates import mark_text as _
from web.portal.account.pages import (
    SIGN_IN_PATH,
    AccountPages,
    build_actor,
    redirect,
    redirect_to_sign_in,
)
from web.portal.account.user_agents import describe_user_agent
from web.portal.account.values import RecoveryPage, SecurityPage, SessionRow
from web.portal.account.words import explain

if TYPE_CHECKING:
    from kernel.language import Language
    from tenants.access.values import AuthenticatorState, Session, SessionSummary

SECURITY_PATH: Final = "/security"
_FORM: Final = "security"
_OPT: Final = {PURPOSE: _FORM}
_LARGEST_FORM: Final = 4 * KIBIBYTE
_OTHERS: Final = "others"
#: What a redirect to the page reports, by a word in its query.
_NOTICES: Final = {
    "ended": _("The session has ended."),
    "others": _("All other sessions have ended."),
    "removed": _("The authenticator was removed."),
}


class SessionChoice(msgspec.Struct):
    """Which session to end: an id, or "others"."""

    session: str = ""


class AuthenticatorCode(msgspec.Struct):
    """A code of the authenticator, which what is asked for needs."""

    code: str = ""


@dataclass(frozen=True, slots=True)
class SecurityContent:
    """What was read for the page."""

    sessions: tuple[SessionSummary, ...]
    authenticator: AuthenticatorState | None
    is_contact: bool


class Security:
    """Shows and ends sessions; removes the authenticator and replaces its recovery codes."""

    def __init__(self, pages: AccountPages) -> None:
        """Show the page by `pages`."""
        self._pages = pages

    async def show(self, request: GatewayRequest, notice: str) -> Response[bytes]:
        """Show the page to somebody who has signed in; anybody else signs in first."""
        session = await self._pages.find_signed_in(request)
        if session is None:
            return redirect_to_sign_in(SECURITY_PATH)
        return await self._show(request, session, notice=notice)

    async def _show(
        self,
        request: GatewayRequest,
        session: Session,
        *,
        notice: str = "",
        code_error: PortalError | None = None,
    ) -> Response[bytes]:
        content = await self._read(request, session)
        language = await self._pages.load_person_language(request, session)
        heading = language.gettext("Sign-in and security")
        state = content.authenticator
        left = 0 if state is None else state.recovery_codes_left
        words = language.ngettext("%(n)s recovery code is left.", "%(n)s recovery codes are left.", left)
        page = SecurityPage(
            self._pages.build_frame(request, language, heading, email=session.subject.id),
            token=self._pages.issue_token(request, _FORM),
            sessions=tuple(
                self._build_row(request, each, language, is_current=each.session_id == session.session_id)
                for each in content.sessions
            ),
            has_others=len(content.sessions) > 1,
            has_authenticator=state is not None,
            can_enrol=content.is_contact,
            codes_words=words % {"n": left},
            notice=language.gettext(_NOTICES[notice]) if notice in _NOTICES else "",
            code_error=explain(code_error, language) if code_error else "",
        )
        status_code = STATUS[code_error.kind] if code_error else 200
        return self._pages.respond(request, "security.html.jinja", page, language, status_code=status_code)

    async def end_sessions(self, request: GatewayRequest, choice: str) -> Response[bytes]:
        """End a session of the person, or all others; Missing("session.not_found") for one that is not theirs."""
        session = await self._pages.find_signed_in(request)
        if session is None:
            return redirect_to_sign_in(SECURITY_PATH)
        scope = self._pages.open_unit(request, session=session)
        if choice == _OTHERS:
            async with scope:
                await actions.revoke_other_sessions(session.subject, keep=session.session_id)
            return redirect(f"{SECURITY_PATH}?done=others")
        session_id = _read_session_id(choice)
        async with scope:
            await actions.revoke_session(session_id, session.subject)
        if session_id == session.session_id:
            return redirect(SIGN_IN_PATH, cookies=[request.context.cookie_jar.make_ended_cookie()])
        return redirect(f"{SECURITY_PATH}?done=ended")

    async def remove_authenticator(self, request: GatewayRequest, code: str) -> Response[bytes]:
        """Remove the person's authenticator, if the code is one of it or a recovery code."""
        session = await self._pages.find_signed_in(request)
        refusal = await self._check(request, session, code)
        if session is None or refusal is not None:
            return refusal or redirect_to_sign_in(SECURITY_PATH)
        async with self._pages.open_unit(request, session=session):
            await actions.remove_authenticator(session.subject)
        return redirect(f"{SECURITY_PATH}?done=removed")

    async def replace_recovery_codes(self, request: GatewayRequest, code: str) -> Response[bytes]:
        """Show new recovery codes, if the code is one of the authenticator or one of the old ones."""
        session = await self._pages.find_signed_in(request)
        refusal = await self._check(request, session, code)
        if session is None or refusal is not None:
            return refusal or redirect_to_sign_in(SECURITY_PATH)
        codes = await actions.replace_recovery_codes(
            self._pages.database,
            request.context.workspace.workspace_id,
            session.subject,
            actor=build_actor(request, session),
        )
        language = await self._pages.load_person_language(request, session)
        heading = language.gettext("Your new recovery codes")
        page = RecoveryPage(
            self._pages.build_frame(request, language, heading, email=session.subject.id),
            codes=codes,
            target=SECURITY_PATH,
            intro=language.gettext("The earlier ones no longer work."),
        )
        return self._pages.respond(request, "recovery_codes.html.jinja", page, language)

    async def _check(
        self, request: GatewayRequest, session: Session | None, code: str
    ) -> Response[bytes] | None:
        """Use up a code of the authenticator; return the page that says what is wrong, None if it was right."""
        if session is None:
            return redirect_to_sign_in(SECURITY_PATH)
        workspace_id = request.context.workspace.workspace_id
        try:
            with self._pages.proof_counts.totp_check():
                await actions.check_totp(
                    self._pages.database, workspace_id, session.subject, code, self._pages.sealer
                )
        except Denied as error:
            return await self._show(request, session, code_error=error)
        except Missing:
            # It was removed meanwhile, in another tab.
            return redirect(SECURITY_PATH)
        return None

    async def _read(self, request: GatewayRequest, session: Session) -> SecurityContent:
        async with self._pages.open_unit(request, read_only=True):
            return SecurityContent(
                await queries.list_sessions(session.subject),
                await queries.find_authenticator(session.subject),
                bool(await list_contacts_by_email(session.subject.id)),
            )

    def _build_row(
        self, request: GatewayRequest, session: SessionSummary, language: Language, *, is_current: bool
    ) -> SessionRow:
        zone = find_zone(request.context.workspace.time_zone)
        return SessionRow(
            id=str(session.session_id),
            browser=describe_user_agent(session.user_agent, language),
            network=session.address_prefix,
            used_text=language.format_datetime(session.used_at, zone),
            used_iso=session.used_at.isoformat(timespec="seconds"),
            begun_text=language.format_datetime(session.created_at, zone),
            begun_iso=session.created_at.isoformat(timespec="seconds"),
            is_current=is_current,
        )


def _read_session_id(text: str) -> SessionId:
    try:
        return SessionId(UUID(text))
    except ValueError:
        raise Missing("session.not_found", "There is no such session.") from None


@route(SECURITY_PATH, http_method=[HttpMethod.GET, HttpMethod.HEAD], name="security")
async def show_security(request: GatewayRequest, security: NamedDependency[Security]) -> Response[bytes]:
    """Show sessions and the authenticator."""
    return await security.show(request, request.query_params.get("done", ""))


@post("/security/sessions", name="security_sessions", opt=_OPT, request_max_body_size=_LARGEST_FORM)
async def end_sessions(
    request: GatewayRequest, data: URLEncodedBody[SessionChoice], security: NamedDependency[Security]
) -> Response[bytes]:
    """End one session or all others."""
    return await security.end_sessions(request, data.session)


@post("/security/authenticator", name="security_authenticator", opt=_OPT, request_max_body_size=_LARGEST_FORM)
async def remove_authenticator(
    request: GatewayRequest, data: URLEncodedBody[AuthenticatorCode], security: NamedDependency[Security]
) -> Response[bytes]:
    """Remove the authenticator."""
    return await security.remove_authenticator(request, data.code)


@post("/security/recovery-codes", name="security_codes", opt=_OPT, request_max_body_size=_LARGEST_FORM)
async def replace_recovery_codes(
    request: GatewayRequest, data: URLEncodedBody[AuthenticatorCode], security: NamedDependency[Security]
) -> Response[bytes]:
    """Replace the recovery codes."""
    return await security.replace_recovery_codes(request, data.code)
