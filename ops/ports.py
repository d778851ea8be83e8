"""Ports of this machine: whether a server can listen on one, and one that is free."""

import secrets
import socket

LOOPBACK = "127.0.0.1"

_PORTS = range(12_000, 32_000)
_chosen: set[int] = set()


def can_listen(host: str, port: int) -> bool:
    """Whether a server could listen on the address now."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError:
        return False
    return True


def find_free_port() -> int:
    """Return a port of the loopback address that is free now; no port is returned twice in one process.

    It lies below the ports that Linux and macOS give to outgoing connections: one of those could take the port before
    the server listens on it.
    """
    while True:
        port = secrets.choice(_PORTS)
        if port not in _chosen and can_listen(LOOPBACK, port):
            _chosen.add(port)
            return port
