"""From the Host header to the workspace it belongs to: one canonical name, a bounded cache, a resolver."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from kernel.errors import Invalid
from tenants.workspaces.domains import canonical_host

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kernel.clock import Clock

LIFETIME_S: Final = 30
NEGATIVE_LIFETIME_S: Final = 10
CAPACITY: Final = 20_000

_PORT: Final = re.compile(rb":\d{0,5}\Z")

_T = TypeVar("_T")


@lru_cache(maxsize=4096)
def canonical(raw: bytes) -> str | None:
    """Return a host name in lower case, as A-labels, without port and trailing dot; None for anything else.

    Address literals are not names: a workspace is never reached by address. Two Host headers arrive here
    joined by a comma, and are none.
    """
    try:
        return canonical_host(_PORT.sub(b"", raw).decode())
    except (UnicodeError, Invalid):
        return None


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
        """Ask `resolve` for what is not known; `counted` is told: cached, cached_absent, found or absent."""
        self._resolve = resolve
        self._clock = clock
        self._counted = counted
        self._capacity = capacity
        self._entries: OrderedDict[str, tuple[float, _T | None]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[_T | None]] = {}

    def remembered(self, host: str) -> tuple[_T | None] | None:
        """Return what is known of `host` without asking, in a tuple; None when nothing is."""
        entry = self._entries.get(host)
        if entry is None or self._clock.now().timestamp() >= entry[0]:
            return None
        self._entries.move_to_end(host)
        self._counted("cached_absent" if entry[1] is None else "cached")
        return (entry[1],)

    async def get(self, host: str) -> _T | None:
        """Return what `host` stands for, or None; what the resolver raises is raised and not remembered."""
        known = self.remembered(host)
        if known is not None:
            return known[0]
        asking = self._asking.get(host)
        if asking is None:
            asking = self._asking[host] = asyncio.create_task(self._ask(host))
            asking.add_done_callback(_seen)
        # Shielded: one asker that hangs up must not cancel the answer of the others.
        return await asyncio.shield(asking)

    async def _ask(self, host: str) -> _T | None:
        try:
            found = await self._resolve(host)
            self._counted("absent" if found is None else "found")
            lifetime = NEGATIVE_LIFETIME_S if found is None else LIFETIME_S
            self._entries[host] = (self._clock.now().timestamp() + lifetime, found)
            self._entries.move_to_end(host)
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
            return found
        finally:
            del self._asking[host]


def _seen(task: asyncio.Task[_T]) -> None:
    # When every asker has hung up nobody else looks at the failure, and asyncio would complain.
    if not task.cancelled():
        task.exception()
