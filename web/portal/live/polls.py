"""The long poll: the events of an invoice after a cursor, at once or as soon as there is one."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
from litestar import HttpMethod, MediaType, Response, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from kernel.client_addresses import format_rate_limit_key
from kernel.errors import Denied, Invalid, Missing, Throttled, Unavailable
from kernel.ids import choose_between
from kernel.live import Audience, Cursor, LogKey, ResetRequired
from web.http.bodies import ClientDisconnected
from web.http.conditional import is_not_modified
from web.http.context import GatewayRequest
from web.http.security import DATA_POLICY
from web.http.surface import PathLimit, build_limit
from web.portal.live.poll import Poll, PollQuery
from web.portal.live.tickets import list_viewers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kernel.errors import PortalError
    from kernel.live import Entry, Rooms
    from kernel.telemetry.metrics import Metrics
    from web.http.errors import Problems
    from web.http.surface import Services
    from web.portal.links import Links

#: Requests that may wait at once: with those that wait for PDFs, less than the connections of a gateway.
MOST_WAITING: Final = 250
#: Of one address: fewer than it may have connections (web/http/protocol.py), or an office that waits loads no page.
MOST_PER_ADDRESS: Final = 75
# Of the seconds that a client asks for, 25 as a rule: clients that came together do not come back together.
_SHORTEST_WAIT: Final = 0.8
_LONGEST_WAIT: Final = 1.12
_BUSY: Final = "events.busy"
_BUSY_TEXT: Final = "Too many requests wait for events."
_RETRY_AFTER_S: Final = (5.0, 15.0)
#: A poll ends with each event, and an office shares an address.
_POLLS_PER_PAGE: Final = 5
_PATHS: Final = re.compile(r"/i/[^/]+/(?:events|ticket)")


class Outcome(StrEnum):
    """How a poll ended; the label of a metric."""

    EVENTS = "events"
    EMPTY = "empty"
    """No event while it waited."""
    NOT_MODIFIED = "not_modified"
    DRAINED = "drained"
    """The process stops."""
    RESET = "reset"
    REVOKED = "revoked"
    DISCONNECTED = "disconnected"
    BUSY = "busy"
    """Too many wait already."""


class Polls:
    """Answers polls, and holds those that wait."""

    def __init__(
        self,
        *,
        links: Links,
        rooms: Rooms,
        problems: Problems,
        metrics: Metrics,
        most_waiting: int = MOST_WAITING,
        most_per_address: int = MOST_PER_ADDRESS,
    ) -> None:
        """Let at most `most_waiting` requests wait at once, and `most_per_address` of one address."""
        self._links = links
        self._rooms = rooms
        self._problems = problems
        self._most_waiting = most_waiting
        self._most_per_address = most_per_address
        self._waiting: set[Poll] = set()
        self._addresses: Counter[str] = Counter()
        self._is_closing = False
        self._outcomes = {each: metrics.polls.labels(each.value) for each in Outcome}
        self._parked = metrics.polls_parked

    async def respond(self, request: GatewayRequest, token: str) -> Response[bytes]:
        """Return the events after a cursor; Missing as for the page, Unavailable and Throttled where too many wait.

        A HEAD does not wait.
        """
        try:
            query = PollQuery.parse(request.query_params)
        except Invalid as error:
            return self._refuse(request, error, {"errors": {error.data["parameter"]: error.message}})
        access = await self._links.open(request.context.workspace, token, request.browser_session)
        key = LogKey(request.context.workspace.workspace_id, access.invoice.invoice_id, Audience.PUBLIC)
        poll = Poll(list_viewers(access), partial(self._stop, key))
        try:
            head = await self._follow(request, key, query, poll)
        except ClientDisconnected:
            self._outcomes[Outcome.DISCONNECTED].inc()
            raise
        except (Throttled, Unavailable) as error:
            if error.code == _BUSY:
                self._outcomes[Outcome.BUSY].inc()
            raise
        if poll.is_revoked or head is None:
            self._outcomes[Outcome.REVOKED].inc()
            raise Missing("link.not_found", "This link opens nothing.")
        if poll.new_cursor is not None:
            return self._answer_reset(request, poll.new_cursor)
        return self._answer(request, query, head, poll.entries)

    def drain(self) -> None:
        """Answer those that wait now, and let nobody wait any longer."""
        self._is_closing = True
        for poll in self._waiting:
            poll.wake()

    async def _follow(
        self, request: GatewayRequest, key: LogKey, query: PollQuery, poll: Poll
    ) -> Cursor | None:
        """Follow the log until there is something to answer; returns its head then, None if it cannot be followed.

        The poll joins before anything is read, so that nothing is committed unnoticed in between.
        """
        try:
            head = await self._rooms.join(key, query.cursor, poll)
            if query.wait_s and not (poll.has_answer or request.is_head or self._is_closing):
                with self._admit(request, poll):
                    wait_s = choose_between(query.wait_s * _SHORTEST_WAIT, query.wait_s * _LONGEST_WAIT)
                    await poll.wait(request, wait_s)
        except ResetRequired as error:
            # The poll was told before.
            return error.cursor
        except Denied:
            # Revoked since it was looked up.
            return None
        else:
            return poll.head or self._rooms.find_cursor(key) or head
        finally:
            self._rooms.leave(key, poll)

    def _stop(self, key: LogKey, poll: Poll) -> Cursor | None:
        """Leave before the rest of a long log is read for an answer that cannot hold it."""
        head = self._rooms.find_cursor(key)
        self._rooms.leave(key, poll)
        return head

    @contextmanager
    def _admit(self, request: GatewayRequest, poll: Poll) -> Iterator[None]:
        address = format_rate_limit_key(request.context.address)
        if self._addresses[address] >= self._most_per_address:
            raise Throttled(_BUSY, _BUSY_TEXT, retry_after_s=choose_between(*_RETRY_AFTER_S))
        if len(self._waiting) >= self._most_waiting:
            raise Unavailable(_BUSY, _BUSY_TEXT, retry_after_s=choose_between(*_RETRY_AFTER_S))
        self._waiting.add(poll)
        self._addresses[address] += 1
        self._parked.inc()
        try:
            yield
        finally:
            self._parked.dec()
            self._waiting.discard(poll)
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    def _answer(
        self, request: GatewayRequest, query: PollQuery, head: Cursor, entries: Sequence[Entry]
    ) -> Response[bytes]:
        is_unchanged = not query.wait_s and _has_seen(request, head)
        # The tag names the last event that the client then has: a long backlog takes several answers.
        last = entries[-1].seq if entries and not is_unchanged else head.seq
        headers = {
            "etag": f"W/{_format_tag(Cursor(head.epoch, last))}",
            "content-security-policy": DATA_POLICY,
            "vary": "cookie",
        }
        if is_unchanged:
            self._outcomes[Outcome.NOT_MODIFIED].inc()
            return Response(b"", status_code=304, media_type=MediaType.TEXT, headers=headers)
        if not entries:
            self._outcomes[Outcome.DRAINED if self._is_closing else Outcome.EMPTY].inc()
            return Response(b"", status_code=204, media_type=MediaType.TEXT, headers=headers)
        self._outcomes[Outcome.EVENTS].inc()
        return Response(_encode(head, entries), media_type=MediaType.JSON, headers=headers)

    def _answer_reset(self, request: GatewayRequest, cursor: Cursor) -> Response[bytes]:
        self._outcomes[Outcome.RESET].inc()
        members = {"epoch": cursor.epoch, "head": cursor.seq}
        return self._refuse(request, ResetRequired(cursor), members)

    def _refuse(
        self, request: GatewayRequest, error: PortalError, members: Mapping[str, object]
    ) -> Response[bytes]:
        response = self._problems.render(
            request, self._problems.describe(request, error), {"vary": "accept-language, cookie"}
        )
        response.content = msgspec.json.encode(msgspec.json.decode(response.content) | members)
        return response


def build_events_limit(services: Services) -> PathLimit:
    """Return the limit of polls and tickets: they do not use up the limit of pages."""
    per_minute = services.settings.page_limit_per_minute * _POLLS_PER_PAGE
    return PathLimit(_PATHS, build_limit(services, "events", per_minute))


def _format_tag(cursor: Cursor) -> str:
    return f'"{cursor.epoch}-{cursor.seq}"'


def _has_seen(request: GatewayRequest, head: Cursor) -> bool:
    # If-Match is for changing something.
    return request.get_header("if-match") is None and is_not_modified(request, _format_tag(head))


def _encode(head: Cursor, entries: Sequence[Entry]) -> bytes:
    """Return the document of a response; each event was encoded once for all its followers."""
    events = b",".join(each.frame for each in entries)
    return b'{"epoch":"%s","head":%d,"events":[%s]}' % (str(head.epoch).encode(), head.seq, events)


@route("/i/{token:str}/events", http_method=[HttpMethod.GET, HttpMethod.HEAD], name="events")
async def poll_events(
    request: GatewayRequest, token: FromPath[str], polls: NamedDependency[Polls]
) -> Response[bytes]:
    """Return the events of the invoice that a link opens, as soon as there are any."""
    return await polls.respond(request, token)
