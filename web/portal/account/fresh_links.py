"""Fresh links by mail, for whoever has lost one: the answer is the same for every address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from litestar import MediaType, Response, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody

from kernel.errors import Invalid, PortalError, Throttled
from tenants.invoices.actions import request_fresh_links
from web.http.context import GatewayRequest
from web.http.errors import STATUS
from web.http.security import STATIC_POLICY
from web.http.surface import KIBIBYTE
from web.http.templates import load_words
from web.http.templates import mark_text as _
from web.portal.account.values import FreshLinkPage
from web.portal.account.words import explain

if TYPE_CHECKING:
    from kernel.store import Database
    from web.http.templates import Templates

# The form is on Invoice Not Found, which is the same bytes for everybody and sets no cookie: it can hold no token that
# is bound to a session. It needs none. A token keeps another site from using what the visitor's browser may do, and
# this form uses nothing of it: no cookie is read, and anybody can post an address here without a browser. What is
# misused is bounded where it is stored, for each address. The origin is checked all the same, so that other
# sites cannot have the mails sent from the networks of their visitors.

FRESH_LINKS_PATH: Final = "/links"
_TEXT: Final = _(
    "If invoices were sent to %(email)s, an e-mail with fresh links to them will arrive in a few minutes."
)


class LinkRequest(msgspec.Struct):
    """The form of Invoice Not Found."""

    email: str = ""


class FreshLinks:
    """Takes requests for fresh links; a worker decides whether the address gets any."""

    def __init__(self, database: Database, templates: Templates) -> None:
        """Answer with a page that belongs to no workspace."""
        self._database = database
        self._templates = templates

    async def request(self, request: GatewayRequest, email: str) -> Response[bytes]:
        """Have links sent if the address is known, and say so; or say at the field what is wrong with it."""
        try:
            async with self._database.scope(request.context.workspace.workspace_id):
                await request_fresh_links(email)
        except (Invalid, Throttled) as error:
            return self._show(request, email, error)
        return self._show(request, email, None)

    def _show(self, request: GatewayRequest, email: str, error: PortalError | None) -> Response[bytes]:
        language = load_words(request.language)
        heading = (
            language.gettext("Get a fresh link") if error else language.gettext("Look into your mailbox")
        )
        page = FreshLinkPage(
            language=language.message_tag,
            direction=language.direction,
            title=heading,
            text="" if error else language.gettext(_TEXT) % {"email": email.strip()},
            email=email,
            error=explain(error, language) if error else "",
        )
        return Response(
            self._templates.render("fresh_link.html.jinja", language, page).encode(),
            status_code=STATUS[error.kind] if error else 200,
            media_type=MediaType.HTML,
            headers={"content-security-policy": STATIC_POLICY, "vary": "accept-language, cookie"},
        )


@post(FRESH_LINKS_PATH, name="fresh_links", request_max_body_size=4 * KIBIBYTE, status_code=200)
async def send_fresh_links(
    request: GatewayRequest, data: URLEncodedBody[LinkRequest], fresh_links: NamedDependency[FreshLinks]
) -> Response[bytes]:
    """Have fresh links sent to an address."""
    return await fresh_links.request(request, data.email)
