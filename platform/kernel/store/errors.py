"""Errors of the store, and the translation of the driver's errors."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Final

import asyncpg

from kernel.errors import Unavailable

if TYPE_CHECKING:
    from kernel.store.pool import Connection

#: SQLSTATE raised by app_workspace() when a statement touches tenants' rows with no workspace bound.
UNBOUND_SQLSTATE: Final = "PW001"

_CONNECTION_ERRORS: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
_CONFLICT_ERRORS: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)

#: Code of a serialization failure or deadlock: the unit of work may succeed when it is tried again.
CONTENDED: Final = "store.contended"


class StoreMisuse(RuntimeError):
    """A bug of the caller, never caused by input.

    StoreMisuse
    ├── NoUnitOfWork       a statement outside any unit of work
    ├── NoWorkspace        a unit of work that is bound to no workspace, where one is needed
    ├── WrongTask          a unit of work used from a task that did not open it
    ├── NestedUnitOfWork   a unit of work opened inside another
    ├── NoActor            a unit of work that names no actor, where one is needed
    ├── Unsupported        a call of Piccolo that would leave the unit of work
    └── FailedTransaction  an error of Postgres was caught inside the unit of work, which then could not commit
    """


class NoUnitOfWork(StoreMisuse):
    """A statement outside any unit of work."""


class NoWorkspace(StoreMisuse):
    """A unit of work that is bound to no workspace, where one is needed."""


class WrongTask(StoreMisuse):
    """A unit of work used from a task that did not open it."""


class NestedUnitOfWork(StoreMisuse):
    """A unit of work opened inside another one of the same task."""


class NoActor(StoreMisuse):
    """A unit of work that names no actor, where one is needed."""


class Unsupported(StoreMisuse):
    """A call of Piccolo that would leave the unit of work: `batch`, `transaction`, `atomic`."""


class FailedTransaction(StoreMisuse):
    """An error of Postgres was caught inside the unit of work, whose COMMIT then rolled back."""


def is_connection_failure(error: BaseException, connection: Connection | None) -> bool:
    """Tell whether the error is a failure of the connection or the server, rather than of the statement."""
    if isinstance(error, _CONNECTION_ERRORS) or is_timeout(error):
        return True
    lost = connection is None or connection.is_closed()
    return lost and isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError)


def is_timeout(error: BaseException) -> bool:
    """Tell whether Postgres did not answer a statement in time, which callers see as a failure of the connection.

    The time-out of a caller's own `asyncio.timeout` does not count: its cause is a cancellation.
    """
    return isinstance(error, TimeoutError) and not isinstance(error.__cause__, CancelledError)


def convert_to_unavailable(error: BaseException) -> Unavailable:
    """Return the error that callers see; the cause names the driver's error for the log."""
    if isinstance(error, TimeoutError):
        return Unavailable("store.slow", "The database does not answer in time.", cause="TimeoutError")
    return Unavailable("store.unavailable", "The database is not available.", cause=type(error).__name__)


def translate_error(error: BaseException, connection: Connection | None) -> Unavailable | None:
    """Return the error that callers see instead of the driver's: "store.unavailable", "store.contended", or none."""
    if is_connection_failure(error, connection):
        return convert_to_unavailable(error)
    if isinstance(error, _CONFLICT_ERRORS):
        return Unavailable(CONTENDED, "Another transaction changed the same data; try again.")
    return None
