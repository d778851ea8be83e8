"""Reads what a reader asks for with its upgrade request, and verifies that it may."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs
from uuid import UUID

from websockets.datastructures import MultipleValuesError
from websockets.headers import parse_subprotocol
from websockets.typing import Subprotocol

from kernel.errors import Denied
from kernel.live import Cursor, LogKey, parse_seq

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from websockets.datastructures import Headers
    from websockets.http11 import Request

    from kernel.live import Tickets

PATH: Final = "/realtime"
SUBPROTOCOL: Final = Subprotocol("portal.v1")
TICKET_PREFIX: Final = "ticket."
# What the library reads of an upgrade: bytes beyond ASCII there make it raise errors that would be logged, with the
# ticket in them. In cookies, say, such bytes are nothing unusual.
_READ_BY_LIBRARY: Final = (
    "Connection",
    "Upgrade",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Protocol",
)


class RefusedError(Exception):
    """A request that is answered with a status before the upgrade: no page of ours sends it."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        """Take the status of the answer, and a reason from a closed set, for metrics."""
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for: the page's origin, its invoice, and the reader's place."""

    origin: str
    invoice_id: UUID
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Subscription:
    """Which log a reader follows, from where, by what right and until when."""

    key: LogKey
    cursor: Cursor
    viewers: frozenset[UUID]
    expires_at: datetime


def select_subprotocol(offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Select ours; without it there is no ticket either, and the reader must be able to learn that."""
    return SUBPROTOCOL if SUBPROTOCOL in offered else None


def read_target(request: Request, build_origin: Callable[[str], str]) -> Target:
    """Return what a page of the same host asks for; raises RefusedError.

    The ports may differ: the hub can have one of its own. `build_origin` returns the origin of our pages on a host.
    """
    path, _, query = request.path.partition("?")
    if path != PATH:
        raise RefusedError(HTTPStatus.NOT_FOUND, "path")
    host, origin = _find_one(request.headers, "Host"), _find_one(request.headers, "Origin")
    if host is None:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "host")
    # A page of another site would act with its visitor's address (cross-site websocket hijacking).
    if origin is None or origin != build_origin(_remove_port(host.lower())):
        raise RefusedError(HTTPStatus.FORBIDDEN, "origin")
    if not all(each.isascii() for name in _READ_BY_LIBRARY for each in request.headers.get_all(name)):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "request")
    invoice_id, cursor = _read_query(query)
    return Target(origin, invoice_id, cursor)


def verify_ticket(headers: Headers, target: Target, tickets: Tickets) -> Subscription:
    """Return what the reader may follow; Denied("ticket.…") if its ticket is missing, invalid, expired or foreign."""
    ticket = tickets.read(_find_ticket(headers))
    if ticket.origin != target.origin or ticket.stream_id != target.invoice_id:
        raise Denied("ticket.foreign", "This ticket is for another invoice or another host.")
    key = LogKey(ticket.workspace_id, ticket.stream_id, ticket.audience)
    return Subscription(key, target.cursor, ticket.viewers, ticket.expires_at)


def _find_one(headers: Headers, name: str) -> str | None:
    try:
        return headers.get(name)
    except MultipleValuesError:
        return None


def _find_ticket(headers: Headers) -> str:
    """Return the ticket among the subprotocols: browsers can set no other header of an upgrade."""
    for value in headers.get_all("Sec-WebSocket-Protocol"):
        for offered in parse_subprotocol(value):
            if offered.startswith(TICKET_PREFIX):
                return offered.removeprefix(TICKET_PREFIX)
    raise Denied("ticket.missing", "There is no ticket.")


def _remove_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if port.isdecimal() else host


def _read_query(query: str) -> tuple[UUID, Cursor]:
    try:
        values = parse_qs(query, max_num_fields=8)
        (invoice,), (since,), (epoch,) = values["invoice"], values["since"], values["epoch"]
        return UUID(invoice), Cursor(UUID(epoch), parse_seq(since))
    except (KeyError, ValueError):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "query") from None
