"""Examines an installation: settings, database, keys, jobs, Redis, assets, PDFs; each finding with its cure."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from importlib.resources import files
from typing import Any, Final

import asyncpg
import redis.asyncio
from redis.exceptions import RedisError

from kernel.clock import Clock, SystemClock
from kernel.errors import Conflict, Invalid, PortalError
from kernel.ids import WorkspaceId
from kernel.jobs.dispatch import Backlog, backlog
from kernel.seals import Sealer
from kernel.settings import Profile, Settings
from kernel.store import Database
from kernel.store.migrations import APPLIED, find_missing
from kernel.store.roles import APP, OLDEST_POSTGRES, OWNER, SVC
from ops import printing_check
from ops.finding import Finding, Tell
from tenants import schema
from tenants.workspaces import queries as workspaces

PATIENCE_S: Final = 5.0
# The alarm rings at two minutes as well.
LATE_S: Final = 120.0
SKEW: Final = dt.timedelta(seconds=5)
# Enough workspaces to notice a key that was taken away; all of them would take long where there are many.
KEYS_TRIED: Final = 50

_ABOUT: Final = """
SELECT current_setting('server_version_num')::int AS version, clock_timestamp() AS now, current_user::text AS role,
       rolsuper, rolbypassrls, to_regclass('public.schema_migration') IS NOT NULL AS migrated
