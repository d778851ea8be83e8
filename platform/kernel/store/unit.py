"""The unit of work: one connection, one transaction, one workspace, one task; and the statements in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from asyncpg import PostgresError

from kernel.store.errors import (
    FailedTransaction,
    NestedUnitOfWork,
    NoActor,
    NoUnitOfWork,
    NoWorkspace,
    WrongTask,
    convert_to_unavailable,
    is_connection_failure,
    is_timeout,
    translate_error,
)
from kernel.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from kernel.actor import Actor
    from kernel.ids import WorkspaceId
    from kernel.store.pool import Connection, Pool

_CURRENT: Final[ContextVar[UnitOfWork | None]] = ContextVar("unit_of_work", default=None)
_MAX_ATTEMPTS: Final = 3

Callback = Callable[[], Awaitable[None]]
Publish = Callable[[str, bytes], Awaitable[None]]

_log: Final = logs.get_logger("kernel.store")


class UnitOfWork:
    """An async context manager, created by `Database.scope` and `Database.unbound`.

    It commits, or rolls back after an exception. In each case the connection is released: a reusable one returns to
    the pool, any other is terminated. The release cannot be interrupted, because it awaits nothing.
    """

    __slots__ = (
        "_begin",
        "_connection",
        "_pool",
        "_token",
        "actor",
        "callbacks",
        "publish",
        "task",
        "workspace_id",
    )

    def __init__(
        self,
        pool: Pool,
        begin: str,
        workspace_id: WorkspaceId | None,
        actor: Actor | None,
        publish: Publish | None,
    ) -> None:
        self._pool = pool
        self._begin = begin
        self._connection: Connection | None = None
        self.task: asyncio.Task[Any] | None = None
        self._token: Token[UnitOfWork | None] | None = None
        self.workspace_id = workspace_id
        self.actor = actor
        self.publish = publish
        self.callbacks: list[Callback] = []
        """Called after COMMIT: see `after_commit`."""

    async def __aenter__(self) -> Self:
        _require_none_open("a nested one would be part of the outer one")
        self._connection = await self._begin_transaction()
        self.task = asyncio.current_task()
        self._token = _CURRENT.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection = self._connection
        if connection is None or self.task is not asyncio.current_task():
            # The variable cannot be reset from another task's context; without a task the unit cannot be used again.
            self._release(reusable=False)
            message = "A unit of work must be left by the task that opened it."
            raise WrongTask(message) from error
        reusable = False
        try:
            reusable = await _end_transaction(connection, error)
        finally:
            if self._token is not None:
                _CURRENT.reset(self._token)
            self._release(reusable=reusable)
        if error is None:
            # Outside the unit, with its connection back in the pool: a callback may take long or open another unit.
            await _run_callbacks(self.callbacks)
        elif (translated := translate_error(error, connection)) is not None:
            raise translated from error

    def connection(self) -> Connection:
        """Return the connection for one statement of the task that opened the unit; raises WrongTask."""
        if self.task is not asyncio.current_task() or self._connection is None:
            message = "This unit of work belongs to another task: no gather and no create_task inside one."
            raise WrongTask(message)
        return self._connection

    async def _begin_transaction(self) -> Connection:
        attempts = 0
        while True:
            connection = await self._pool.acquire()
            try:
                await connection.execute(self._begin)
            except BaseException as error:
                is_lost = is_connection_failure(error, connection)
                self._pool.release(connection, reusable=False)
                attempts += 1
                if not is_lost:
                    raise
                # An idle connection was closed: nothing was executed, so another is tried. Not after a time-out, which
                # the others would reach too.
                if attempts == _MAX_ATTEMPTS or is_timeout(error):
                    raise convert_to_unavailable(error) from error
            else:
                return connection

    def _release(self, *, reusable: bool) -> None:
        connection, self._connection = self._connection, None
        self.task = None
        if connection is not None:
            self._pool.release(connection, reusable=reusable)


async def _end_transaction(connection: Connection, error: BaseException | None) -> bool:
    """Commit, or roll back after an error; returns whether the connection can be used again."""
    if error is None:
        try:
            tag = await connection.execute("COMMIT")
        except Exception as failure:
            translated = translate_error(failure, connection)
            if translated is not None:
                raise translated from failure
            raise
        if tag != "COMMIT":
            # Postgres answers the COMMIT of a failed transaction with ROLLBACK, without an error.
            message = "An error of Postgres was caught inside the unit of work: nothing has been stored."
            raise FailedTransaction(message)
        return True
    if not isinstance(error, Exception) or is_timeout(error):
        # After a cancellation or a time-out nothing more is awaited. Terminating the connection ends the transaction.
        return False
    try:
        await connection.execute("ROLLBACK")
    except Exception:  # noqa: BLE001  -- the first error is raised instead
        return False
    return True


async def _run_callbacks(callbacks: Sequence[Callback]) -> None:
    for callback in callbacks:
        try:
            await callback()
        except Exception as error:  # noqa: BLE001  -- the work is committed already
            _log.error("after_commit callback failed", callback=repr(callback), exc_info=error)


@dataclass(frozen=True, slots=True)
class _Publication:
    """A message to send after the commit; equal ones have the effect of one."""

    publish: Publish
    channel: str
    message: bytes

    async def __call__(self) -> None:
        await self.publish(self.channel, self.message)


class Savepoint:
    """A part of a unit of work that can fail alone: an async context manager."""

    __slots__ = ("_callbacks",)

    async def __aenter__(self) -> None:
        self._callbacks = len(current().callbacks)
        await current().connection().execute("SAVEPOINT part")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection = current().connection()
        if error is None:
            await connection.execute("RELEASE SAVEPOINT part")
            return
        # Statements that are rolled back have no callbacks.
        del current().callbacks[self._callbacks :]
        if isinstance(error, Exception) and not connection.is_closed():
            await connection.execute("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")


def _require_none_open(reason: str) -> None:
    outer = _CURRENT.get()
    if outer is not None and outer.task is asyncio.current_task():
        message = f"A unit of work is open already: {reason}."
        raise NestedUnitOfWork(message)


def current() -> UnitOfWork:
    """Return the open unit of work of this context; raises NoUnitOfWork."""
    unit = _CURRENT.get()
    if unit is None:
        message = "No unit of work is open: use `async with database.scope(workspace_id)`."
        raise NoUnitOfWork(message)
    return unit


def current_workspace() -> WorkspaceId:
    """Return the workspace of the open unit of work; raises NoUnitOfWork or NoWorkspace."""
    workspace_id = current().workspace_id
    if workspace_id is None:
        message = "The open unit of work is bound to no workspace."
        raise NoWorkspace(message)
    return workspace_id


def current_actor() -> Actor:
    """Return the actor of the open unit of work; raises NoUnitOfWork or NoActor."""
    actor = current().actor
    if actor is None:
        message = "The open unit of work has no actor: use `database.scope(workspace_id, actor=...)`."
        raise NoActor(message)
    return actor


def after_commit(callback: Callback) -> None:
    """Call `callback` once the open unit of work is committed; raises NoUnitOfWork.

    Callbacks run in order, never after a rollback (of the unit, or of the savepoint around the call). An error in
    one is logged; it neither stops the others nor reaches the caller.
    """
    current().callbacks.append(callback)


def publish_after_commit(channel: str, message: bytes) -> None:
    """Publish a message after the commit, if the database has a publisher; the same one twice is sent once."""
    unit = current()
    if unit.publish is not None:
        publication = _Publication(unit.publish, channel, message)
        if publication not in unit.callbacks:
            after_commit(publication)


def savepoint() -> Savepoint:
    """Return a savepoint for statements that may fail: use it with `async with`, inside a try."""
    return Savepoint()


async def fetch_autocommit(pool: Pool, sql: str, *args: object) -> Any:
    """Return the first row of one read in autocommit mode, or None: see `Database.fetch_autocommit`."""
    _require_none_open("this statement would not be part of it")
    attempts = 0
    while True:
        connection = await pool.acquire()
        reusable = False
        try:
            row = await connection.fetchrow(sql, *args)
            reusable = True
        except Exception as error:
            is_lost = is_connection_failure(error, connection)
            # After an error that Postgres returned, the transaction has ended, and so has its binding to a workspace.
            reusable = isinstance(error, PostgresError) and not is_lost
            attempts += 1
            # As in `UnitOfWork._begin_transaction`.
            if is_lost and attempts < _MAX_ATTEMPTS and not is_timeout(error):
                continue
            if (translated := translate_error(error, connection)) is not None:
                raise translated from error
            raise
        else:
            return row
        finally:
            pool.release(connection, reusable=reusable)
