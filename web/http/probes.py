"""What orchestrators and robots ask: is it alive, may it be given work, may it be indexed."""

from __future__ import annotations

from typing import Final

import msgspec
from litestar import get
from litestar.types import ASGIApp, Scope

from kernel.store import Database, fetch_value
from kernel.telemetry.health import Probe
from kernel.telemetry.logs import logger
from tenants import schema
from web.http.answer import Answer
from web.http.conditional import ASK_AGAIN
from web.http.deps import house_of

_JSON: Final = (b"content-type", b"application/json")
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
# Pages say "noindex" in a header, and only who may fetch a page can read that. Forbidding the fetch instead
# would let a link that was published somewhere be listed by its address.
_ROBOTS: Final = b"User-agent: *\nDisallow:\n"

_log: Final = logger("gateway.probes")


@get("/healthz", name="healthz")
async def healthz(scope: Scope) -> ASGIApp:
    """Tell that the event loop answers."""
    return _verdict(alive=house_of(scope).health.live(), failing=[])


@get("/readyz", name="readyz")
async def readyz(scope: Scope) -> ASGIApp:
    """Tell whether this process may be given work; names what fails, the reason is in the log."""
    failures = await house_of(scope).health.ready()
    for failure in failures:
        _log.warning("not ready", check=failure.name, reason=failure.reason)
    return _verdict(alive=not failures, failing=[failure.name for failure in failures])


@get("/robots.txt", name="robots")
async def robots() -> ASGIApp:
    """Let robots read that they may index nothing."""
    return Answer(200, (_TEXT, ASK_AGAIN), _ROBOTS)


def database_check(database: Database) -> Probe:
    """Return the check that Postgres answers and has the structure this release was built for."""
    wanted = schema.version()

    async def failure() -> str | None:
        async with database.unbound(read_only=True):
            found = await fetch_value("SELECT max(number) FROM schema_migration")
        return (
            None
            if found is not None and found >= wanted
            else f"schema is {found}, this release needs {wanted}"
        )

    return Probe("database", failure)


def _verdict(*, alive: bool, failing: list[str]) -> ASGIApp:
    body = msgspec.json.encode({"status": "ok" if alive else "failing", "failing": failing})
    return Answer(200 if alive else 503, (_JSON,), body)
