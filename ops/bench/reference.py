"""The reference the page is measured against: a bare Litestar route with one asyncpg point select."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import uvicorn
from litestar import Litestar, get

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from litestar.datastructures import State

SELECT = "SELECT number, name, checksum FROM schema_migration WHERE number = $1"


@asynccontextmanager
async def pool(app: Litestar) -> AsyncIterator[None]:
    """One asyncpg pool with the library's own defaults, as most applications have it."""
    async with asyncpg.create_pool(os.environ["PORTAL_DATABASE_URL"], min_size=10, max_size=10) as opened:
        app.state.pool = opened
        app.state.key = 1
        yield


@get("/")
async def point_select(state: State) -> dict[str, Any]:
    """One row by its primary key, as JSON."""
    return dict(await state.pool.fetchrow(SELECT, state.key))


@get("/readyz")
async def ready() -> None:
    """Answer as soon as the pool is open."""


if __name__ == "__main__":
    uvicorn.run(
        Litestar([point_select, ready], lifespan=[pool], openapi_config=None),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
