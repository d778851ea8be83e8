"""What the readers of a hub share: rooms, tickets, limits, the timetable, and who is connected."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from kernel.ids import choose_between
from web.hub.capacity import Capacity
from web.hub.timetable import Scheduled, Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernel.clock import Clock
    from kernel.live import Rooms, Tickets
    from kernel.settings import Settings
    from kernel.telemetry.metrics import Metrics
    from web.hub.bounds import Bounds
    from web.hub.close_codes import CloseCode

# Of the longest time between two heartbeats, less than 1 because of the tick in which they are sent.
_HEARTBEATS: Final = (0.8, 0.96)


class Connected(Scheduled, Protocol):
    """A reader, as the end of the hub needs it."""

    def drain(self, after_s: float) -> None:
        """Ask to connect elsewhere after so many seconds, and close then."""

    def close(self, code: CloseCode) -> None:
        """Begin the closing handshake."""

    def abort(self) -> None:
        """End without one."""


class ReaderSet:
    """The connections of one hub; those that are still being opened too."""

    def __init__(
        self,
        rooms: Rooms,
        tickets: Tickets,
        *,
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
        bounds: Bounds,
        tick_s: float,
    ) -> None:
        """Begin without any."""
        self.rooms = rooms
        self.tickets = tickets
        self.clock = clock
        self.metrics = metrics
        self.bounds = bounds
        self.timetable = Timetable(tick_s)
        self.capacity = Capacity(
            bounds.connections,
            per_address=bounds.connections_per_address,
            trusted_proxies=settings.trusted_proxies,
        )
        self.is_draining = False
        """Whether new readers are sent to another hub."""
        self._settings = settings
        self._readers: set[Connected] = set()
        self._is_empty = asyncio.Event()

    def __len__(self) -> int:
        """Return the number of connections."""
        return len(self._readers)

    def __iter__(self) -> Iterator[Connected]:
        """Iterate over those of now; they may end meanwhile."""
        return iter(tuple(self._readers))

    def add(self, reader: Connected, peer: str) -> str | None:
        """Add a new connection; returns its client's address unless a proxy names it."""
        self._readers.add(reader)
        return self.capacity.add(peer)

    def remove(self, reader: Connected, address: str | None) -> None:
        """Forget a connection that has ended."""
        self._readers.discard(reader)
        self.capacity.remove(address)
        self.timetable.remove(reader)
        if not self._readers:
            self._is_empty.set()

    def schedule(self, reader: Connected, after_s: float) -> None:
        """Call `check` of a reader after so many seconds."""
        self.timetable.schedule(reader, asyncio.get_running_loop().time() + after_s)

    def choose_heartbeat_time(self) -> float:
        """Return when the next heartbeat is due: not at the same time for readers that came at the same time."""
        return asyncio.get_running_loop().time() + self.bounds.heartbeat_s * choose_between(*_HEARTBEATS)

    def build_origin(self, host: str) -> str:
        """Return the origin of our pages on a host."""
        return self._settings.build_origin(host)

    async def wait_until_empty(self, timeout_s: float) -> bool:
        """Wait until all connections have ended; False if that took too long."""
        self._is_empty.clear()
        if not self._readers:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await self._is_empty.wait()
        except TimeoutError:
            return False
        return True
