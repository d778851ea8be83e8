"""Applies numbered SQL scripts in order, one migrator at a time."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from kernel.errors import Conflict, Invalid, Unavailable
from kernel.store.policies import FUNCTIONS, apply_policies, assign_definers
from kernel.store.roles import SVC

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from importlib.resources.abc import Traversable

    from kernel.store.pool import Connection

_FILE: Final = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
#: First line of a script that Postgres refuses inside a transaction.
NO_TRANSACTION: Final = "-- no transaction\n"
# One statement only, since a failure would not undo those before it; and a statement that can be repeated.
_REPEATABLE: Final = re.compile(
    r"(--.*\n|\s)*"
    r"(CREATE\s+(UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS|DROP\s+INDEX\s+CONCURRENTLY\s+IF\s+EXISTS)"
    r"\s+(?P<index>[a-z0-9_]+)\b[^;]*;?\s*"
)
# Advisory lock: any number that nothing else in the database uses.
_LOCK: Final = 7_305_081_965_420_002
_POLL_S: Final = 0.1

_CREATE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migration (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
#: The rows that `find_missing` compares with a release's migrations.
SELECT_APPLIED: Final = "SELECT number, name, checksum FROM schema_migration ORDER BY number"
_RECORD: Final = "INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, $3)"
_IS_INVALID: Final = "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass('public.' || $1)"


@dataclass(frozen=True, slots=True, order=True)
class Migration:
    """One script. The number is unique and defines the order.

    A script whose first line is `-- no transaction` creates or drops one index concurrently; any other statement
    there is Invalid("migration.not_repeatable").
    """

    number: int
    name: str
    sql: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.in_transaction:
            self.concurrent_index()

    def __str__(self) -> str:
        return f"{self.number:04}_{self.name}"

    @property
    def in_transaction(self) -> bool:
        """Whether the script runs in a transaction, together with its record."""
        return not self.sql.startswith(NO_TRANSACTION)

    def concurrent_index(self) -> str:
        """Return the index that a script without a transaction creates or drops."""
        match = _REPEATABLE.fullmatch(self.sql)
        if match is None:
            message = (
                f"Migration {self} runs in no transaction, so it must be one CREATE INDEX CONCURRENTLY IF NOT EXISTS"
                " or one DROP INDEX CONCURRENTLY IF EXISTS."
            )
            raise Invalid("migration.not_repeatable", message, number=self.number)
        return match["index"]

    @property
    def checksum(self) -> str:
        """Hash of the script, to detect a change after it was applied."""
        return sha256(self.sql.encode()).hexdigest()


def read_folder(folder: Traversable) -> tuple[Migration, ...]:
    """Read a folder's NNNN_name.sql files in order; raises Invalid("migration.file_name") for any other .sql file."""
    found: list[Migration] = []
    for file in folder.iterdir():
        if not file.name.endswith(".sql"):
            continue
        match = _FILE.fullmatch(file.name)
        if match is None:
            message = f"A migration is called NNNN_name.sql, not {file.name}."
            raise Invalid("migration.file_name", message, file=file.name)
        found.append(Migration(int(match["number"]), match["name"], file.read_text(encoding="utf-8")))
    return sort_migrations(found)


def sort_migrations(migrations: Iterable[Migration]) -> tuple[Migration, ...]:
    """Sort them by number; raises Invalid("migration.duplicate_number")."""
    ordered = tuple(sorted(migrations))
    for one, next_one in pairwise(ordered):
        if one.number == next_one.number:
            message = f"Two migrations have the number {one.number:04}: {one.name} and {next_one.name}."
            raise Invalid("migration.duplicate_number", message, number=one.number)
    return ordered


