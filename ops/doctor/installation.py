"""Examines settings, database, secret keys, jobs, Redis and assets; by `pdfs` what PDFs need, and the key of Stripe."""

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
from kernel.jobs.dispatch import Backlog, measure_backlog
from kernel.seals import Sealer
from kernel.settings import Profile, Settings
from kernel.store import Database
from kernel.store.migrations import SELECT_APPLIED, find_missing
from kernel.store.roles import APP, MIN_SERVER_VERSION, OWNER, SVC
from ops.doctor import pdfs, stripe_account
from ops.doctor.finding import Finding, ReportPassed
from tenants import schema
from tenants.workspaces import queries as workspaces

TIMEOUT_S: Final = 5.0
# The alert has the same threshold.
LATE_JOB_S: Final = 120.0
MAX_CLOCK_SKEW: Final = dt.timedelta(seconds=5)
# Some workspaces show that a key is missing; all of them would take long in a large installation.
WORKSPACES_WITH_CHECKED_KEYS: Final = 50

_SELECT_SERVER_STATE: Final = """
SELECT current_setting('server_version_num')::int AS version, clock_timestamp() AS now, current_user::text AS role,
       rolsuper, rolbypassrls, to_regclass('public.schema_migration') IS NOT NULL AS migrated
FROM pg_roles WHERE rolname = current_user
"""


async def examine(
    environ: Mapping[str, str],
    *,
    clock: Clock | None = None,
    check_chromium: bool = True,
    report_passed: ReportPassed = lambda _: None,
) -> list[Finding]:
    """Examine the installation; an empty list means that no problem was found.

    `check_chromium`: whether this machine renders PDFs. `report_passed` gets a sentence for each part that passed.
    """
    try:
        settings = Settings.from_environ(environ)
    except Invalid as error:
        return [Finding(error.message, "Correct the variable; nothing else can be examined before that.")]
    findings = [Finding(warning, "Correct the name or remove the variable.") for warning in settings.warnings]
    findings += _examine_settings(settings)
    for part in (
        _examine_database(settings, clock or SystemClock()),
        _examine_other_roles(settings),
        _examine_all_workspaces(settings),
        _examine_redis(settings),
        pdfs.examine_blobs(settings, report_passed),
        stripe_account.examine_stripe(settings, report_passed),
        *(
            (pdfs.examine_fonts(report_passed), pdfs.examine_chromium(settings, report_passed))
            if check_chromium
            else ()
        ),
    ):
        findings += [finding async for finding in part]
    return findings


def _examine_settings(settings: Settings) -> list[Finding]:
    findings: list[Finding] = []
    if settings.profile is Profile.PRODUCTION and settings.base_domain == "localhost":
        remedy = "Set PORTAL_BASE_DOMAIN to the domain whose subdomains lead here."
        findings.append(Finding("Links would name localhost, which only this machine finds.", remedy))
    if settings.profile is Profile.PRODUCTION and settings.smtp_url is None:
        remedy = "Set PORTAL_SMTP_URL to your mail server, such as smtp://user:password@mail.example.com:587."
        findings.append(Finding("No mail is sent: codes, invoices and new comments reach nobody.", remedy))
    if settings.public_scheme == "https" and not settings.trusted_proxies:
        problem = (
            "PORTAL_TRUSTED_PROXIES is not set, and the gateway speaks no TLS itself: all visitors behind the proxy"
            " that ends TLS count as one address, with the limits of one."
        )
        remedy = "Set PORTAL_TRUSTED_PROXIES to the networks of that proxy, such as 10.0.0.0/8."
        findings.append(Finding(problem, remedy))
    if not (files("web") / "static" / ".vite" / "manifest.json").is_file():
        remedy = (
            "Run ops/demo or ops/test once, or `npm ci && npx vite build --outDir ../static` in web/assets."
        )
        findings.append(Finding("The scripts and styles have not been built.", remedy))
    return findings


