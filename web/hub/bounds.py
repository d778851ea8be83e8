"""The limits of a hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of one process and of each of its connections; times in seconds, sizes in bytes."""

    connections: int = 20_000
    """Fewer when the process may not open as many files."""
    connections_per_address: int = 500
    """Of one client address: an office behind one address reads many invoices, each in several tabs."""
    head_s: float = 5.0
    """From the start of the connection to a complete request."""
    head_bytes: int = 16 * 1024
    join_s: float = 10.0
    """From the request to the first frame; the database gives up before."""
    close_s: float = 5.0
    """How long a client may take to answer a close frame and to read what comes before it."""
    write_buffer_bytes: int = 256 * 1024
    """What may wait for a reader before it is closed as slow."""
    kernel_buffer_bytes: int = 64 * 1024
    """What the system may hold for a reader besides; by itself it would hold megabytes for one that does not read."""
    message_bytes: int = 1024
    """Of a message from a client; the hub ignores them."""
    frames_per_heartbeat: int = 32
    """That a client may send, pongs and pings included."""
    heartbeat_s: float = 25.0
    """Longest time between two heartbeats; the shortest is four fifths of it."""
    drain_s: float = 22.0
    """Over which the connections are closed at the end, within the 30 s that Kubernetes gives."""
    drain_rate: int = 50
    """Connections a second that the other hubs can take; few connections are closed in less than `drain_s`."""


BOUNDS: Final = Bounds()
