"""Which connections are admitted, and which of them gives way; over real sockets in test_protocol.py."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

from web.http.connections import ConnectionLimiter

PROXY = "10.0.0.1"


class RecordingTransport(asyncio.Transport):
    """A transport that records whether it was closed, with bytes that its client has not read."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.unread = 0

    def close(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return self.unread


class Connection:
    """What the limiter knows of a connection."""

    def __init__(self) -> None:
        self.transport = RecordingTransport()


def limiter(most: int = 10, *, per_address: int = 10) -> ConnectionLimiter:
    return ConnectionLimiter(most, per_address=per_address, trusted_proxies=(ip_network("10.0.0.0/8"),))


def idle(of: ConnectionLimiter, peer: str) -> Connection:
    """An admitted connection that is idle."""
    connection = Connection()
    assert of.admit(connection, peer) is None
    return connection


def busy(of: ConnectionLimiter, peer: str) -> Connection:
    """An admitted connection whose request is being answered."""
    connection = idle(of, peer)
    of.mark_busy(connection)
    return connection


def test_the_addresses_of_one_ipv6_network_count_as_one() -> None:
    limits = limiter(per_address=2)
    for address in ("2001:db8:1:1::1", "2001:db8:1:1:f::2", "2001:db8:1:2::1"):
        busy(limits, address)
    assert limits.admit(Connection(), "2001:db8:1:1::3") == 429
    assert limits.admit(Connection(), "2001:db8:1:2::2") is None


def test_a_trusted_proxy_is_limited_by_the_process_alone() -> None:
    limits = limiter(3, per_address=1)
    for _ in range(3):
        busy(limits, PROXY)
    assert limits.admit(Connection(), PROXY) == 503


def test_the_connection_that_became_idle_first_gives_way() -> None:
    limits = limiter(3)
    first, second, third = [idle(limits, f"192.0.2.{number}") for number in range(3)]
    limits.mark_busy(first)
    limits.mark_idle(first)
    limits.mark_busy(second)
    idle(limits, "192.0.2.9")
    assert [each.transport.closed for each in (first, second, third)] == [False, False, True]
    idle(limits, "192.0.2.9")
    assert [each.transport.closed for each in (first, second)] == [True, False]


def test_an_answer_that_is_still_read_is_passed_over() -> None:
    limits = limiter(2)
    slow, other = idle(limits, "192.0.2.1"), idle(limits, "192.0.2.2")
    slow.transport.unread = 1
    idle(limits, "192.0.2.3").transport.unread = 1
    assert (slow.transport.closed, other.transport.closed) == (False, True)
    assert limits.admit(Connection(), "192.0.2.4") == 503


def test_at_the_limit_of_an_address_its_own_connection_gives_way() -> None:
    limits = limiter(per_address=1)
    older, own = idle(limits, "192.0.2.1"), idle(limits, "192.0.2.2")
    idle(limits, "192.0.2.2")
    assert (older.transport.closed, own.transport.closed) == (False, True)


def test_a_connection_leaves_its_place_once() -> None:
    limits = limiter(2, per_address=2)
    lost, rest = busy(limits, "192.0.2.1"), busy(limits, "192.0.2.1")
    for _ in range(3):
        limits.release(lost)
    busy(limits, "192.0.2.1")
    refused = Connection()
    assert limits.admit(refused, "192.0.2.1") == 429
    limits.release(refused)
    assert limits.admit(Connection(), "192.0.2.2") == 503
    # An answer that ends after the connection has gone makes it no candidate.
    limits.release(rest)
    limits.mark_idle(rest)
    busy(limits, "192.0.2.2")
    assert limits.admit(Connection(), "192.0.2.3") == 503
    assert rest.transport.closed is False
