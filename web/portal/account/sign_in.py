"""Signing in: an address, the code that was sent to it, and the code of the authenticator if there is one."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

import msgspec
from litestar import HttpMethod, Response, post, route
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody

from kernel.client_addresses import format_network
from kernel.errors import Denied, Invalid, Missing, PortalError, Throttled
from kernel.identifiers import check_email
from tenants.access import actions
from tenants.access.values import CodePurpose
from web.http.context import GatewayRequest
from web.http.errors import STATUS
from web.http.forms import PURPOSE
from web.http.surface import KIBIBYTE
from web.http.templates import mark_text as _
from web.portal.account.pages import (
    SIGN_IN_PATH,
    SIGN_OUT_FORM,
    AccountPages,
    make_new_cookie,
    redirect,
)
from web.portal.account.paths import add_next, parse_next
from web.portal.account.values import SignInPage
from web.portal.account.words import explain

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network


_FORM: Final = "sign_in"
_OPT: Final = {PURPOSE: _FORM}
_LARGEST_FORM: Final = 4 * KIBIBYTE
_SENT: Final = _(
    "If %(email)s is known here, a code is on its way to it. It can be used for ten minutes, in this browser."
)


class AddressForm(msgspec.Struct):
    """The first step."""

    email: str = ""
    next: str = ""


class CodeForm(msgspec.Struct):
    """The second step; `again` is the button that asks for a new code."""

    email: str = ""
    code: str = ""
    next: str = ""
    again: str = ""


class AuthenticatorForm(msgspec.Struct):
    """The third step."""

    code: str = ""
    next: str = ""


class SignIn:
    """The steps of signing in. Their responses are the same for known and unknown addresses."""

    def __init__(self, pages: AccountPages) -> None:
        """Show the steps by `pages`."""
        self._pages = pages

    async def show(self, request: GatewayRequest, target: str) -> Response[bytes]:
        """Show the step that is missing; somebody who has signed in goes on to `target`."""
        session = await self._pages.find_session(request)
        if session is None or session.email_proven_at is None:
            return self._show(request, "email", target)
        return redirect(target) if session.is_signed_in else self._show(request, "authenticator", target)

    async def request_code(self, request: GatewayRequest, email: str, target: str) -> Response[bytes]:
        """Have a code sent, if the address is that of a contact, and show the step that takes it."""
        try:
            address = check_email(email)
        except Invalid as error:
            return self._show(request, "email", target, email=email, email_error=error)
        session = await self._pages.find_session(request)
        browser_hash = self._pages.compute_browser_hash(request, session)
        try:
            with self._pages.proof_counts.code_request():
                async with self._pages.open_unit(request):
                    await actions.request_code(
                        CodePurpose.SIGN_IN, address, browser_hash=browser_hash, contacts_only=True
                    )
        except Throttled as error:
            return self._show(request, "code", target, email=address, code_error=error)
        return self._show(request, "code", target, email=address, notice=_SENT)

    async def check_code(
        self, request: GatewayRequest, email: str, code: str, target: str
    ) -> Response[bytes]:
        """Begin a session if the code is right; go on to the authenticator or to `target`."""
        pages, workspace_id = self._pages, request.context.workspace.workspace_id
        browser_hash = pages.compute_browser_hash(request, await pages.find_session(request))
        try:
            with pages.proof_counts.code_check():
                code_id = await actions.check_code(
                    pages.database,
                    workspace_id,
                    CodePurpose.SIGN_IN,
                    email,
                    browser_hash=browser_hash,
                    code=code,
                    sealer=pages.sealer,
                )
            async with pages.open_unit(request):
                session = await actions.create_session(
                    code_id,
                    sealer=pages.sealer,
                    user_agent=request.get_header("user-agent") or "",
                    address_prefix=find_network(request),
                )
        except Invalid as error:
            return self._show(request, "email", target, email=email, email_error=error)
        except Denied as error:
            return self._show(request, "code", target, email=email, code_error=error)
        # The page shows the authenticator's step if there is one, and else goes on.
        return redirect(add_next(SIGN_IN_PATH, target), cookies=[make_new_cookie(request, session)])

    async def check_authenticator(self, request: GatewayRequest, code: str, target: str) -> Response[bytes]:
        """Note that the authenticator was used, if the code is right, and go on to `target`."""
        pages, workspace_id = self._pages, request.context.workspace.workspace_id
        session = await pages.find_session(request)
        if session is None or session.is_signed_in:
            # It has ended meanwhile, or there is nothing left to prove.
            return redirect(add_next(SIGN_IN_PATH, target))
        try:
            with pages.proof_counts.totp_check():
                await actions.check_totp(pages.database, workspace_id, session.subject, code, pages.sealer)
            async with pages.open_unit(request):
                elevated = await actions.prove_totp(session.session_id, sealer=pages.sealer)
        except Denied as error:
            return self._show(request, "authenticator", target, code_error=error)
        except Missing:
            return redirect(add_next(SIGN_IN_PATH, target))
        return redirect(target, cookies=[make_new_cookie(request, elevated)])

    async def sign_out(self, request: GatewayRequest) -> Response[bytes]:
        """End the session and forget it in the browser."""
        session = await self._pages.find_session(request)
        if session is not None:
            async with self._pages.open_unit(request):
                await actions.end_session(session.session_id)
        return redirect(SIGN_IN_PATH, cookies=[request.context.cookie_jar.make_ended_cookie()])

    def _show(
        self,
        request: GatewayRequest,
        step: str,
        target: str,
        *,
        email: str = "",
        notice: str = "",
        email_error: PortalError | None = None,
        code_error: PortalError | None = None,
    ) -> Response[bytes]:
        language = self._pages.load_language(request)
        error = email_error or code_error
        page = SignInPage(
            self._pages.build_frame(request, language, language.gettext("Sign in")),
            step=step,
            token=self._pages.issue_token(request, _FORM),
            sign_out_token=self._pages.issue_token(request, SIGN_OUT_FORM),
            email=email,
            target=target,
            restart_url=add_next(SIGN_IN_PATH, target),
            notice=language.gettext(notice) % {"email": email} if notice else "",
            email_error=explain(email_error, language) if email_error else "",
            code_error=explain(code_error, language) if code_error else "",
        )
        return self._pages.respond(
            request, "sign_in.html.jinja", page, language, status_code=STATUS[error.kind] if error else 200
        )


def find_network(request: GatewayRequest) -> IPv4Network | IPv6Network | None:
    """Return the network of the client's address, which is all of it that is stored."""
    try:
        return ip_network(format_network(request.context.address))
    except ValueError:
        return None


