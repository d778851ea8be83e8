"""The cache of finished pages: bounded in bytes, least recently used out first, made once for many."""

import asyncio
from dataclasses import dataclass

import pytest

from web.http.lru import SharedCache


@dataclass(frozen=True)
class Page:
    name: str
    size: int = 10


async def fill(cache: SharedCache[str, Page], *pages: Page) -> None:
    for page in pages:

        async def make(made: Page = page) -> Page:
            return made

        await cache.get_or_make(page.name, make)


async def test_a_value_is_cached_and_lookups_are_counted() -> None:
    lookups: list[str] = []
    cache: SharedCache[str, Page] = SharedCache(100, lookups.append)
    assert cache.get("a") is None
    await fill(cache, Page("a"))
    assert cache.get("a") == Page("a")
    assert (cache.size, lookups) == (10, ["miss", "hit"])


async def test_the_least_recently_used_value_goes_first() -> None:
    cache: SharedCache[str, Page] = SharedCache(40, lambda _result: None)
    await fill(cache, *(Page(name) for name in "abcd"))
    cache.get("a")
    await fill(cache, Page("e"))
    assert [cache.get(name) is not None for name in "abcde"] == [True, False, True, True, True]
    assert cache.size == 40


async def test_one_enormous_value_does_not_push_out_all_the_others() -> None:
    cache: SharedCache[str, Page] = SharedCache(40, lambda _result: None)
    await fill(cache, Page("a"), Page("huge", 11))
    assert cache.get("a") == Page("a")
    assert cache.get("huge") is None
    assert cache.size == 10


async def test_many_who_ask_at_once_wait_for_one_call() -> None:
    cache: SharedCache[str, Page] = SharedCache(100, lambda _result: None)
    made: list[str] = []

    async def make() -> Page:
        made.append("a")
        await asyncio.sleep(0)
        return Page("a")

    assert await asyncio.gather(*(cache.get_or_make("a", make) for _ in range(20))) == [Page("a")] * 20
    assert made == ["a"]


async def test_a_failed_call_fails_for_all_who_wait_and_the_next_tries_again() -> None:
    cache: SharedCache[str, Page] = SharedCache(100, lambda _result: None)

    async def fail() -> Page:
        await asyncio.sleep(0)
        raise ValueError("no template")

    failed = await asyncio.gather(*(cache.get_or_make("a", fail) for _ in range(2)), return_exceptions=True)
    assert [type(each) for each in failed] == [ValueError, ValueError]
    await fill(cache, Page("a"))
    assert cache.get("a") == Page("a")


async def test_a_caller_that_is_cancelled_does_not_cancel_the_call() -> None:
    cache: SharedCache[str, Page] = SharedCache(100, lambda _result: None)
    gate = asyncio.Event()

    async def make() -> Page:
        await gate.wait()
        return Page("a")

    waiting = asyncio.create_task(cache.get_or_make("a", make))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    assert await cache.get_or_make("a", make) == Page("a")


async def test_a_cached_value_is_not_made_again() -> None:
    cache: SharedCache[str, Page] = SharedCache(100, lambda _result: None)
    await fill(cache, Page("a"), Page("a", 20))
    assert (cache.get("a"), cache.size) == (Page("a"), 10)
