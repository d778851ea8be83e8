"""Limits the connections of a process, per address and in all; an idle one is closed to admit a new one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from kernel.client_addresses import format_rate_limit_key, is_proxy

if TYPE_CHECKING:
    from asyncio import WriteTransport

    from kernel.client_addresses import Network


class Connection(Protocol):
    """An open connection."""

    @property
    def transport(self) -> WriteTransport:
        """The transport, which can close the connection."""
        ...


class ConnectionLimiter:
    """Counts connections by address; at a limit, closes the one that has been idle longest to admit the next.

    A connection is idle while no request on it is being answered. A browser whose idle connection was closed sends
    its request over a new one.
    """

    def __init__(self, most: int, *, per_address: int, trusted_proxies: tuple[Network, ...]) -> None:
        """Admit `most` in all and `per_address` of one client; a trusted proxy carries many clients."""
        self._most = most
        self._per_address = per_address
        self._trusted_proxies = trusted_proxies
        self._addresses: dict[Connection, str | None] = {}
        self._counts: Counter[str | None] = Counter()
        # In the order in which they became idle.
        self._idle: dict[Connection, None] = {}

    def admit(self, connection: Connection, peer: str) -> int | None:
        """Add an idle connection; where there is no room, return the status of the refusal instead."""
        address = None if is_proxy(peer, self._trusted_proxies) else format_rate_limit_key(peer)
        is_at_limit = address is not None and self._counts[address] >= self._per_address
        if is_at_limit and not self._close_idle(address):
            return 429
        if len(self._addresses) >= self._most and not self._close_idle():
            return 503
        self._addresses[connection] = address
        self._counts[address] += 1
        self._idle[connection] = None
        return None

    def mark_busy(self, connection: Connection) -> None:
        """Note that a request is being answered."""
        self._idle.pop(connection, None)

    def mark_idle(self, connection: Connection) -> None:
        """Note that the last request has been answered."""
        if connection in self._addresses:
            self._idle[connection] = None

    def release(self, connection: Connection) -> None:
        """Remove a connection; does nothing for one that was not admitted or was closed here."""
        if connection not in self._addresses:
            return
        address = self._addresses.pop(connection)
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]
        self.mark_busy(connection)

    def _close_idle(self, address: str | None = None) -> bool:
        """Close the connection that has been idle longest, of one address or of all; False when there is none."""
        for each in self._idle:
            is_eligible = address is None or self._addresses[each] == address
            # A client that still reads its response is not cut off.
            if is_eligible and not each.transport.get_write_buffer_size():
                self.release(each)
                each.transport.close()
                return True
        return False
