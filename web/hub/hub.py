"""The hub's server: how it begins and how it ends."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

from kernel.ids import choose_between
from kernel.telemetry import logs
from web.hub.bounds import BOUNDS, Bounds
from web.hub.close_codes import CloseCode
from web.hub.reader import Reader
from web.hub.reader_set import ReaderSet

if TYPE_CHECKING:
    from kernel.clock import Clock
    from kernel.live import Rooms, Tickets
    from kernel.settings import Settings
    from kernel.telemetry.metrics import Metrics

BACKLOG: Final = 2048

_log: Final = logs.get_logger("hub")


class Hub:
    """Serves readers on one port."""

    def __init__(
        self,
        rooms: Rooms,
        tickets: Tickets,
        *,
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
        bounds: Bounds = BOUNDS,
        tick_s: float = 1.0,
    ) -> None:
        """Serve the logs of `rooms`, which the caller runs, to holders of tickets.

        `tick_s` is how exactly deadlines are kept.
        """
        self._settings = settings
        self._bounds = bounds
        self._readers = ReaderSet(
            rooms, tickets, settings=settings, clock=clock, metrics=metrics, bounds=bounds, tick_s=tick_s
        )
        self._server: asyncio.Server | None = None
        self._timer: asyncio.Task[None] | None = None

    async def start(self, listening: socket.socket | None = None) -> None:
        """Accept connections on the host and port of the settings, or on `listening`; OSError if it is in use."""
        opened = listening or _listen(self._settings.host, self._settings.port)
        # Accepted connections inherit it.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._bounds.kernel_buffer_bytes)
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Reader(self._readers), sock=opened, backlog=BACKLOG
        )
        self._timer = asyncio.create_task(self._readers.timetable.run())

    async def find_failure(self) -> str | None:
        """Return why no connections are accepted; a readiness check."""
        is_accepting = self._server is not None and not self._readers.is_draining
        return None if is_accepting else "does not accept connections"

    async def drain(self) -> None:
        """Accept no connection any more, ask each reader to go elsewhere at its own time, and close all then.

        They are spread over some time, so that the other hubs are not stormed.
        """
        self._stop_accepting()
        count = len(self._readers)
        window_s = min(self._bounds.drain_s, count / self._bounds.drain_rate)
        _log.info("draining", connections=count, seconds=round(window_s, 1))
        for reader in self._readers:
            reader.drain(choose_between(0, window_s))
        # A connection that has not sent its request yet is told when it does.
        await self._readers.wait_until_empty(window_s + max(self._bounds.head_s, self._bounds.close_s))

    async def close(self) -> None:
        """Close all connections now, and end."""
        self._stop_accepting()
        for reader in self._readers:
            reader.close(CloseCode.DRAIN)
        if not await self._readers.wait_until_empty(self._bounds.close_s):
            _log.warning("connections aborted", connections=len(self._readers))
            for reader in self._readers:
                reader.abort()
            # The transports report their end in the next rounds of the event loop.
            await self._readers.wait_until_empty(self._bounds.close_s)
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.wait([self._timer])

    def _stop_accepting(self) -> None:
        self._readers.is_draining = True
        if self._server is not None:
            self._server.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)