def find_missing(migrations: Sequence[Migration], applied: Sequence[Mapping[str, Any]]) -> list[Migration]:
    """Return the migrations that are still to be applied, given the rows of SELECT_APPLIED; both are in order.

    Unknown rows belong to a newer release, which is compatible (expand, then contract).
    Raises Conflict("migration.changed" | "migration.out_of_order").
    """
    checksums = {row["number"]: row["checksum"] for row in applied}
    missing: list[Migration] = []
    for migration in migrations:
        if migration.number not in checksums:
            missing.append(migration)
        elif checksums[migration.number] != migration.checksum:
            message = (
                f"Migration {migration} was edited after it had been applied. Restore the file, and put the change"
                " into a new migration."
            )
            raise Conflict("migration.changed", message, number=migration.number)
    if missing and applied and missing[0].number < applied[-1]["number"]:
        first, last = missing[0], applied[-1]
        following = max(migrations[-1].number, last["number"]) + 1
        message = (
            f"Migration {first} is not applied, but the later {last['number']:04}_{last['name']} is."
            f" Rename the file to {following:04}_{first.name}.sql and run `portal migrate` again."
        )
        raise Conflict("migration.out_of_order", message, number=first.number)
    return missing


async def migrate(
    owner_url: str,
    migrations: Sequence[Migration],
    *,
    unscoped: Mapping[str, str] | None = None,
    grants: Mapping[str, Mapping[str, str]] | None = None,
    lock_timeout_s: float = 5.0,
    wait_timeout_s: float = 120.0,
) -> list[Migration]:
    """Apply the missing migrations, then the policies; returns those that were applied, in order.

    A statement that waits for a lock for `lock_timeout_s` fails, because it blocks all readers meanwhile.
    `wait_timeout_s` limits the waits that block nobody: for another migrator, and of a concurrent index build for
    older transactions. `unscoped` and
    `grants`: see `apply_policies`.
    Raises Conflict("migration.changed" | "migration.out_of_order") and Unavailable("migration.running" |
    "migration.lock_timeout").
    """
    ordered = sort_migrations(migrations)
    connection: Connection = await asyncpg.connect(owner_url, statement_cache_size=0)
    try:
        await _lock(connection, wait_timeout_s)
        await _set_lock_timeout(connection, lock_timeout_s)
        await connection.execute(_CREATE_TABLE + ";" + FUNCTIONS)
        missing = find_missing(ordered, await connection.fetch(SELECT_APPLIED))
        for migration in missing:
            if migration.in_transaction:
                await _apply(connection, migration)
            else:
                await _set_lock_timeout(connection, wait_timeout_s)
                await _apply_without_transaction(connection, migration)
                await _set_lock_timeout(connection, lock_timeout_s)
        await connection.execute("BEGIN")
        await apply_policies(connection, unscoped=unscoped, grants=grants)
        await connection.execute("COMMIT")
    except asyncpg.LockNotAvailableError as error:
        message = (
            "Another session held a lock for too long. The migration that needed it is not applied;"
            " those before it are. Run `portal migrate` again."
        )
        raise Unavailable("migration.lock_timeout", message) from error
    finally:
        # Closing releases the lock and rolls back an open transaction.
        await connection.close()
    return missing


async def _lock(connection: Connection, timeout_s: float) -> None:
    # Polled: a statement that waits holds a snapshot, for which a concurrent index build of another migrator would
    # wait.
    try:
        async with asyncio.timeout(timeout_s):
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        message = f"Another migration has been running for {timeout_s:.0f} seconds."
        raise Unavailable("migration.running", message) from error


async def _set_lock_timeout(connection: Connection, seconds: float) -> None:
    await connection.execute(f"SET lock_timeout = {int(seconds * 1000)}")


async def _apply(connection: Connection, migration: Migration) -> None:
    await connection.execute("BEGIN")
    # To become the owner of a function svc needs CREATE, which it has only during a migration.
    await connection.execute(f"GRANT CREATE ON SCHEMA public TO {SVC}")
    await connection.execute(migration.sql)
    await assign_definers(connection)
    await _record(connection, migration)
    await connection.execute("COMMIT")


async def _apply_without_transaction(connection: Connection, migration: Migration) -> None:
    index = migration.concurrent_index()
    # A failed build leaves an invalid index, with which IF NOT EXISTS would do nothing.
    if await connection.fetchval(_IS_INVALID, index):
        await connection.execute(f"DROP INDEX CONCURRENTLY {index}")
    await connection.execute(migration.sql)
    await _record(connection, migration)


async def _record(connection: Connection, migration: Migration) -> None:
    await connection.execute(_RECORD, migration.number, migration.name, migration.checksum)
