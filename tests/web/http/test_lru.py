"""The memory for finished pages: bounded in bytes, least recently used out first, made once for many."""

import asyncio
from dataclasses import dataclass

import pytest

from web.http.lru import Keep


@dataclass(frozen=True)
class Page:
    name: str
    size: int = 10


async def fill(keep: Keep[str, Page], *pages: Page) -> None:
    for page in pages:

        async def make(made: Page = page) -> Page:
            return made

        await keep.made(page.name, make)


async def test_what_was_made_is_kept_and_counted() -> None:
    looks: list[str] = []
    keep: Keep[str, Page] = Keep(100, looks.append)
    assert keep.get("a") is None
    await fill(keep, Page("a"))
    assert keep.get("a") == Page("a")
    assert (keep.size, looks) == (10, ["miss", "hit"])


async def test_what_was_not_asked_for_longest_goes_first() -> None:
    keep: Keep[str, Page] = Keep(40, lambda _look: None)
    await fill(keep, *(Page(name) for name in "abcd"))
    keep.get("a")
    await fill(keep, Page("e"))
    assert [keep.get(name) is not None for name in "abcde"] == [True, False, True, True, True]
    assert keep.size == 40


async def test_one_enormous_page_does_not_push_out_all_the_others() -> None:
    keep: Keep[str, Page] = Keep(40, lambda _look: None)
    await fill(keep, Page("a"), Page("huge", 11))
    assert keep.get("a") == Page("a")
    assert keep.get("huge") is None
    assert keep.size == 10


async def test_many_who_want_the_same_wait_for_one_making() -> None:
    keep: Keep[str, Page] = Keep(100, lambda _look: None)
    made: list[str] = []

    async def make() -> Page:
        made.append("a")
        await asyncio.sleep(0)
        return Page("a")

    assert await asyncio.gather(*(keep.made("a", make) for _ in range(20))) == [Page("a")] * 20
    assert made == ["a"]


async def test_a_failed_making_is_everybodys_failure_and_the_next_tries_again() -> None:
    keep: Keep[str, Page] = Keep(100, lambda _look: None)

    async def fail() -> Page:
        await asyncio.sleep(0)
        raise ValueError("no template")

    failed = await asyncio.gather(*(keep.made("a", fail) for _ in range(2)), return_exceptions=True)
    assert [type(each) for each in failed] == [ValueError, ValueError]
    await fill(keep, Page("a"))
    assert keep.get("a") == Page("a")


async def test_who_stops_waiting_does_not_stop_the_making() -> None:
    keep: Keep[str, Page] = Keep(100, lambda _look: None)
    gate = asyncio.Event()

    async def make() -> Page:
        await gate.wait()
        return Page("a")

    waiting = asyncio.create_task(keep.made("a", make))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    assert await keep.made("a", make) == Page("a")


async def test_what_is_kept_is_not_made_again() -> None:
    keep: Keep[str, Page] = Keep(100, lambda _look: None)
    await fill(keep, Page("a"), Page("a", 20))
    assert (keep.get("a"), keep.size) == (Page("a"), 10)
