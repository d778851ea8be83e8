"""Hosts: one canonical name, and a cache that is short-lived, bounded and filled once."""

import asyncio
from datetime import timedelta

import pytest

from kernel.clock import FixedClock
from web.http.hosts import LIFETIME_S, NEGATIVE_LIFETIME_S, HostCache, _canonicalize_host, canonicalize_host


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"acme.example.com", "acme.example.com"),
        (b"ACME.Example.COM", "acme.example.com"),
        (b"acme.example.com:8443", "acme.example.com"),
        (b"acme.example.com.", "acme.example.com"),
        (b"acme.example.com.:80", "acme.example.com"),
        (b"acme.example.com:", "acme.example.com"),
        ("straße.example".encode(), "xn--strae-oqa.example"),
        ("BÜCHER.example".encode(), "xn--bcher-kva.example"),
        (b"xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_every_way_to_write_a_host_is_one_name(raw: bytes, name: str) -> None:
    assert canonicalize_host(raw.decode("latin-1")) == name


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b".",
        b"localhost",
        b"127.0.0.1",
        b"127.0.0.1:80",
        b"127.1",
        b"acme.0x7f",
        b"[::1]",
        b"[::1]:8000",
        b"a.example.com,b.example.com",
        b"a.example.com:80:80",
        b"user@a.example.com",
        b"a.example.com/i",
        b"a..example.com",
        b"-a.example.com",
        b"a_b.example.com",
        b"a.example.com\x00",
        b"\xff\xfe.example.com",
        b"a." + b"b" * 64 + b".com",
        b"a." * 130 + b"com",
    ],
)
def test_what_is_no_name_resolves_to_nothing(raw: bytes) -> None:
    assert canonicalize_host(raw.decode("latin-1")) is None


def test_a_host_of_any_length_does_not_fill_the_cache_of_names() -> None:
    before = _canonicalize_host.cache_info()
    for number in range(100):
        assert canonicalize_host(f"a{number}." * 7500 + "com") is None
    assert _canonicalize_host.cache_info() == before


class Registry:
    """A resolver that records what it was asked."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def resolve(self, host: str) -> str | None:
        self.asked.append(host)
        await self.gate.wait()
        if host == "broken":
            raise ConnectionError(host)
        return self.known.get(host)


async def test_a_host_is_looked_up_once_while_it_is_cached(clock: FixedClock) -> None:
    registry, lookups = Registry({"a": "Acme"}), list[str]()
    cache = HostCache(registry.resolve, clock, count_lookup=lookups.append)
    assert [await cache.get("a"), await cache.get("a")] == ["Acme", "Acme"]
    clock.advance(timedelta(seconds=LIFETIME_S))
    registry.known = {"a": "New Acme"}
    assert await cache.get("a") == "New Acme"
    assert registry.asked == ["a", "a"]
    assert lookups == ["found", "cached", "found"]


async def test_a_host_of_nobody_is_cached_for_less_long(clock: FixedClock) -> None:
    registry, lookups = Registry({}), list[str]()
    cache = HostCache(registry.resolve, clock, count_lookup=lookups.append)
    assert [await cache.get("b"), await cache.get("b")] == [None, None]
    clock.advance(timedelta(seconds=NEGATIVE_LIFETIME_S))
    registry.known = {"b": "Bolt"}
    assert await cache.get("b") == "Bolt"
    assert lookups == ["absent", "cached_absent", "found"]


async def test_a_hundred_requests_at_once_cost_one_lookup(clock: FixedClock) -> None:
    registry = Registry({"a": "Acme"})
    registry.gate.clear()
    cache = HostCache(registry.resolve, clock, count_lookup=lambda _result: None)
    asking = [asyncio.create_task(cache.get("a")) for _ in range(100)]
    await asyncio.sleep(0)
    registry.gate.set()
    assert await asyncio.gather(*asking) == ["Acme"] * 100
    assert registry.asked == ["a"]


async def test_a_request_that_is_cancelled_does_not_cancel_the_others(clock: FixedClock) -> None:
    registry = Registry({"a": "Acme"})
    registry.gate.clear()
    cache = HostCache(registry.resolve, clock, count_lookup=lambda _result: None)
    first, second = asyncio.create_task(cache.get("a")), asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    first.cancel()
    registry.gate.set()
    assert await second == "Acme"


async def test_a_failure_is_not_cached(clock: FixedClock) -> None:
    registry = Registry({})
    cache = HostCache(registry.resolve, clock, count_lookup=lambda _result: None)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await cache.get("broken")
    assert registry.asked == ["broken", "broken"]


async def test_invented_hosts_push_each_other_out_of_the_cache(clock: FixedClock) -> None:
    registry = Registry({"a": "Acme"})
    cache = HostCache(registry.resolve, clock, count_lookup=lambda _result: None, capacity=3)
    for host in ("a", "x1", "x2", "a", "x3", "x4"):
        await cache.get(host)
    registry.asked.clear()
    # The one in use stayed; of the invented ones only the newest did.
    for host in ("a", "x3", "x4", "x1"):
        await cache.get(host)
    assert registry.asked == ["x1"]
