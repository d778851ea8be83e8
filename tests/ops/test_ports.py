import socket

from ops.ports import LOOPBACK, can_listen, find_free_port


def test_a_port_in_use_is_not_free() -> None:
    port = find_free_port()
    assert can_listen(LOOPBACK, port)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert not can_listen(LOOPBACK, port)


def test_free_ports_differ_and_are_none_of_those_of_outgoing_connections() -> None:
    ports = [find_free_port() for _ in range(300)]
    assert len(set(ports)) == len(ports)
    with socket.socket() as outgoing:
        outgoing.bind((LOOPBACK, 0))
        assert max(ports) < outgoing.getsockname()[1]
