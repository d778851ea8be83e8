"""An LRU cache bounded in bytes; concurrent callers share the call that makes a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from cachetools import LRUCache

from kernel.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

MEBIBYTE: Final = 1 << 20


class HasSize(Protocol):
    """A value that reports its size in memory."""

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        ...


_K = TypeVar("_K", bound="Hashable")
_V = TypeVar("_V", bound=HasSize)


class SharedCache(Generic[_K, _V]):
    """Values by key, bounded in bytes."""

    def __init__(self, limit: int, count_lookup: Callable[[str], None]) -> None:
        """Hold at most `limit` bytes; each `get` passes "hit" or "miss" to `count_lookup`."""
        self._count_lookup = count_lookup
        self._values: LRUCache[_K, _V] = LRUCache(limit, getsizeof=lambda value: value.size)
        self._calls: SingleFlight[_K, _V] = SingleFlight(cancel_abandoned=False)

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return int(self._values.currsize)

    def get(self, key: _K) -> _V | None:
        """Return the cached value of `key`, or None."""
        # LRUCache.get would compute the hash of the key twice.
        try:
            value = self._values[key]
        except KeyError:
            self._count_lookup("miss")
            return None
        self._count_lookup("hit")
        return value

    async def get_or_make(self, key: _K, make: Callable[[], Awaitable[_V]]) -> _V:
        """Return the cached value, or what `make` returns; concurrent callers wait for one call."""
        # Another call may have ended since the caller's `get`.
        value = self._values.get(key)
        if value is not None:
            return value
        return await self._calls.run(key, lambda: self._make(key, make))

    async def _make(self, key: _K, make: Callable[[], Awaitable[_V]]) -> _V:
        value = await make()
        # A larger value would evict most others.
        if value.size <= self._values.maxsize // 4:
            self._values[key] = value
        return value
