"""A database as one role: opens units of work, and retries those that failed to serialize."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from uuid import UUID

from kernel.errors import Invalid, Unavailable
from kernel.ids import WorkspaceId
from kernel.store.errors import CONTENDED
from kernel.store.pool import ACQUIRE_TIMEOUT_S, COMMAND_TIMEOUT_S, Pool
from kernel.store.statements import fetch, fetch_one
from kernel.store.unit import Publish, UnitOfWork, fetch_autocommit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kernel.actor import Actor

MAX_ATTEMPTS: Final = 3
_PAUSE_S: Final = 0.01
_ROLE: Final = """
SELECT current_user::text AS name, rolsuper OR rolbypassrls AS bypasses FROM pg_roles WHERE rolname = current_user
"""

_T = TypeVar("_T")


class Isolation(StrEnum):
    """The isolation level of a transaction; Postgres' default is READ COMMITTED."""

    READ_COMMITTED = "READ COMMITTED"
    REPEATABLE_READ = "REPEATABLE READ"
    SERIALIZABLE = "SERIALIZABLE"


class Database:
    """Connections to one database as one role, for the life of a process."""

    __slots__ = ("_actor", "_pool", "_publish", "name")

    def __init__(
        self, pool: Pool, name: str, actor: Actor | None = None, publish: Publish | None = None
    ) -> None:
        self._pool = pool
        self._actor = actor
        self._publish = publish
        self.name = name

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        size: int = 10,
        name: str = "portal",
        prepared: bool = True,
        acquire_timeout_s: float = ACQUIRE_TIMEOUT_S,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
        actor: Actor | None = None,
        publish: Publish | None = None,
    ) -> Self:
        """Connect once, to check the URL, and return the database.

        `size` limits the connections; `name` is shown in pg_stat_activity; `prepared` must be False behind a
        PgBouncer in transaction mode without max_prepared_statements; `acquire_timeout_s` limits the wait for a
        connection, `command_timeout_s` each statement; `actor` is the default of `scope` (an
        operator's command); `publish` sends messages after commits, see `publish_after_commit`.
        Raises Unavailable("store.unavailable").
        """
        pool = Pool(
            url,
            size=size,
            name=name,
            prepared=prepared,
            acquire_timeout_s=acquire_timeout_s,
            command_timeout_s=command_timeout_s,
        )
        pool.release(await pool.acquire(), reusable=True)
        return cls(pool, name, actor, publish)

    async def require_role(self, role: str) -> None:
        """Check the role; raises Invalid("store.wrong_role") for another role or one that bypasses row-level security.

        With the URL of svc, whose policies show all workspaces, a process would work without isolation.
        """
        async with self.unbound(read_only=True):
            (about,) = await fetch(_ROLE)
        if about["name"] != role:
            message = f"The database URL names the role {about['name']}; {role} is required."
            raise Invalid("store.wrong_role", message, role=about["name"])
        if about["bypasses"]:
            message = (
                f"The role {role} bypasses row-level security: `portal migrate --admin-url` revokes that."
            )
            raise Invalid("store.wrong_role", message, role=role)

    async def close(self) -> None:
        """Close the connections; those in use are terminated when they are released."""
        await self._pool.close()

    def scope(
        self,
        workspace_id: UUID,
        *,
        actor: Actor | None = None,
        read_only: bool = False,
        isolation: Isolation | None = None,
    ) -> UnitOfWork:
        """Return a unit of work that reads and writes the rows of one workspace only.

        `actor` is the author of its events; without one emitting an event raises NoActor. BEGIN and the binding to the
        workspace take one round trip. Entering raises NestedUnitOfWork inside another unit of work and
        Unavailable("store.unavailable" | "store.slow" | "store.busy"); leaving commits, or rolls back after an
        exception.
        """
        if not _is_uuid(workspace_id):
            message = f"A workspace id is a UUID, not {type(workspace_id).__name__}."
            raise TypeError(message)
        return self._unit(
            WorkspaceId(workspace_id), actor or self._actor, read_only=read_only, isolation=isolation
        )

    def unbound(self, *, read_only: bool = False, isolation: Isolation | None = None) -> UnitOfWork:
        """Return a unit of work bound to no workspace: reading a tenants' table raises, definer functions work."""
        return self._unit(None, None, read_only=read_only, isolation=isolation)

    async def fetch_autocommit(self, sql: str, *args: object, read_only: bool = True) -> Any:
        """Return the first row (asyncpg.Record) of one statement in autocommit mode, or None: one round trip.

        It may run more than once, because a connection that was closed while idle is replaced: one that writes
        (`read_only=False`) must change nothing the second time. Without prepared statements it takes three round trips:
        PgBouncer needs a transaction to use one server connection from PARSE to EXECUTE.
        Raises NestedUnitOfWork inside a unit of work, and
        Unavailable("store.unavailable" | "store.slow" | "store.busy" | "store.contended").
        """
        if self._pool.prepared:
            return await fetch_autocommit(self._pool, sql, *args)
        async with self.unbound(read_only=read_only):
            return await fetch_one(sql, *args)

    async def run(
        self,
        workspace_id: UUID,
        work: Callable[[], Awaitable[_T]],
        *,
        actor: Actor | None = None,
        isolation: Isolation | None = None,
    ) -> _T:
        """Run `work` in a scope; after a serialization failure or a deadlock again, at most three times in all.

        `work` may run more than once, so it must only execute statements.
        Raises Unavailable("store.contended").
        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                async with self.scope(workspace_id, actor=actor, isolation=isolation):
                    return await work()
            except Unavailable as error:
                if error.code != CONTENDED or attempt == MAX_ATTEMPTS:
                    raise
                await asyncio.sleep(_PAUSE_S * attempt)
        raise AssertionError

    @property
    def size(self) -> int:
        """Limit of connections."""
        return self._pool.size

    @property
    def in_use(self) -> int:
        """Connections in use."""
        return self._pool.in_use

    @property
    def waiting(self) -> int:
        """Units of work that wait for a connection."""
        return self._pool.waiting

    def _unit(
        self,
        workspace_id: WorkspaceId | None,
        actor: Actor | None,
        *,
        read_only: bool,
        isolation: Isolation | None,
    ) -> UnitOfWork:
        begin = "BEGIN"
        if isolation is not None:
            begin += f" ISOLATION LEVEL {isolation.value}"
        if read_only:
            begin += " READ ONLY"
        # The simple protocol sends both statements in one round trip. The text of a UUID needs no quoting.
        setting = "" if workspace_id is None else workspace_id
        return UnitOfWork(
            self._pool, f"{begin}; SET LOCAL app.workspace = '{setting}'", workspace_id, actor, self._publish
        )


def _is_uuid(value: object) -> bool:
    return isinstance(value, UUID)
