"""Resolves Host headers: the canonical name of a host, and a bounded cache of what hosts resolve to."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from cachetools import TLRUCache

from kernel.errors import Invalid
from kernel.single_flight import SingleFlight
from tenants.workspaces.domains import parse_host

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kernel.clock import Clock

LIFETIME_S: Final = 30
NEGATIVE_LIFETIME_S: Final = 10
CAPACITY: Final = 20_000

_PORT: Final = re.compile(r":[0-9]{0,5}\Z")
# Bytes: 253 of a name (RFC 1035, 2.3.4), in UTF-8 up to four a character, and a port.
_LONGEST: Final = 1024

_T = TypeVar("_T")


def canonicalize_host(host: str) -> str | None:
    """Return a Host header's name in lower case, as A-labels, without port and trailing dot; None for anything else.

    Address literals are not names: a workspace is never reached by address. `host` is decoded as Latin-1, as
    Litestar decodes headers; a name in UTF-8 is accepted as well.
    """
    # The answers are cached by the header: a client must not fill the cache with headers of any size.
    return _canonicalize_host(host) if len(host) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _canonicalize_host(host: str) -> str | None:
    try:
        return parse_host(_PORT.sub("", host.encode("latin-1").decode()))
    except (UnicodeError, Invalid):
        return None


class HostCache(Generic[_T]):
    """Caches for seconds what each host resolves to, misses included; concurrent callers share one look-up.

    The number of entries is bounded: invented hosts evict old entries.
    """

    def __init__(
        self,
        resolve: Callable[[str], Awaitable[_T | None]],
        clock: Clock,
        *,
        count_lookup: Callable[[str], None],
        capacity: int = CAPACITY,
    ) -> None:
        """Call `resolve` for other hosts; pass cached, cached_absent, found or absent to `count_lookup`."""
        self._resolve = resolve
        self._count_lookup = count_lookup
        # A tuple, because None is a valid result.
        self._entries: TLRUCache[str, tuple[_T | None]] = TLRUCache(
            capacity, ttu=_compute_expiry, timer=lambda: clock.now().timestamp()
        )
        self._lookups: SingleFlight[str, _T | None] = SingleFlight(cancel_abandoned=False)

    def find(self, host: str) -> tuple[_T | None] | None:
        """Return what is cached for `host`, in a tuple; None when nothing is."""
        entry = self._entries.get(host)
        if entry is not None:
            self._count_lookup("cached_absent" if entry[0] is None else "cached")
        return entry

    async def get(self, host: str) -> _T | None:
        """Return what `host` resolves to, or None; errors of the resolver are raised and not cached."""
        known = self.find(host)
        if known is not None:
            return known[0]
        return await self._lookups.run(host, lambda: self._look_up(host))

    async def _look_up(self, host: str) -> _T | None:
        found = await self._resolve(host)
        self._count_lookup("absent" if found is None else "found")
        self._entries[host] = (found,)
        return found


def _compute_expiry(_host: str, entry: tuple[object], now: float) -> float:
    return now + (NEGATIVE_LIFETIME_S if entry[0] is None else LIFETIME_S)