FROM pg_roles WHERE rolname = current_user
"""


async def examine(
    environ: Mapping[str, str],
    *,
    clock: Clock | None = None,
    printing: bool = True,
    tell: Tell = lambda _: None,
) -> list[Finding]:
    """Look at everything that can be looked at; an empty list means that all is well.

    `printing`: whether this machine is to print, and a Chromium is looked for. `tell` hears what is well.
    """
    try:
        settings = Settings.from_environ(environ)
    except Invalid as error:
        return [Finding(error.message, "Correct the variable; nothing else can be looked at before that.")]
    found = [Finding(warning, "Correct the name or remove the variable.") for warning in settings.warnings]
    found += _plain(settings)
    for part in (
        _database(settings, clock or SystemClock()),
        _other_roles(settings),
        _across(settings),
        _redis(settings),
        printing_check.blobs(settings, tell),
        *((printing_check.fonts(tell), printing_check.chromium(settings, tell)) if printing else ()),
    ):
        found += [finding async for finding in part]
    return found


def _plain(settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    if settings.profile is Profile.PRODUCTION and settings.base_domain == "localhost":
        cure = "Set PORTAL_BASE_DOMAIN to the domain whose subdomains lead here."
        found.append(Finding("Links would name localhost, which only this machine finds.", cure))
    if settings.public_scheme == "https" and not settings.trusted_proxies:
        what = (
            "PORTAL_TRUSTED_PROXIES is not set, and the gateway speaks no TLS itself: all visitors behind the proxy"
            " that ends TLS count as one address, with the limits of one."
        )
        cure = "Set PORTAL_TRUSTED_PROXIES to the networks of that proxy, such as 10.0.0.0/8."
        found.append(Finding(what, cure))
    if not (files("web") / "static" / ".vite" / "manifest.json").is_file():
        cure = (
            "Run ops/demo or ops/test once, or `npm ci && npx vite build --outDir ../static` in web/assets."
        )
        found.append(Finding("The scripts and styles have not been built.", cure))
    return found


async def _database(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    async with AsyncExitStack() as stack:
        try:
            connection = await _connect(stack, settings.database_url)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            cure = (
                "Check that Postgres runs and that host, role and password in PORTAL_DATABASE_URL are right."
            )
            yield Finding(f"Postgres does not let {APP} in: {_said(error)}.", cure)
            return
        about = await connection.fetchrow(_ABOUT)
        for finding in _server(about, clock):
            yield finding
        if not about["migrated"]:
            yield Finding("The database is empty.", "Run `portal migrate`.")
            return
        async for finding in _structure(connection):
            yield finding


def _server(about: Mapping[str, Any], clock: Clock) -> list[Finding]:
    found: list[Finding] = []
    if about["version"] < OLDEST_POSTGRES:
        what = (
            f"Postgres is version {about['version'] // 10000}; {OLDEST_POSTGRES // 10000} or newer is needed."
        )
        found.append(Finding(what, "Upgrade the server."))
    if about["rolsuper"] or about["rolbypassrls"]:
        what = f"PORTAL_DATABASE_URL names {about['role']}, whom row-level security does not hold."
        found.append(
            Finding(what, f"Let it name {APP}: without it, one workspace could reach another's rows.")
        )
    elif about["role"] != APP:
        # svc too: its policies show every workspace.
        found.append(Finding(f"PORTAL_DATABASE_URL names the role {about['role']}.", f"Let it name {APP}."))
    skew = abs(about["now"] - clock.now())
    if skew > SKEW:
        what = f"This machine's clock and the database's differ by {skew.total_seconds():.0f} s."
        found.append(Finding(what, "Let both follow a time server (NTP)."))
    return found


async def _structure(connection: Any) -> AsyncIterator[Finding]:
    try:
        applied = await connection.fetch(APPLIED)
    except asyncpg.InsufficientPrivilegeError:
        yield Finding("The role of PORTAL_DATABASE_URL may not read the tables.", f"Let it name {APP}.")
        return
    newest = applied[-1]["number"] if applied else 0
    try:
        missing = find_missing(schema.migrations(), applied)
    except Conflict as error:
        yield Finding("The database does not match the migrations of this release.", error.message)
    else:
        if missing:
            what = f"The database is at migration {newest:04}, this release needs {schema.version():04}."
            yield Finding(what, "Run `portal migrate`.")
        elif newest > schema.version():
            what = (
                f"The database is at migration {newest:04}, newer than this release's {schema.version():04}."
            )
            yield Finding(what, "Run the newer release, or run this one only during the roll-out.")
    for sentence in await schema.tenancy_findings(connection):
        yield Finding(
            sentence, "Run `portal migrate`, which writes all policies anew; if it stays, do not serve."
        )


async def _other_roles(settings: Settings) -> AsyncIterator[Finding]:
    urls = {
        ("PORTAL_DATABASE_OWNER_URL", OWNER): settings.database_owner_url,
        ("PORTAL_DATABASE_SVC_URL", SVC): settings.database_svc_url,
    }
    for (variable, role), url in urls.items():
        if url is None:
            continue
        async with AsyncExitStack() as stack:
            try:
                connection = await _connect(stack, url)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                cure = f"Correct {variable}, or leave it out where it is not needed."
                yield Finding(f"Postgres does not let {role} in: {_said(error)}.", cure)
                continue
            actual = await connection.fetchval("SELECT current_user::text")
            if actual != role:
                yield Finding(f"{variable} names the role {actual}.", f"Let it name {role}.")


async def _across(settings: Settings) -> AsyncIterator[Finding]:
    """What only svc can see: whether the keys at hand open what was sealed, and what has become of jobs."""
    if settings.database_svc_url is None:
        return
    sealer = Sealer(settings.secret_keys)
    try:
        database = await Database.open(settings.database_svc_url, size=1, name="portal doctor")
    except PortalError:
        return  # said already
    try:
        closed = [slug async for slug in _unopened(database, sealer)]
        async with database.unbound(read_only=True):
            waiting = await backlog()
    except asyncpg.PostgresError:
        return  # no tables yet: said already
    finally:
        await database.close()
    if closed:
        what = (
            f"PORTAL_SECRET_KEYS does not open what these workspaces have sealed: {', '.join(closed[:10])}."
        )
        yield Finding(
            what, "Add the earlier key behind the current one: what it sealed cannot be read without it."
        )
    for finding in _jobs(waiting):
        yield finding


def _jobs(waiting: Backlog) -> Iterator[Finding]:
    for queue, age_s in sorted(waiting.oldest_s.items()):
        if age_s > LATE_S:
            cure = f"See that a relay runs, and a worker that serves {queue}; ops/runbooks/jobs.md goes on."
            yield Finding(f"The oldest job due in the queue {queue} waits since {age_s:.0f} s.", cure)
    if waiting.dead:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(waiting.dead.items()))
        cure = "`portal jobs list --state dead` says why; then `portal jobs replay` or `portal jobs discard`."
        yield Finding(f"Jobs are dead: {kinds}.", cure)


async def _unopened(database: Database, sealer: Sealer) -> AsyncIterator[str]:
    async with database.unbound(read_only=True):
        lines = await workspaces.list_workspaces(limit=KEYS_TRIED)
    for line in lines:
        async with database.scope(WorkspaceId(line.workspace_id), read_only=True):
            try:
                await workspaces.data_key(sealer)
            except Invalid:
                yield line.slug


async def _redis(settings: Settings) -> AsyncIterator[Finding]:
    asked = {
        settings.redis_url: (
            "PORTAL_REDIS_URL",
            "Pages work without Redis, but each process then counts its rate limits alone.",
        )
    }
    if settings.jobs_redis_url != settings.redis_url:
        asked[settings.jobs_redis_url] = ("PORTAL_JOBS_REDIS_URL", "Jobs wait until it is back.")
    for url, (variable, meanwhile) in asked.items():
        client = redis.asyncio.from_url(url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)
        try:
            await client.ping()
        except (OSError, RedisError) as error:
            cure = f"Check {variable}. {meanwhile}"
            yield Finding(f"Redis does not answer ({variable}): {_said(error)}.", cure)
        finally:
            await client.aclose()


async def _connect(stack: AsyncExitStack, url: str) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        connection = await asyncpg.connect(url, statement_cache_size=0)
    stack.push_async_callback(connection.close)
    return connection


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".")
