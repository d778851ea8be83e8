"""The ticket by which a page opens a socket at a hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from litestar import HttpMethod, MediaType, Response, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from kernel.ids import choose_between
from kernel.live import TICKET_LIFE, Audience, Ticket
from web.http.context import GatewayRequest
from web.http.security import DATA_POLICY

if TYPE_CHECKING:
    from uuid import UUID

    from kernel.clock import Clock
    from kernel.live import Tickets
    from tenants.invoices.values import InvoiceAccess
    from web.portal.links import Links
    from web.portal.live.addresses import Hubs

# The part of a ticket's life after which a page asks for the next one: not all pages at once, and before it ends.
_EARLIEST_RENEWAL: Final = 0.6
_LATEST_RENEWAL: Final = 0.9


class PageTickets:
    """Issues tickets to whoever may open the page."""

    def __init__(self, *, links: Links, tickets: Tickets, hubs: Hubs, clock: Clock) -> None:
        """Open links by `links` and seal by `tickets`."""
        self._links = links
        self._tickets = tickets
        self._hubs = hubs
        self._clock = clock

    async def respond(self, request: GatewayRequest, token: str) -> Response[bytes]:
        """Return a ticket with the addresses to use it at; Missing as for the page."""
        profile = request.context.workspace
        access = await self._links.open(profile, token, request.browser_session)
        hubs, cursor, life_s = (
            self._hubs.find(request.context.host),
            access.cursor,
            TICKET_LIFE.total_seconds(),
        )
        ticket = Ticket(
            workspace_id=profile.workspace_id,
            stream_id=access.invoice.invoice_id,
            audience=Audience.PUBLIC,
            viewers=list_viewers(access),
            origin=hubs.origin,
            expires_at=self._clock.now() + TICKET_LIFE,
        )
        return Response(
            msgspec.json.encode(
                {
                    "ticket": self._tickets.issue(ticket),
                    "urls": hubs.socket_urls,
                    "invoice": access.invoice.invoice_id,
                    "epoch": None if cursor is None else cursor.epoch,
                    "head": 0 if cursor is None else cursor.seq,
                    "renew_after_s": int(
                        choose_between(life_s * _EARLIEST_RENEWAL, life_s * _LATEST_RENEWAL)
                    ),
                }
            ),
            media_type=MediaType.JSON,
            headers={"content-security-policy": DATA_POLICY, "vary": "cookie"},
        )


def list_viewers(access: InvoiceAccess) -> frozenset[UUID]:
    """Return by what an invoice was opened: its reader is cut off when one of them ends.

    That is the link, whoever has signed in beside it; without a link the session, and the contact that it is of.
    """
    if access.invoice.link_id is not None or access.visitor is None:
        return frozenset(filter(None, (access.invoice.link_id,)))
    return frozenset(filter(None, (access.visitor.session.session_id, access.visitor.contact_id)))


@route("/i/{token:str}/ticket", http_method=[HttpMethod.GET, HttpMethod.HEAD], name="ticket")
async def issue_ticket(
    request: GatewayRequest, token: FromPath[str], page_tickets: NamedDependency[PageTickets]
) -> Response[bytes]:
    """Issue a ticket for the hub to the page that a link opens."""
    return await page_tickets.respond(request, token)
