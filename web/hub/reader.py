"""A reader of one invoice: joins the room of its log and writes what the room delivers.

An idle reader has no task and no timer of its own: the timetable calls `check`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from kernel.errors import Denied, Kind, PortalError
from kernel.live import ResetRequired
from kernel.telemetry import logs
from web.hub.close_codes import CloseCode, label_code
from web.hub.frames import encode_drain, encode_heartbeat, encode_hello, encode_reset
from web.hub.handshake import RefusedError, read_target, verify_ticket
from web.hub.websocket import State, WebSocket

if TYPE_CHECKING:
    from uuid import UUID

    from websockets.http11 import Request

    from kernel.live import Cursor, Entry, LogKey
    from web.hub.handshake import Subscription, Target
    from web.hub.reader_set import ReaderSet

# A constant of the module, because `deliver` runs for each reader of each event.
_LIVE: Final = State.LIVE
# What a reader that cannot join is told; where the cause may pass, to wait.
_CODES: Final = {Kind.MISSING: CloseCode.NOT_FOUND, Kind.DENIED: CloseCode.REVOKED}

_log: Final = logs.get_logger("hub.reader")


class Reader(WebSocket):
    """A `kernel.live.Follower` at the other end of a websocket."""

    __slots__ = (
        "_address",
        "_end_code",
        "_ends_at",
        "_heartbeat_at",
        "_is_accepted",
        "_is_excess",
        "_is_joined",
        "_joining",
        "_key",
        "_readers",
        "due",
        "viewers",
    )

    viewers: frozenset[UUID]

    def __init__(self, readers: ReaderSet) -> None:
        """Be one of `readers`."""
        super().__init__(readers.bounds)
        self._readers = readers
        self._address: str | None = None
        self._key: LogKey
        self._joining: asyncio.Task[None] | None = None
        self._is_accepted = self._is_excess = self._is_joined = False
        self._heartbeat_at = self._ends_at = 0.0
        self._end_code = CloseCode.TICKET
        self.due = 0

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the request, if there is room."""
        super().connection_made(transport)
        self._address = self._readers.add(self, self.get_peer())
        # Asked now, because those that come after this one count only against themselves.
        self._is_excess = self._readers.capacity.is_exceeded(self._address)
        if self._readers.capacity.is_far_exceeded(self._address):
            self.handle_refusal("capacity")
            self.abort()
            return
        self._readers.schedule(self, self._bounds.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the room, and be forgotten."""
        super().connection_lost(exc)
        self._readers.remove(self, self._address)
        if self._is_accepted:
            self._readers.metrics.hub_connections.dec()
            self._readers.metrics.hub_closes.labels(label_code(self.find_close_code())).inc()

    def handle_request(self, request: Request) -> None:
        """Accept the upgrade and join; or close at once, since a browser can read a close code but no status."""
        if self._address is None:
            forwarded_for = ",".join(request.headers.get_all("X-Forwarded-For"))
            self._address = self._readers.capacity.identify(self.get_peer(), forwarded_for)
            self._is_excess |= self._readers.capacity.is_exceeded(self._address)
        try:
            target = read_target(request, self._readers.build_origin)
        except RefusedError as error:
            self.refuse(error)
            return
        if self.accept(request):
            self._is_accepted = True
            self._readers.metrics.hub_connections.inc()
            self._open(request, target)

    def handle_refusal(self, reason: str) -> None:
        """Count it."""
        self._readers.metrics.hub_refusals.labels(reason).inc()

    def handle_backlog(self) -> None:
        """Close the connection of a reader that does not read."""
        if self._state in {State.JOINING, State.LIVE}:
            # Later, because a frame is being written now.
            asyncio.get_running_loop().call_soon(self._close_slow_reader)

    def handle_closing(self) -> None:
        """Leave the room."""
        self._readers.schedule(self, self._bounds.close_s)
        if self._joining is not None:
            self._joining.cancel()
        if self._is_joined:
            # Later, because the room may be calling its followers now.
            asyncio.get_running_loop().call_soon(self._leave)

    def _open(self, request: Request, target: Target) -> None:
        if self._readers.is_draining:
            self.close(CloseCode.DRAIN)
        elif self._is_excess:
            self.handle_refusal("capacity")
            self.close(CloseCode.BACK_OFF)
        else:
            try:
                subscription = verify_ticket(request.headers, target, self._readers.tickets)
            except Denied as error:
                self.handle_refusal(error.code)
                self.close(CloseCode.TICKET)
            else:
                self._begin_to_join(subscription)

    def _close_slow_reader(self) -> None:
        if self._state in {State.JOINING, State.LIVE}:
            self._readers.metrics.hub_sheds.inc()
            self.close(CloseCode.SLOW)

    # The follower: called by the room, which must not be changed meanwhile.

    def deliver(self, entry: Entry) -> None:
        """Write an event."""
        if self._state is _LIVE:
            self._transport.write(entry.frame)
        elif self._state is State.JOINING:
            # The first one of the backlog: the room is warm.
            self._start(self._readers.rooms.find_cursor(self._key))
            self._transport.write(entry.frame)

    def reset(self, cursor: Cursor) -> None:
        """Say where the log is now, and close."""
        if self._state in {State.JOINING, State.LIVE}:
            self._transport.write(encode_reset(cursor))
            self.close(CloseCode.RESET)

    def revoke(self) -> None:
        """Close for good."""
        self.close(CloseCode.REVOKED)

    # The room.

    def _begin_to_join(self, subscription: Subscription) -> None:
        self._key, self.viewers = subscription.key, subscription.viewers
        loop = asyncio.get_running_loop()
        life_s = (subscription.expires_at - self._readers.clock.now()).total_seconds()
        self._ends_at = loop.time() + life_s
        self._readers.schedule(self, self._bounds.join_s)
        self._joining = loop.create_task(self._join(subscription.cursor))

    async def _join(self, cursor: Cursor) -> None:
        try:
            head = await self._readers.rooms.join(self._key, cursor, self)
        except ResetRequired:
            # The room has called `reset`.
            return
        except PortalError as error:
            self.close(_CODES.get(error.kind, CloseCode.BACK_OFF))
            return
        except Exception as error:  # noqa: BLE001  -- nobody awaits this task
            _log.error("reader not joined", exc_info=error)
            self.close(CloseCode.BACK_OFF)
            return
        finally:
            self._joining = None
        self._is_joined = True
        if self._state is State.JOINING:
            self._start(head)
        elif self._state is State.CLOSING:
            self._leave()

    def _start(self, head: Cursor | None) -> None:
        if head is not None:
            self._transport.write(encode_hello(head, self._bounds.heartbeat_s))
        self._state = State.LIVE
        self._plan_heartbeat()

    def _leave(self) -> None:
        if self._is_joined:
            self._is_joined = False
            self._readers.rooms.leave(self._key, self)

    # The timetable.

    def check(self) -> None:
        """Do what is due: a heartbeat, or the end of what takes too long."""
        if self._state is State.LIVE:
            self._check_live()
        elif self._state is State.JOINING:
            self.close(CloseCode.BACK_OFF)
        else:
            if self._state is State.HEAD:
                self.handle_refusal("slow")
            self.abort()

    def drain(self, after_s: float) -> None:
        """Ask the reader to connect to another hub after so many seconds, and close then."""
        if self._state is State.LIVE:
            self._transport.write(encode_drain(after_s))
            self._end_code = CloseCode.DRAIN
            self._ends_at = asyncio.get_running_loop().time() + after_s
            self._schedule()
        else:
            self.close(CloseCode.DRAIN)

    def _check_live(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._ends_at:
            self.close(self._end_code)
        elif now < self._heartbeat_at:
            self._schedule()
        elif not self._has_answered:
            # Neither this ping nor the last one reached anybody, or nobody is left to answer.
            self.close(CloseCode.SLOW)
        else:
            head = self._readers.rooms.find_cursor(self._key)
            if head is not None:
                self._transport.write(encode_heartbeat(head.seq))
                self._has_answered = False
            self._budget = self._bounds.frames_per_heartbeat
            self._plan_heartbeat()

    def _plan_heartbeat(self) -> None:
        self._heartbeat_at = self._readers.choose_heartbeat_time()
        self._schedule()

    def _schedule(self) -> None:
        self._readers.timetable.schedule(self, min(self._heartbeat_at, self._ends_at))
