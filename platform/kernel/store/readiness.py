"""Whether Postgres answers and has the structure that this release needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kernel.store.unit import fetch_value
from kernel.telemetry.health import Probe

if TYPE_CHECKING:
    from kernel.store.database import Database

_NEWEST: Final = "SELECT max(number) FROM schema_migration"


def schema_check(database: Database, needed: int) -> Probe:
    """Return the check "database": it fails below migration `needed`, which the caller's release was built for."""

    async def find_failure() -> str | None:
        async with database.unbound(read_only=True):
            found = await fetch_value(_NEWEST)
        if found is None or found < needed:
            return f"schema is {found}, this release needs {needed}"
        return None

    return Probe("database", find_failure)
