"""What can go wrong between us and Postgres, in our own words."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Final

import asyncpg

from kernel.errors import Unavailable

if TYPE_CHECKING:
    from kernel.store.pool import Connection

#: SQLSTATE raised by app_workspace() when a statement touches tenants' rows with no workspace bound.
UNBOUND_SQLSTATE: Final = "PW001"

_AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
_CONTENDED: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)

#: Code of what may succeed when it is tried again: Postgres could not put two units of work in an order.
CONTENDED: Final = "store.contended"


class StoreMisuse(RuntimeError):
    """A mistake in our code, never in what somebody sent.

    StoreMisuse
    ├── Unbound        a statement outside any unit of work
    ├── WrongTask      a unit of work used from a task that did not open it
    ├── Nested         a unit of work opened inside another
    ├── NoActor        an event in a unit of work that names no actor
    ├── NotOffered     a way of Piccolo's that would leave the unit of work
    └── Swallowed      an error of Postgres was caught inside the unit of work, which then could not commit
    """


class Unbound(StoreMisuse):
    """A statement outside any unit of work."""


class WrongTask(StoreMisuse):
    """A unit of work used from a task that did not open it."""


class Nested(StoreMisuse):
    """A unit of work opened inside another one of the same task."""


class NoActor(StoreMisuse):
    """A unit of work that names no actor, where one is needed."""


class NotOffered(StoreMisuse):
    """A way of Piccolo's that would leave the unit of work: `batch`, `transaction`, `atomic`."""


class Swallowed(StoreMisuse):
    """An error of Postgres was caught inside the unit of work: nothing of it has been stored."""


def is_away(error: BaseException, connection: Connection | None) -> bool:
    """Tell whether the error means that Postgres is not there for us, rather than that we asked wrongly."""
    if isinstance(error, _AWAY) or is_silent(error):
        return True
    lost = connection is None or connection.is_closed()
    return lost and isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError)


def is_silent(error: BaseException) -> bool:
    """Tell whether Postgres did not answer a statement in time, which is as good as being away.

    A caller's own `asyncio.timeout` is something else, and told by its cause: it cancels, the driver does not.
    """
    return isinstance(error, TimeoutError) and not isinstance(error.__cause__, CancelledError)


def unavailable(error: BaseException) -> Unavailable:
    """Return the error that callers see; the cause keeps the driver's words for the log."""
    if isinstance(error, TimeoutError):
        return Unavailable("store.slow", "The database does not answer in time.", cause="TimeoutError")
    return Unavailable("store.unavailable", "The database is not available.", cause=type(error).__name__)


def in_our_words(error: BaseException, connection: Connection | None) -> Unavailable | None:
    """Return the error that callers see instead of Postgres' own: "store.unavailable", "store.contended", or none."""
    if is_away(error, connection):
        return unavailable(error)
    if isinstance(error, _CONTENDED):
        return Unavailable(CONTENDED, "Too many changes to the same thing at once; try again.")
    return None