async def _examine_database(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    async with AsyncExitStack() as stack:
        try:
            connection = await _connect(stack, settings.database_url)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            remedy = (
                "Check that Postgres runs and that host, role and password in PORTAL_DATABASE_URL are right."
            )
            yield Finding(f"Postgres refuses the login of {APP}: {_describe(error)}.", remedy)
            return
        state = await connection.fetchrow(_SELECT_SERVER_STATE)
        for finding in _examine_server(state, clock):
            yield finding
        if not state["migrated"]:
            yield Finding("The database is empty.", "Run `portal migrate`.")
            return
        async for finding in _examine_schema(connection):
            yield finding


def _examine_server(state: Mapping[str, Any], clock: Clock) -> list[Finding]:
    findings: list[Finding] = []
    if state["version"] < MIN_SERVER_VERSION:
        problem = f"Postgres is version {state['version'] // 10000}; {MIN_SERVER_VERSION // 10000} or newer is needed."
        findings.append(Finding(problem, "Upgrade the server."))
    if state["rolsuper"] or state["rolbypassrls"]:
        problem = f"PORTAL_DATABASE_URL names {state['role']}, which row-level security does not hold."
        findings.append(
            Finding(problem, f"Let it name {APP}: that role cannot read another workspace's rows.")
        )
    elif state["role"] != APP:
        # Also svc: its policies show every workspace.
        findings.append(
            Finding(f"PORTAL_DATABASE_URL names the role {state['role']}.", f"Let it name {APP}.")
        )
    skew = abs(state["now"] - clock.now())
    if skew > MAX_CLOCK_SKEW:
        problem = f"This machine's clock and the database's differ by {skew.total_seconds():.0f} s."
        findings.append(Finding(problem, "Let both follow a time server (NTP)."))
    return findings


async def _examine_schema(connection: Any) -> AsyncIterator[Finding]:
    try:
        applied = await connection.fetch(SELECT_APPLIED)
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
            problem = f"The database is at migration {newest:04}, this release needs {schema.version():04}."
            yield Finding(problem, "Run `portal migrate`.")
        elif newest > schema.version():
            problem = (
                f"The database is at migration {newest:04}, newer than this release's {schema.version():04}."
            )
            yield Finding(problem, "Run the newer release, or run this one only during the roll-out.")
    for sentence in await schema.find_tenancy_violations(connection):
        yield Finding(
            sentence,
            "Run `portal migrate`, which writes all policies again; if the finding stays, stop the gateways.",
        )


async def _examine_other_roles(settings: Settings) -> AsyncIterator[Finding]:
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
                remedy = f"Correct {variable}, or leave it out where it is not needed."
                yield Finding(f"Postgres refuses the login of {role}: {_describe(error)}.", remedy)
                continue
            actual = await connection.fetchval("SELECT current_user::text")
            if actual != role:
                yield Finding(f"{variable} names the role {actual}.", f"Let it name {role}.")


async def _examine_all_workspaces(settings: Settings) -> AsyncIterator[Finding]:
    """Examine as svc what spans workspaces: whether the secret keys open the sealed values, and the jobs."""
    if settings.database_svc_url is None:
        return
    sealer = Sealer(settings.secret_keys)
    try:
        database = await Database.open(
            settings.database_svc_url, size=1, name="portal doctor", prepared=settings.database_prepared
        )
    except PortalError:
        return  # a finding of the roles
    try:
        sealed = [slug async for slug in _find_unopened_workspaces(database, sealer)]
        async with database.unbound(read_only=True):
            job_backlog = await measure_backlog()
    except asyncpg.PostgresError:
        return  # no tables yet: a finding of the database
    finally:
        await database.close()
    if sealed:
        problem = (
            f"PORTAL_SECRET_KEYS does not open what these workspaces have sealed: {', '.join(sealed[:10])}."
        )
        yield Finding(
            problem,
            "Add the earlier key after the current one: values sealed with it cannot be read otherwise.",
        )
    for finding in _examine_jobs(job_backlog):
        yield finding


def _examine_jobs(job_backlog: Backlog) -> Iterator[Finding]:
    for queue, age_s in sorted(job_backlog.oldest_s.items()):
        if age_s > LATE_JOB_S:
            remedy = f"Check that a relay runs, and a worker that serves {queue}; see ops/runbooks/jobs.md."
            yield Finding(f"The oldest job due in the queue {queue} has waited for {age_s:.0f} s.", remedy)
    if job_backlog.dead:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(job_backlog.dead.items()))
        remedy = (
            "`portal jobs list --state dead` says why; then `portal jobs replay` or `portal jobs discard`."
        )
        yield Finding(f"Jobs are dead: {kinds}.", remedy)


async def _find_unopened_workspaces(database: Database, sealer: Sealer) -> AsyncIterator[str]:
    async with database.unbound(read_only=True):
        lines = await workspaces.list_workspaces(limit=WORKSPACES_WITH_CHECKED_KEYS)
    for line in lines:
        async with database.scope(WorkspaceId(line.workspace_id), read_only=True):
            try:
                await workspaces.load_data_key(sealer)
            except Invalid:
                yield line.slug


async def _examine_redis(settings: Settings) -> AsyncIterator[Finding]:
    urls = {
        settings.redis_url: (
            "PORTAL_REDIS_URL",
            "Pages work without Redis, but each process then counts its rate limits alone.",
        )
    }
    if settings.jobs_redis_url != settings.redis_url:
        urls[settings.jobs_redis_url] = ("PORTAL_JOBS_REDIS_URL", "Jobs wait until it is back.")
    for url, (variable, consequence) in urls.items():
        client = redis.asyncio.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        try:
            await client.ping()
        except (OSError, RedisError) as error:
            remedy = f"Check {variable}. {consequence}"
            yield Finding(f"Redis does not answer ({variable}): {_describe(error)}.", remedy)
        finally:
            await client.aclose()


async def _connect(stack: AsyncExitStack, url: str) -> Any:
    async with asyncio.timeout(TIMEOUT_S):
        connection = await asyncpg.connect(url, statement_cache_size=0)
    stack.push_async_callback(connection.close)
    return connection


def _describe(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".")
