"""The readiness check of the database: Postgres answers and has the schema of this release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.store.migrations import SELECT_APPLIED, find_missing
from kernel.store.statements import fetch
from kernel.telemetry.health import Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernel.store.database import Database
    from kernel.store.migrations import Migration


def schema_check(database: Database, migrations: Sequence[Migration]) -> Check:
    """Return the check "database": it fails while one of the release's migrations, given in order, is not applied."""

    async def find_failure() -> str | None:
        async with database.unbound(read_only=True):
            applied = await fetch(SELECT_APPLIED)
        missing = find_missing(migrations, applied)
        return f"migration {missing[0]} is not applied: run `portal migrate`" if missing else None

    return Check("database", find_failure)
