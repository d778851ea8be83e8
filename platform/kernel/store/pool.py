"""A few connections to Postgres, lent to one unit of work each; giving one back never waits."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, Protocol, cast

import asyncpg

from kernel.errors import Unavailable
from kernel.store.faults import is_away, unavailable

CONNECT_TIMEOUT_S: Final = 5
COMMAND_TIMEOUT_S: Final = 60.0
PATIENCE_S: Final = 10.0
LIFETIME_S: Final = 1800.0


class Connection(Protocol):
    """The part of asyncpg's connection that the store uses; the driver itself carries no types."""

    async def execute(self, query: str, *args: object) -> str: ...  # noqa: D102
    async def fetch(self, query: str, *args: object) -> list[Any]: ...  # noqa: D102
    async def fetchrow(self, query: str, *args: object) -> Any: ...  # noqa: D102
    async def fetchval(self, query: str, *args: object) -> Any: ...  # noqa: D102
    async def close(self) -> None: ...  # noqa: D102
    def terminate(self) -> None: ...  # noqa: D102
    def is_closed(self) -> bool: ...  # noqa: D102


class Pool:
    """At most `size` connections. `lend` waits for one; `take_back` is synchronous: nothing can interrupt it.

    asyncpg's own pool gives a connection back in a task of its own, after a RESET: some 80 µs more a unit of work,
    and an await that a cancelled caller may never finish.
    """

    __slots__ = (
        "_born",
        "_closed",
        "_command_timeout_s",
        "_idle",
        "_lent",
        "_lifetime_s",
        "_name",
        "_patience_s",
        "_url",
        "_waiting",
        "prepared",
        "size",
    )

    def __init__(
        self,
        url: str,
        *,
        size: int,
        name: str,
        prepared: bool = True,
        patience_s: float = PATIENCE_S,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
        lifetime_s: float = LIFETIME_S,
    ) -> None:
        self.size = size
        self.prepared = prepared
        self._url = url
        self._name = name
        self._patience_s = patience_s
        self._command_timeout_s = command_timeout_s
        self._lifetime_s = lifetime_s
        self._idle: list[Connection] = []
        self._born: dict[Connection, float] = {}
        self._lent = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False

    @property
    def lent(self) -> int:
        """How many connections are with units of work now."""
        return self._lent

    @property
    def waiting(self) -> int:
        """How many units of work wait for a connection now."""
        return len(self._waiting)

    async def lend(self) -> Connection:
        """Return a connection that is ours alone until `take_back`.

        Raises Unavailable: "store.unavailable" when Postgres is away, "store.busy" when none came free in
        time, "store.closed" after `close`.
        """
        while True:
            if self._closed:
                raise Unavailable("store.closed", "The connections to the database are closed.")
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    self._lent += 1
                    return connection
                del self._born[connection]
            if self._lent < self.size:
                self._lent += 1
                try:
                    return await self._connect()
                except BaseException:
                    self._free_place()
                    raise
            handed = await self._wait()
            if handed is not None:
                return handed

    def take_back(self, connection: Connection, *, sound: bool) -> None:
        """Take a connection back; one that is not sound, or old, is cut off and its place becomes free."""
        age = asyncio.get_running_loop().time() - self._born[connection]
        if sound and age < self._lifetime_s and not self._closed and not connection.is_closed():
            while self._waiting:
                waiter = self._waiting.popleft()
                if not waiter.done():
                    waiter.set_result(connection)
                    return
            self._lent -= 1
            self._idle.append(connection)
            return
        del self._born[connection]
        connection.terminate()
        self._free_place()

    async def close(self) -> None:
        """Close what is idle and refuse further loans; what is lent is cut off when it comes back."""
        self._closed = True
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
        while self._idle:
            connection = self._idle.pop()
            del self._born[connection]
            await connection.close()

    async def _connect(self) -> Connection:
        try:
            connection = cast(
                "Connection",
                await asyncpg.connect(
                    self._url,
                    timeout=CONNECT_TIMEOUT_S,
                    command_timeout=self._command_timeout_s,
                    statement_cache_size=256 if self.prepared else 0,
                    # Nothing else: PgBouncer refuses what it does not know. kernel.store.roles sets the rest.
                    server_settings={"application_name": self._name},
                ),
            )
        except Exception as error:
            if is_away(error, None):
                raise unavailable(error) from error
            raise
        self._born[connection] = asyncio.get_running_loop().time()
        return connection

    async def _wait(self) -> Connection | None:
        """Return a connection somebody handed over, or None when a place became free."""
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._patience_s):
                return await waiter
        except BaseException as error:
            # It may have been handed over in the very moment in which we were cancelled or lost patience.
            if waiter.done() and not waiter.cancelled():
                handed = waiter.result()
                if handed is not None:
                    self.take_back(handed, sound=True)
                else:
                    self._wake_one()
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            if isinstance(error, TimeoutError):
                message = "All connections to the database are in use."
                raise Unavailable("store.busy", message, size=self.size) from error
            raise

    def _free_place(self) -> None:
        self._lent -= 1
        self._wake_one()

    def _wake_one(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
