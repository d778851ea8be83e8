from ipaddress import ip_network

from web.hub.capacity import Capacity

PROXIES = (ip_network("10.0.0.0/8"),)


def test_a_client_has_its_own_limit_and_all_share_another() -> None:
    capacity = Capacity(4, per_address=2, trusted_proxies=())
    addresses = [capacity.add(peer) for peer in ("192.0.2.1", "192.0.2.1", "192.0.2.2")]
    assert [capacity.is_exceeded(address) for address in addresses] == [False, False, False]
    third = capacity.add("192.0.2.1")
    assert (capacity.is_exceeded(third), capacity.is_exceeded(addresses[2])) == (True, False)
    capacity.remove(third)
    assert capacity.is_exceeded(addresses[0]) is False
    last = [capacity.add(f"192.0.2.{number}") for number in range(3, 5)][-1]
    assert capacity.is_exceeded(last) is True
    assert capacity.is_far_exceeded(last) is False
    assert capacity.is_far_exceeded(capacity.add("192.0.2.9")) is True


def test_an_address_far_over_its_limit_is_not_even_told() -> None:
    capacity = Capacity(100, per_address=2, trusted_proxies=())
    told = [capacity.is_far_exceeded(capacity.add("192.0.2.1")) for _ in range(5)]
    assert told == [False, False, False, False, True]


def test_addresses_of_one_customers_network_count_as_one() -> None:
    capacity = Capacity(100, per_address=1, trusted_proxies=())
    first, second = capacity.add("2001:db8:1:2::3"), capacity.add("2001:db8:1:2::4")
    assert first == second
    assert capacity.is_exceeded(second) is True


def test_behind_a_proxy_the_client_is_counted_and_the_proxy_is_not() -> None:
    capacity = Capacity(100, per_address=1, trusted_proxies=PROXIES)
    assert [capacity.add("10.0.0.1") for _ in range(3)] == [None, None, None]
    first = capacity.identify("10.0.0.1", "198.51.100.7, 192.0.2.1")
    second = capacity.identify("10.0.0.1", "192.0.2.2")
    assert (first, second) == ("192.0.2.1", "192.0.2.2")
    assert (capacity.is_exceeded(first), capacity.is_exceeded(second)) == (False, False)
    assert capacity.is_exceeded(capacity.identify("10.0.0.1", "192.0.2.1")) is True
    assert capacity.identify("10.0.0.1", "") is None
    for address in (first, first, second, None):
        capacity.remove(address)
    assert capacity._counts == {}
