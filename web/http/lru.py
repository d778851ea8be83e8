"""A bounded memory for finished pages: least recently used out first, counted in bytes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

MEBIBYTE: Final = 1 << 20


class Sized(Protocol):
    """Something that knows how much memory it holds."""

    @property
    def size(self) -> int:
        """Bytes held, about."""
        ...


_K = TypeVar("_K", bound="Hashable")
_V = TypeVar("_V", bound=Sized)


class Keep(Generic[_K, _V]):
    """Values by key, up to `limit` bytes of them."""

    def __init__(self, limit: int, counted: Callable[[str], None]) -> None:
        """Keep at most `limit` bytes; `counted` is told "hit" or "miss" at each look."""
        self._limit = limit
        self._counted = counted
        self._held: OrderedDict[_K, _V] = OrderedDict()
        self._making: dict[_K, asyncio.Task[_V]] = {}
        self.size = 0

    def get(self, key: _K) -> _V | None:
        """Return what is kept under `key`, and keep it longest from now on."""
        found = self._held.get(key)
        if found is None:
            self._counted("miss")
            return None
        self._held.move_to_end(key)
        self._counted("hit")
        return found

    async def made(self, key: _K, make: Callable[[], Awaitable[_V]]) -> _V:
        """Return what `make` makes and keep it; all who want the same at once wait for one making."""
        # Who looked in vain a moment ago may come here after another's making has ended.
        found = self._held.get(key)
        if found is not None:
            return found
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.create_task(self._make(key, make))
            making.add_done_callback(_seen)
        return await asyncio.shield(making)

    async def _make(self, key: _K, make: Callable[[], Awaitable[_V]]) -> _V:
        try:
            value = await make()
            self._put(key, value)
            return value
        finally:
            del self._making[key]

    def _put(self, key: _K, value: _V) -> None:
        # One value larger than everything is never kept: it would push out all the others for itself alone.
        if value.size > self._limit // 4:
            return
        self._held[key] = value
        self.size += value.size
        while self.size > self._limit:
            _, oldest = self._held.popitem(last=False)
            self.size -= oldest.size


def _seen(task: asyncio.Task[_V]) -> None:
    # When all who waited have hung up nobody else looks at the failure, and asyncio would complain.
    if not task.cancelled():
        task.exception()
