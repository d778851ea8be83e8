"""Hosts: one canonical name, and a memory that is short, bounded and asked once."""

import asyncio
from datetime import timedelta

import pytest

from kernel.clock import FixedClock
from web.http.hosts import LIFETIME_S, NEGATIVE_LIFETIME_S, HostCache, canonical


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
    assert canonical(raw) == name


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
    assert canonical(raw) is None


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


async def test_a_host_is_asked_for_once_while_it_is_remembered(clock: FixedClock) -> None:
    registry, looks = Registry({"a": "Acme"}), list[str]()
    cache = HostCache(registry.resolve, clock, counted=looks.append)
    assert [await cache.get("a"), await cache.get("a")] == ["Acme", "Acme"]
    clock.advance(timedelta(seconds=LIFETIME_S))
    registry.known = {"a": "New Acme"}
    assert await cache.get("a") == "New Acme"
    assert registry.asked == ["a", "a"]
    assert looks == ["found", "cached", "found"]


async def test_a_host_that_is_nobodys_is_remembered_for_less_long(clock: FixedClock) -> None:
    registry, looks = Registry({}), list[str]()
    cache = HostCache(registry.resolve, clock, counted=looks.append)
    assert [await cache.get("b"), await cache.get("b")] == [None, None]
    clock.advance(timedelta(seconds=NEGATIVE_LIFETIME_S))
    registry.known = {"b": "Bolt"}
    assert await cache.get("b") == "Bolt"
    assert looks == ["absent", "cached_absent", "found"]


async def test_a_hundred_askers_at_once_cost_one_question(clock: FixedClock) -> None:
    registry = Registry({"a": "Acme"})
    registry.gate.clear()
    cache = HostCache(registry.resolve, clock, counted=lambda _look: None)
    asking = [asyncio.create_task(cache.get("a")) for _ in range(100)]
    await asyncio.sleep(0)
    registry.gate.set()
    assert await asyncio.gather(*asking) == ["Acme"] * 100
    assert registry.asked == ["a"]


async def test_one_asker_who_hangs_up_does_not_take_the_answer_from_the_others(clock: FixedClock) -> None:
    registry = Registry({"a": "Acme"})
    registry.gate.clear()
    cache = HostCache(registry.resolve, clock, counted=lambda _look: None)
    first, second = asyncio.create_task(cache.get("a")), asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    first.cancel()
    registry.gate.set()
    assert await second == "Acme"


async def test_a_failure_is_not_remembered(clock: FixedClock) -> None:
    registry = Registry({})
    cache = HostCache(registry.resolve, clock, counted=lambda _look: None)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await cache.get("broken")
    assert registry.asked == ["broken", "broken"]


async def test_invented_hosts_push_each_other_out(clock: FixedClock) -> None:
    registry = Registry({"a": "Acme"})
    cache = HostCache(registry.resolve, clock, counted=lambda _look: None, capacity=3)
    for host in ("a", "x1", "x2", "a", "x3", "x4"):
        await cache.get(host)
    registry.asked.clear()
    # The one in use stayed; of the invented ones only the newest did.
    for host in ("a", "x3", "x4", "x1"):
        await cache.get(host)
    assert registry.asked == ["x1"]
