"""Statements of the open unit of work; all raise NoUnitOfWork, or WrongTask in another task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kernel.store.unit import current

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


async def fetch(sql: str, *args: object) -> list[Any]:
    """Return all rows (asyncpg.Record) of one statement with $1, $2 … arguments."""
    return await current().connection().fetch(sql, *args)


async def fetch_with_custom_plan(sql: str, *args: object) -> list[Any]:
    """Return all rows of one statement, planned for the values of its arguments: for optional filters.

    Takes one more round trip. Later statements of the unit of work get custom plans too (ops/decisions/0016).
    """
    connection = current().connection()
    await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
    return await connection.fetch(sql, *args)


async def fetch_one(sql: str, *args: object) -> Any:
    """Return the first row (asyncpg.Record), or None."""
    return await current().connection().fetchrow(sql, *args)


async def fetch_value(sql: str, *args: object) -> Any:
    """Return the first column of the first row, or None."""
    return await current().connection().fetchval(sql, *args)


async def execute(sql: str, *args: object) -> str:
    """Run one statement; returns Postgres' command tag, such as "UPDATE 1"."""
    return await current().connection().execute(sql, *args)


async def bulk_insert(table: str, types: Mapping[str, str], rows: Sequence[Sequence[object]]) -> int:
    """Insert many rows in one statement; `types` maps each column, in the rows' order, to its Postgres type.

    Uses arrays and unnest, since a statement has 32,767 parameters at most, and COPY does not work with row-level
    security. Table, columns and types must be constants. Returns the number of rows.
    """
    if not rows:
        return 0
    columns = ", ".join(f'"{name}"' for name in types)
    arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(types.values(), start=1))
    sql = f'INSERT INTO "{table}" ({columns}) SELECT * FROM unnest({arrays})'  # noqa: S608
    await execute(sql, *(list(column) for column in zip(*rows, strict=True)))
    return len(rows)
