"""Postgres: engine, unit of work, workspace scope, migrations, policies."""

from kernel.store.database import Database, Isolation
from kernel.store.engine import BOUND
from kernel.store.faults import Nested, NotOffered, StoreMisuse, Swallowed, Unbound, WrongTask
from kernel.store.unit import (
    UnitOfWork,
    bulk_insert,
    current,
    current_workspace,
    execute,
    fetch,
    fetch_one,
    fetch_value,
    savepoint,
)

__all__ = [
    "BOUND",
    "Database",
    "Isolation",
    "Nested",
    "NotOffered",
    "StoreMisuse",
    "Swallowed",
    "Unbound",
    "UnitOfWork",
    "WrongTask",
    "bulk_insert",
    "current",
    "current_workspace",
    "execute",
    "fetch",
    "fetch_one",
    "fetch_value",
    "savepoint",
]
