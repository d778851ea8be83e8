"""Creates the three roles and the database, as an administrator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from kernel.errors import Invalid

if TYPE_CHECKING:
    from kernel.store.pool import Connection

#: Owns the tables; for schema migrations only. Row-level security is forced on it too.
OWNER: Final = "portal_owner"
#: Reads and writes the rows of the bound workspace: gateway, hub, workers.
APP: Final = "portal_app"
#: Reads and writes all workspaces through its own policies (managed Postgres may refuse BYPASSRLS).
SVC: Final = "portal_svc"

#: Of all three roles. pg_temp is last, so that no temporary table hides a real one.
SEARCH_PATH: Final = "public, pg_temp"
# Settings of every connection. Set on the roles, since PgBouncer refuses such parameters from its clients.
_ROLE_SETTINGS: Final = {
    "search_path": SEARCH_PATH,
    # Compiling a plan takes milliseconds and saves microseconds in queries as short as ours.
    "jit": "off",
    # `auto` plans statements with array arguments, such as the one that opens a link, anew at every call, which takes
    # longer than running them. Optional filters use `fetch_with_custom_plan` instead: ops/decisions/0016.
    "plan_cache_mode": "force_generic_plan",
}
_CONFIG: Final = ", ".join(f"'{name}={value}'" for name, value in _ROLE_SETTINGS.items())

MIN_SERVER_VERSION: Final = 160000

#: Advisory lock, held while roles change: any number that nothing else in the administrator's database uses.
PROVISION_LOCK: Final = 7_305_081_965_420_001

# ruff: noqa: S608  -- only constants of this module are put into these statements

_SET_SETTINGS: Final = "\n        ".join(
    f"ALTER ROLE {{role}} SET {name} = {value};" for name, value in _ROLE_SETTINGS.items()
)
_ROLE: Final = f"""
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{{role}}') THEN
        CREATE ROLE {{role}} LOGIN;
    END IF;
    IF EXISTS (
        SELECT FROM pg_roles WHERE rolname = '{{role}}' AND (rolsuper OR rolreplication OR rolbypassrls)
    ) THEN
        -- Only a superuser may revoke these; managed Postgres has no superuser for its customers, and needs none here.
        ALTER ROLE {{role}} NOSUPERUSER NOREPLICATION NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_roles
        WHERE rolname = '{{role}}' AND rolcanlogin AND rolconfig @> ARRAY[{_CONFIG}]
          AND NOT (rolcreatedb OR rolcreaterole)
    ) THEN
        ALTER ROLE {{role}} LOGIN NOCREATEDB NOCREATEROLE;
        {_SET_SETTINGS}
    END IF;
END
$$;
"""
# To create a database for the owner one must be able to act as the owner; a superuser always is.
_GRANT_OWNER: Final = f"""
DO $$
BEGIN
    IF NOT pg_has_role(current_user, '{OWNER}', 'SET') OR NOT pg_has_role(current_user, '{OWNER}', 'USAGE') THEN
        GRANT {OWNER} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE;
    END IF;
END
$$;
"""
_RESTRICT_SCHEMA: Final = """
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO {app}, {svc};
GRANT ALL ON SCHEMA public TO {owner};
"""


@dataclass(frozen=True, slots=True)
class Passwords:
    """Passwords of the roles; None does not change one (for trust or certificate authentication)."""

    owner: str | None = field(default=None, repr=False)
    app: str | None = field(default=None, repr=False)
    svc: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Urls:
    """URLs of one database for each role."""

    owner: str = field(repr=False)
    app: str = field(repr=False)
    svc: str = field(repr=False)


async def provision(
    admin_url: str, database: str, *, passwords: Passwords | None = None, template: str | None = None
) -> Urls:
    """Create or correct the roles and the database, and return the urls of the roles.

    `admin_url` is that of a role that may create roles and databases. Idempotent and safe to run concurrently. With
    `template` a new database is a copy of that one, which nobody may be connected to.
    Raises Invalid("store.postgres_too_old") before Postgres 16.
    """
    passwords = passwords or Passwords()
    secrets = {OWNER: passwords.owner, APP: passwords.app, SVC: passwords.svc}
    connection: Connection = await asyncpg.connect(admin_url)
    try:
        await _require_postgres(connection)
        # Roles belong to the cluster, so this serializes the provisioning of different databases too.
        await connection.execute("SELECT pg_advisory_lock($1)", PROVISION_LOCK)
        for role, password in secrets.items():
            await connection.execute(_ROLE.format(role=role))
            if password is not None:
                await connection.execute(
                    f"ALTER ROLE {role} PASSWORD {await _quote_literal(connection, password)}"
                )
        await connection.execute(_GRANT_OWNER)
        # The owner may assign a function to svc, but svc's policies do not apply to it.
        await connection.execute(f"GRANT {SVC} TO {OWNER} WITH INHERIT FALSE, SET TRUE")
        await _create_database(connection, database, template)
        await _restrict_database(connection, admin_url, database)
    finally:
        await connection.close()
    owner, app, svc = (
        build_database_url(admin_url, database, role, password) for role, password in secrets.items()
    )
    return Urls(owner, app, svc)


async def drop_database(admin_url: str, database: str) -> None:
    """Drop a database if it exists, and terminate the connections to it."""
    connection: Connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute(
            f"DROP DATABASE IF EXISTS {await _quote_identifier(connection, database)} WITH (FORCE)"
        )
    finally:
        await connection.close()


def build_database_url(url: str, database: str, role: str | None = None, password: str | None = None) -> str:
    """Return the url with another database, and with another role if one is given; host and options are unchanged."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    login = parts.netloc.rpartition("@")[0]
    if role is not None:
        login = quote(role, safe="") + (f":{quote(password, safe='')}" if password else "")
    return urlunsplit(parts._replace(netloc=f"{login}@{host}", path=f"/{quote(database, safe='')}"))


async def _require_postgres(connection: Connection) -> None:
    number = int(await connection.fetchval("SHOW server_version_num"))
    if number < MIN_SERVER_VERSION:
        message = f"Postgres {MIN_SERVER_VERSION // 10000} or newer is needed; this is {number // 10000}."
        raise Invalid("store.postgres_too_old", message, version=number)


async def _create_database(connection: Connection, database: str, template: str | None) -> None:
    if await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
        return
    name = await _quote_identifier(connection, database)
    source = f" TEMPLATE {await _quote_identifier(connection, template)}" if template else ""
    await connection.execute(f"CREATE DATABASE {name} OWNER {OWNER}{source}")


async def _restrict_database(connection: Connection, admin_url: str, database: str) -> None:
    name = await _quote_identifier(connection, database)
    await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    await connection.execute(f"GRANT CONNECT ON DATABASE {name} TO {OWNER}, {APP}, {SVC}")
    inside: Connection = await asyncpg.connect(build_database_url(admin_url, database))
    try:
        await inside.execute(_RESTRICT_SCHEMA.format(owner=OWNER, app=APP, svc=SVC))
    finally:
        await inside.close()


async def _quote_identifier(connection: Connection, name: str) -> str:
    return str(await connection.fetchval("SELECT quote_ident($1)", name))


async def _quote_literal(connection: Connection, text: str) -> str:
    return str(await connection.fetchval("SELECT quote_literal($1)", text))
