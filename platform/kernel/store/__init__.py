"""Postgres: engine, unit of work, workspace scope, migrations, policies."""

from kernel.store.database import Database, Isolation
from kernel.store.engine import ENGINE
from kernel.store.errors import (
    FailedTransaction,
    NestedUnitOfWork,
    NoActor,
    NoUnitOfWork,
    NoWorkspace,
    StoreMisuse,
    Unsupported,
    WrongTask,
)
from kernel.store.statements import (
    bulk_insert,
    execute,
    fetch,
    fetch_one,
    fetch_value,
    fetch_with_custom_plan,
)
from kernel.store.unit import (
    UnitOfWork,
    after_commit,
    current,
    current_actor,
    current_workspace,
    publish_after_commit,
    savepoint,
)

__all__ = [
    "ENGINE",
    "Database",
    "FailedTransaction",
    "Isolation",
    "NestedUnitOfWork",
    "NoActor",
    "NoUnitOfWork",
    "NoWorkspace",
    "StoreMisuse",
    "UnitOfWork",
    "Unsupported",
    "WrongTask",
    "after_commit",
    "bulk_insert",
    "current",
    "current_actor",
    "current_workspace",
    "execute",
    "fetch",
    "fetch_one",
    "fetch_value",
    "fetch_with_custom_plan",
    "publish_after_commit",
    "savepoint",
]