@route(SIGN_IN_PATH, http_method=[HttpMethod.GET, HttpMethod.HEAD], name="sign_in")
async def show_sign_in(request: GatewayRequest, sign_in: NamedDependency[SignIn]) -> Response[bytes]:
    """Show the form that signs in."""
    return await sign_in.show(request, parse_next(request.query_params.get("next", "")))


@post(SIGN_IN_PATH, name="sign_in_address", opt=_OPT, request_max_body_size=_LARGEST_FORM)
async def send_address(
    request: GatewayRequest, data: URLEncodedBody[AddressForm], sign_in: NamedDependency[SignIn]
) -> Response[bytes]:
    """Take the address."""
    return await sign_in.request_code(request, data.email, parse_next(data.next))


@post("/sign-in/code", name="sign_in_code", opt=_OPT, request_max_body_size=_LARGEST_FORM)
async def send_code(
    request: GatewayRequest, data: URLEncodedBody[CodeForm], sign_in: NamedDependency[SignIn]
) -> Response[bytes]:
    """Take the code that was sent to the address, or send a new one."""
    target = parse_next(data.next)
    if data.again:
        return await sign_in.request_code(request, data.email, target)
    return await sign_in.check_code(request, data.email, data.code, target)


@post("/sign-in/authenticator", name="sign_in_authenticator", opt=_OPT, request_max_body_size=_LARGEST_FORM)
async def send_authenticator_code(
    request: GatewayRequest, data: URLEncodedBody[AuthenticatorForm], sign_in: NamedDependency[SignIn]
) -> Response[bytes]:
    """Take the code of the authenticator."""
    return await sign_in.check_authenticator(request, data.code, parse_next(data.next))


@post("/sign-out", name="sign_out", opt={PURPOSE: SIGN_OUT_FORM}, request_max_body_size=_LARGEST_FORM)
async def sign_out(request: GatewayRequest, sign_in: NamedDependency[SignIn]) -> Response[bytes]:
    """End the session."""
    return await sign_in.sign_out(request)
