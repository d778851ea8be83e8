"""A pool of connections to Postgres, each used by one unit of work at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, Protocol, cast

import asyncpg

from kernel.errors import Unavailable
from kernel.store.errors import convert_to_unavailable, is_connection_failure

CONNECT_TIMEOUT_S: Final = 5
COMMAND_TIMEOUT_S: Final = 60.0
ACQUIRE_TIMEOUT_S: Final = 10.0
LIFETIME_S: Final = 1800.0


class Connection(Protocol):
    """The part of asyncpg's connection that the store uses; the driver has no type hints."""

    async def execute(self, query: str, *args: object) -> str: ...  # noqa: D102
    async def fetch(self, query: str, *args: object) -> list[Any]: ...  # noqa: D102
    async def fetchrow(self, query: str, *args: object) -> Any: ...  # noqa: D102
    async def fetchval(self, query: str, *args: object) -> Any: ...  # noqa: D102
    async def close(self) -> None: ...  # noqa: D102
    def terminate(self) -> None: ...  # noqa: D102
    def is_closed(self) -> bool: ...  # noqa: D102


class Pool:
    """At most `size` connections. `acquire` waits for one; `release` is synchronous and cannot be interrupted.

    asyncpg's pool awaits a RESET in another task when it releases a connection, which takes about 80 µs more and may
    not end if the caller is cancelled.
    """

    __slots__ = (
        "_acquire_timeout_s",
        "_closed",
        "_command_timeout_s",
        "_idle",
        "_in_use",
        "_lifetime_s",
        "_name",
        "_opened_at",
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
        acquire_timeout_s: float = ACQUIRE_TIMEOUT_S,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
        lifetime_s: float = LIFETIME_S,
    ) -> None:
        self.size = size
        self.prepared = prepared
        self._url = url
        self._name = name
        self._acquire_timeout_s = acquire_timeout_s
        self._command_timeout_s = command_timeout_s
        self._lifetime_s = lifetime_s
        self._idle: list[Connection] = []
        self._opened_at: dict[Connection, float] = {}
        self._in_use = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False

    @property
    def in_use(self) -> int:
        """Connections in use."""
        return self._in_use

    @property
    def waiting(self) -> int:
        """Units of work that wait for a connection."""
        return len(self._waiting)

    async def acquire(self) -> Connection:
        """Return a connection for the caller alone until `release`.

        Raises Unavailable: "store.unavailable" when Postgres cannot be reached, "store.busy" when none became free in
        time, "store.closed" after `close`.
        """
        while True:
            if self._closed:
                raise Unavailable("store.closed", "The connections to the database are closed.")
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    self._in_use += 1
                    return connection
                del self._opened_at[connection]
            if self._in_use < self.size:
                self._in_use += 1
                try:
                    return await self._connect()
                except BaseException:
                    self._free_slot()
                    raise
            released = await self._wait()
            if released is not None:
                return released

    def release(self, connection: Connection, *, reusable: bool) -> None:
        """Return a connection to the pool; one that is not reusable, or old, is terminated, which frees its slot."""
        age = asyncio.get_running_loop().time() - self._opened_at[connection]
        if reusable and age < self._lifetime_s and not self._closed and not connection.is_closed():
            while self._waiting:
                waiter = self._waiting.popleft()
                if not waiter.done():
                    waiter.set_result(connection)
                    return
            self._in_use -= 1
            self._idle.append(connection)
            return
        del self._opened_at[connection]
        connection.terminate()
        self._free_slot()

    async def close(self) -> None:
        """Close idle connections and refuse `acquire`; those in use are terminated when they are released."""
        self._closed = True
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
        while self._idle:
            connection = self._idle.pop()
            del self._opened_at[connection]
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
                    # No other settings, which PgBouncer refuses: the roles have them (kernel.store.roles).
                    server_settings={"application_name": self._name},
                ),
            )
        except Exception as error:
            if is_connection_failure(error, None):
                raise convert_to_unavailable(error) from error
            raise
        self._opened_at[connection] = asyncio.get_running_loop().time()
        return connection

    async def _wait(self) -> Connection | None:
        """Return a connection that another unit released, or None when a slot became free."""
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._acquire_timeout_s):
                return await waiter
        except BaseException as error:
            # The connection may have arrived at the moment of the cancellation or time-out.
            if waiter.done() and not waiter.cancelled():
                released = waiter.result()
                if released is not None:
                    self.release(released, reusable=True)
                else:
                    self._wake_one()
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            if isinstance(error, TimeoutError):
                message = "All connections to the database are in use."
                raise Unavailable("store.busy", message, size=self.size) from error
            raise

    def _free_slot(self) -> None:
        self._in_use -= 1
        self._wake_one()

    def _wake_one(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
