"""Counts connections, in all and of each client address."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kernel.client_addresses import find_client_address, format_rate_limit_key, is_proxy

if TYPE_CHECKING:
    from kernel.client_addresses import Network


class Capacity:
    """Counts what is open. A connection over a limit is told so, and closed; one far over it is closed at once.

    A browser cannot read the status of a refused upgrade, so that it would try again at once.
    """

    def __init__(self, most: int, *, per_address: int, trusted_proxies: tuple[Network, ...]) -> None:
        """Accept `most` in all and `per_address` of one client; a trusted proxy carries many clients."""
        self._most = most
        self._per_address = per_address
        self._trusted_proxies = trusted_proxies
        self._counts: Counter[str] = Counter()
        self.total = 0

    def add(self, peer: str) -> str | None:
        """Count a new connection and return its address; None for one through a proxy, see `identify`."""
        self.total += 1
        address = None if is_proxy(peer, self._trusted_proxies) else format_rate_limit_key(peer)
        if address is not None:
            self._counts[address] += 1
        return address

    def identify(self, peer: str, forwarded_for: str) -> str | None:
        """Count a connection through a proxy under the address of its client, and return that.

        None for one that the proxy itself makes, or those that it does not name: they are not limited.
        """
        client = find_client_address(peer, forwarded_for, self._trusted_proxies)
        if is_proxy(client, self._trusted_proxies):
            return None
        address = format_rate_limit_key(client)
        self._counts[address] += 1
        return address

    def is_exceeded(self, address: str | None) -> bool:
        """Tell whether the newest connection is one too many, in all or of its address."""
        return self.total > self._most or (address is not None and self._counts[address] > self._per_address)

    def is_far_exceeded(self, address: str | None) -> bool:
        """Tell whether there is no room even to say so."""
        return self.total > self._most * 5 // 4 or (
            address is not None and self._counts[address] > 2 * self._per_address
        )

    def remove(self, address: str | None) -> None:
        """Stop counting a connection."""
        self.total -= 1
        if address is not None:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]
