"""Mail about comments: the link in each such mail ends it for one invoice and one address, without signing in."""

from __future__ import annotations

from typing import Final

from litestar import HttpMethod, Response, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from tenants.comments import actions
from tenants.comments.mute import MutedThread, read_mute_token
from tenants.comments.queries import list_muted
from tenants.invoices.queries import load_invoice
from web.http.context import GatewayRequest
from web.http.surface import KIBIBYTE
from web.portal.account.pages import AccountPages
from web.portal.account.values import MutePage

# The token proves who may do this: whoever got the mail. A form token would prove no more, and RFC 8058 has mail
# programs post to this address without one, with a body that says no more than the address does.
_LARGEST_FORM: Final = 4 * KIBIBYTE


class Mutes:
    """Mutes and unmutes threads for the address of a token."""

    def __init__(self, pages: AccountPages) -> None:
        """Show the page by `pages`."""
        self._pages = pages

    async def show(self, request: GatewayRequest, token: str) -> Response[bytes]:
        """Show how it is now, with the button that changes it; Missing("mute.not_found") for a bad token."""
        thread = self._read(request, token)
        async with self._pages.open_unit(request, read_only=True):
            invoice = await load_invoice(thread.invoice_id)
            is_muted = thread.email in await list_muted(thread.invoice_id)
        return self._show(request, token, thread, number=invoice.number or "", is_muted=is_muted)

    async def mute(self, request: GatewayRequest, token: str, *, is_muted: bool) -> Response[bytes]:
        """Mute or unmute the thread, and show how it is then; Missing for a bad token."""
        thread = self._read(request, token)
        async with self._pages.open_unit(request):
            invoice = await load_invoice(thread.invoice_id)
            change = actions.mute_thread if is_muted else actions.unmute_thread
            await change(thread.invoice_id, thread.email)
        return self._show(request, token, thread, number=invoice.number or "", is_muted=is_muted)

    def _read(self, request: GatewayRequest, token: str) -> MutedThread:
        return read_mute_token(self._pages.sealer, request.context.workspace.workspace_id, token)

    def _show(
        self, request: GatewayRequest, token: str, thread: MutedThread, *, number: str, is_muted: bool
    ) -> Response[bytes]:
        language = self._pages.load_language(request)
        if is_muted:
            heading = language.gettext("No more e-mail about these comments")
        else:
            heading = language.gettext("E-mail about comments")
        page = MutePage(
            self._pages.build_frame(request, language, heading),
            invoice=language.gettext("Invoice %(number)s") % {"number": number},
            email=thread.email,
            is_muted=is_muted,
            mute_url=f"/mute/{token}",
            unmute_url=f"/unmute/{token}",
        )
        return self._pages.respond(request, "mute.html.jinja", page, language)


@route("/mute/{token:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], name="mute")
async def show_mute(
    request: GatewayRequest, token: FromPath[str], mutes: NamedDependency[Mutes]
) -> Response[bytes]:
    """Show whether mail is sent."""
    return await mutes.show(request, token)


@post("/mute/{token:str}", name="mute_post", request_max_body_size=_LARGEST_FORM, status_code=200)
async def mute_thread(
    request: GatewayRequest, token: FromPath[str], mutes: NamedDependency[Mutes]
) -> Response[bytes]:
    """Send no more mail: the button of the page, and the one-click unsubscription of mail programs (RFC 8058)."""
    return await mutes.mute(request, token, is_muted=True)


@post("/unmute/{token:str}", name="unmute", request_max_body_size=_LARGEST_FORM, status_code=200)
async def unmute_thread(
    request: GatewayRequest, token: FromPath[str], mutes: NamedDependency[Mutes]
) -> Response[bytes]:
    """Send mail again."""
    return await mutes.mute(request, token, is_muted=False)
