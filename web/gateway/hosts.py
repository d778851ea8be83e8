"""From the Host header to the workspace it belongs to: one canonical name, a bounded cache, a resolver."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import idna

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kernel.clock import Clock

LONGEST_HOST: Final = 253  # RFC 1035, 2.3.4, without the trailing dot
LIFETIME_S: Final = 30
NEGATIVE_LIFETIME_S: Final = 10
CAPACITY: Final = 20_000

_PORT: Final = re.compile(rb":\d{0,5}\Z")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
# URL standard: a name whose last label is a number is an IPv4 literal, however it is written.
_NUMBER: Final = re.compile(r"(?:\d+|0x[0-9a-f]*)\Z")

_T = TypeVar("_T")


@lru_cache(maxsize=4096)
def canonical(raw: bytes) -> str | None:
    """Return a host name in lower case, as A-labels, without port and trailing dot; None for anything else.

    Address literals are not names: a workspace is never reached by address. Two Host headers arrive here
    joined by a comma, and are none.
    """
    try:
        name = _PORT.sub(b"", raw).decode().lower()
        if not name.isascii():
            # IDNA 2008 by UTS 46: the older codec of the standard library turns another name's ß into ss.
            name = idna.encode(name, uts46=True).decode()
    except UnicodeError:  # idna's own error is one
        return None
    name = name.removesuffix(".")
    labels = name.split(".")
    is_name = len(name) <= LONGEST_HOST and all(_LABEL.match(label) for label in labels)
    return name if is_name and not _NUMBER.match(labels[-1]) else None


class HostCache(Generic[_T]):
    """Remembers for a short while what each host resolved to, misses included, and asks once for many askers.

    Bounded: a flood of invented hosts pushes out old entries and never grows the process.
    """

    def __init__(
        self,
        resolve: Callable[[str], Awaitable[_T | None]],
        clock: Clock,
        *,
        counted: Callable[[str], None],
        capacity: int = CAPACITY,
    ) -> None:
        """Ask `resolve` for what is not known; `counted` is told "hit", "miss" or "negative" at each look."""
        self._resolve = resolve
        self._clock = clock
        self._counted = counted
        self._capacity = capacity
        self._entries: OrderedDict[str, tuple[float, _T | None]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[_T | None]] = {}

    async def get(self, host: str) -> _T | None:
        """Return what `host` stands for, or None; what the resolver raises is raised and not remembered."""
        entry = self._entries.get(host)
        if entry is not None and self._clock.now().timestamp() < entry[0]:
            self._entries.move_to_end(host)
            self._counted("negative" if entry[1] is None else "hit")
            return entry[1]
        self._counted("miss")
        asking = self._asking.get(host)
        if asking is None:
            asking = self._asking[host] = asyncio.create_task(self._ask(host))
        # Shielded: one asker that hangs up must not cancel the answer of the others.
        return await asyncio.shield(asking)

    def forget(self, host: str) -> None:
        """Ask the resolver again the next time."""
        self._entries.pop(host, None)

    async def _ask(self, host: str) -> _T | None:
        try:
            found = await self._resolve(host)
            lifetime = NEGATIVE_LIFETIME_S if found is None else LIFETIME_S
            self._entries[host] = (self._clock.now().timestamp() + lifetime, found)
            self._entries.move_to_end(host)
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
            return found
        finally:
            del self._asking[host]
