"""One long poll: a follower that collects what its response will say, and wakes its request."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID

from kernel.errors import Invalid
from kernel.live import Cursor, parse_seq
from web.http.bodies import ClientDisconnected

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.datastructures import MultiDict

    from kernel.live import Entry
    from web.http.context import GatewayRequest

#: Seconds that a client may ask to wait.
LONGEST_WAIT_S: Final = 25
#: Events of one response; the client asks for the rest with its next poll.
MOST_EVENTS: Final = 500
_SECONDS: Final = re.compile(r"[0-9]{1,2}")
_EPOCH: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class PollQuery:
    """What a client asks for: the events after its cursor, and how many seconds it waits for the first."""

    cursor: Cursor
    wait_s: int

    @classmethod
    def parse(cls, parameters: MultiDict[str]) -> Self:
        """Read the parameters; Invalid("events.parameter"), whose data name the parameter."""
        since = _read_since(parameters)
        epoch = _read_one(parameters, "epoch")
        if epoch is None or not _EPOCH.fullmatch(epoch):
            raise _make_invalid("epoch", "must be the epoch that the page or the last answer named")
        return cls(Cursor(UUID(epoch), since), _read_wait(parameters))


class Poll:
    """The follower of one request."""

    __slots__ = ("_stop", "_timeout", "entries", "head", "is_revoked", "new_cursor", "viewers")

    def __init__(self, viewers: frozenset[UUID], stop: Callable[[Poll], Cursor | None]) -> None:
        """Follow for `viewers`; `stop` is called when the answer is full, and returns where the log is."""
        self.viewers = viewers
        self._stop = stop
        self.entries: list[Entry] = []
        self.head: Cursor | None = None
        """Where the log was when the answer was full."""
        self.new_cursor: Cursor | None = None
        """Where the log is, if the client cannot go on from its cursor."""
        self.is_revoked = False
        self._timeout: asyncio.Timeout | None = None

    @property
    def has_answer(self) -> bool:
        """Whether there is something to answer."""
        return bool(self.entries) or self.new_cursor is not None or self.is_revoked

    def deliver(self, entry: Entry) -> None:
        """Take the next event."""
        # A room goes on with what it has begun to deliver.
        if len(self.entries) < MOST_EVENTS:
            self.entries.append(entry)
            if len(self.entries) == MOST_EVENTS:
                self.head = self._stop(self)
        self.wake()

    def reset(self, cursor: Cursor) -> None:
        """Take that the log is another one, or shorter than the client's cursor."""
        self.new_cursor = cursor
        self.wake()

    def revoke(self) -> None:
        """Take that the invoice may no longer be read."""
        self.is_revoked = True
        self.wake()

    def wake(self) -> None:
        """End the waiting."""
        timeout, self._timeout = self._timeout, None
        if timeout is not None and not timeout.expired():
            # In the next turn of the loop, so that events that come together are answered together.
            timeout.reschedule(0)

    async def wait(self, request: GatewayRequest, seconds: float) -> None:
        """Wait until something is delivered or `wake` is called; ClientDisconnected when the client disconnects.

        A time-out that is moved forward wakes the request: neither a task nor a future per waiting client.
        """
        try:
            async with asyncio.timeout(seconds) as self._timeout:
                while (await request.receive())["type"] != "http.disconnect":
                    pass
                raise ClientDisconnected
        except TimeoutError:
            return
        finally:
            self._timeout = None


def _read_one(parameters: MultiDict[str], name: str) -> str | None:
    values = parameters.getall(name, [])
    return values[0] if len(values) == 1 else None


def _read_since(parameters: MultiDict[str]) -> int:
    try:
        return parse_seq(_read_one(parameters, "since") or "")
    except ValueError:
        raise _make_invalid(
            "since", "must be the number of the last event that was seen, 0 for none"
        ) from None


def _read_wait(parameters: MultiDict[str]) -> int:
    if "wait" not in parameters:
        return LONGEST_WAIT_S
    text = _read_one(parameters, "wait") or ""
    if not _SECONDS.fullmatch(text) or int(text) > LONGEST_WAIT_S:
        raise _make_invalid("wait", f"must be a whole number from 0 to {LONGEST_WAIT_S}")
    return int(text)


def _make_invalid(name: str, reason: str) -> Invalid:
    return Invalid("events.parameter", f"{name} {reason}.", parameter=name)
