"""Numbered SQL scripts, applied in order by one migrator at a time, each in a transaction of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import asyncpg

from kernel.errors import Conflict, Invalid, Unavailable
from kernel.store.policies import FUNCTIONS, apply_policies, hand_over_definers
from kernel.store.roles import SVC

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from importlib.resources.abc import Traversable

    from kernel.store.pool import Connection

_FILE: Final = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
# Locks are per database: any number that nothing else in it uses.
_LOCK: Final = 7_305_081_965_420_002

_LEDGER: Final = """
CREATE TABLE IF NOT EXISTS schema_migration (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True, order=True)
class Migration:
    """One script. The number is unique in the whole product and orders them all."""

    number: int
    name: str
    sql: str = field(repr=False)

    @property
    def checksum(self) -> str:
        """What the ledger remembers of the text, to notice that an applied script was edited."""
        return sha256(self.sql.encode()).hexdigest()


def read_folder(folder: Traversable) -> tuple[Migration, ...]:
    """Read a folder's NNNN_name.sql files; raises Invalid("migration.file_name") for any other .sql file."""
    found: list[Migration] = []
    for file in folder.iterdir():
        if not file.name.endswith(".sql"):
            continue
        match = _FILE.fullmatch(file.name)
        if match is None:
            message = f"A migration is called NNNN_name.sql, not {file.name}."
            raise Invalid("migration.file_name", message, file=file.name)
        found.append(Migration(int(match["number"]), match["name"], file.read_text(encoding="utf-8")))
    return tuple(sorted(found))


def in_order(migrations: Iterable[Migration]) -> tuple[Migration, ...]:
    """Sort them; raises Invalid("migration.number_twice")."""
    ordered = tuple(sorted(migrations))
    for one, next_one in pairwise(ordered):
        if one.number == next_one.number:
            message = f"Two migrations have the number {one.number:04}: {one.name} and {next_one.name}."
            raise Invalid("migration.number_twice", message, number=one.number)
    return ordered


async def migrate(
    owner_url: str,
    migrations: Sequence[Migration],
    *,
    unscoped: Mapping[str, str] | None = None,
    grants: Mapping[str, Mapping[str, str]] | None = None,
    lock_timeout_s: float = 5.0,
    patience_s: float = 120.0,
) -> list[Migration]:
    """Apply what is missing, then the policies; returns what was applied, in order.

    One migrator works at a time, others wait up to `patience_s` and then find nothing to do. A statement
    that cannot have its lock within `lock_timeout_s` fails rather than queue all readers behind it.
    `unscoped` and `grants`: see `apply_policies`. Raises Conflict("migration.changed" | "migration.out_of_order") and
    Unavailable("migration.running" | "migration.locked_out").
    """
    ordered = in_order(migrations)
    connection: Connection = await asyncpg.connect(owner_url, statement_cache_size=0)
    try:
        await _lock(connection, patience_s)
        await connection.execute(f"SET lock_timeout = {int(lock_timeout_s * 1000)}")
        await connection.execute(_LEDGER + ";" + FUNCTIONS)
        missing = _missing(
            ordered, await connection.fetch("SELECT number, name, checksum FROM schema_migration")
        )
        for migration in missing:
            await _apply(connection, migration)
        await connection.execute("BEGIN")
        await apply_policies(connection, unscoped=unscoped, grants=grants)
        await connection.execute("COMMIT")
    except asyncpg.LockNotAvailableError as error:
        message = "A table stayed locked by others; nothing of this migration has been applied. Try again."
        raise Unavailable("migration.locked_out", message) from error
    finally:
        # Closing gives up the lock and whatever transaction is open.
        await connection.close()
    return missing


async def _lock(connection: Connection, patience_s: float) -> None:
    await connection.execute(f"SET lock_timeout = {int(patience_s * 1000)}")
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    except asyncpg.LockNotAvailableError as error:
        message = f"Another migration has been running for {patience_s:.0f} seconds."
        raise Unavailable("migration.running", message) from error


def _missing(ordered: Sequence[Migration], ledger: Sequence[Mapping[str, object]]) -> list[Migration]:
    applied = {row["number"]: row for row in ledger}
    known = {migration.number for migration in ordered}
    # Numbers that we do not know are a newer release's: expand, then contract, lets both run.
    last = max((number for number in known if number in applied), default=-1)
    missing: list[Migration] = []
    for migration in ordered:
        row = applied.get(migration.number)
        if row is None and migration.number < last:
            message = f"Migration {migration.number:04} {migration.name} comes before the applied {last:04}."
            raise Conflict("migration.out_of_order", message, number=migration.number)
        if row is None:
            missing.append(migration)
        elif row["checksum"] != migration.checksum:
            message = (
                f"Migration {migration.number:04} {migration.name} was edited after it had been applied."
            )
            raise Conflict("migration.changed", message, number=migration.number)
    return missing


async def _apply(connection: Connection, migration: Migration) -> None:
    await connection.execute("BEGIN")
    # svc may own functions but not make them: it has the right only while a migration hands one over.
    await connection.execute(f"GRANT CREATE ON SCHEMA public TO {SVC}")
    await connection.execute(migration.sql)
    await hand_over_definers(connection)
    await connection.execute(
        "INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, $3)",
        migration.number,
        migration.name,
        migration.checksum,
    )
    await connection.execute("COMMIT")
