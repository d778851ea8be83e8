"""Errors of the driver, and which of them are failures of the connection."""

from __future__ import annotations

import asyncpg
import pytest

from kernel.errors import Unavailable
from kernel.store.errors import convert_to_unavailable, is_connection_failure


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.AdminShutdownError("restart"),
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.TooManyConnectionsError("full"),
        asyncpg.DiskFullError("full"),
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.InterfaceError("connection is closed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_failures_of_the_connection(error: Exception) -> None:
    assert is_connection_failure(error, None)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError("twice"),
        asyncpg.SerializationError("collided"),
        asyncpg.InsufficientPrivilegeError("policy"),
        ValueError("ours"),
        convert_to_unavailable(OSError()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors(error: Exception) -> None:
    assert not is_connection_failure(error, None)


def test_the_error_of_callers_has_the_type_but_not_the_text_of_the_cause() -> None:
    error = convert_to_unavailable(OSError("/run/secret.sock"))
    assert isinstance(error, Unavailable)
    assert str(error) == "The database is not available. [store.unavailable]"
    assert error.data == {"cause": "OSError"}
