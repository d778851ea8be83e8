"""Generates row-level security: the same policies and grants for each table with a workspace_id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kernel.errors import Invalid
from kernel.store.errors import UNBOUND_SQLSTATE
from kernel.store.roles import APP, OWNER, SVC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kernel.store.pool import Connection

APP_POLICY: Final = "of_workspace"
SVC_POLICY: Final = "of_service"
# Without a policy the owner would find each table empty; with this one an unbound statement raises.
APP_POLICY_ROLES: Final = (APP, OWNER)
ALL_PRIVILEGES: Final = "SELECT, INSERT, UPDATE, DELETE"
#: Tables of the store, without a workspace, each with the privileges of app.
STORE_TABLES: Final[Mapping[str, str]] = {"schema_migration": "SELECT"}

#: The privileges of a role on a table as a canonical text: "SELECT, INSERT (workspace_id, kind)". Refers to the
#: relation `c` of pg_class and to `role`, an oid.
PRIVILEGES: Final = """
(SELECT coalesce(string_agg(text, ', ' ORDER BY array_position('{SELECT,INSERT,UPDATE,DELETE}', privilege), text), '')
 FROM (
     SELECT a.privilege_type AS privilege, a.privilege_type AS text
     FROM aclexplode(c.relacl) a WHERE a.grantee = role
     UNION ALL
     SELECT a.privilege_type, format('%s (%s)', a.privilege_type, string_agg(t.attname, ', ' ORDER BY t.attnum))
     FROM pg_attribute t CROSS JOIN aclexplode(t.attacl) a
     WHERE t.attrelid = c.oid AND a.grantee = role GROUP BY a.privilege_type
 ) granted)
"""

# In Postgres' canonical form. The sub-select is evaluated once a query instead of once a row.
APP_CONDITION: Final = "(workspace_id = ( SELECT app_workspace() AS app_workspace))"

UNBOUND_BODY: Final = f"""
BEGIN
    RAISE EXCEPTION 'no workspace is bound to this transaction' USING ERRCODE = '{UNBOUND_SQLSTATE}';
END
"""
# In SQL, so that the planner inlines it. The setting is NULL if it was never set on the connection, and '' after the
# transaction that set it.
WORKSPACE_BODY: Final = """
    SELECT CASE WHEN pg_catalog.current_setting('app.workspace', true) OPERATOR(pg_catalog.<>) ''
                THEN pg_catalog.current_setting('app.workspace', true)::pg_catalog.uuid
                ELSE public.app_unbound() END
"""
FUNCTIONS: Final = f"""
CREATE OR REPLACE FUNCTION app_unbound() RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL SAFE AS $${UNBOUND_BODY}$$;
CREATE OR REPLACE FUNCTION app_workspace() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $${WORKSPACE_BODY}$$;
"""

_TABLES: Final = """
SELECT c.relname AS name,
       c.relrowsecurity AS enabled,
       c.relforcerowsecurity AS forced,
       EXISTS (SELECT FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped) AS scoped
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname
"""
_POLICIES: Final = """
SELECT policyname AS name, permissive, roles::text[] AS roles, cmd, qual, with_check
FROM pg_policies WHERE schemaname = 'public' AND tablename = $1
"""
_DEFINERS: Final = """
SELECT p.oid::regprocedure::text AS signature, p.proowner::regrole::text AS owner,
       EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%') AS pinned
FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
ORDER BY 1
"""


async def apply_policies(
    connection: Connection,
    *,
    unscoped: Mapping[str, str] | None = None,
    grants: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Set policies, grants and owners of definer functions; to be run as the owner.

    Tables that need no change are not locked. `unscoped` lists the tables without a workspace_id, each with the
    privileges of app ("" for none). `grants` are the scoped tables on which a role has not all privileges, as
    {table: {role: privileges}}, the privileges in the form of `PRIVILEGES`.
    Raises Invalid("store.unlisted_table" | "store.unpinned_function").
    """
    listed = {**STORE_TABLES, **(unscoped or {})}
    limited = grants or {}
    for table in await connection.fetch(_TABLES):
        name = _quote(table["name"])
        if table["scoped"]:
            if not (table["enabled"] and table["forced"]):
                await connection.execute(
                    f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
                )
            await _set_policies(connection, table["name"])
            privileges = {APP: ALL_PRIVILEGES, SVC: ALL_PRIVILEGES, **limited.get(table["name"], {})}
            await _set_grants(connection, table["name"], privileges)
        elif table["name"] in listed:
            svc = "SELECT" if table["name"] in STORE_TABLES else ALL_PRIVILEGES
            await _set_grants(connection, table["name"], {APP: listed[table["name"]], SVC: svc})
        else:
            message = (
                f"Table {table['name']} has no workspace_id and is not on the list of those that need none."
            )
            raise Invalid("store.unlisted_table", message, table=table["name"])
    await connection.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APP}, {SVC}")
    await assign_definers(connection)


async def _set_policies(connection: Connection, table: str) -> None:
    wanted = {
        APP_POLICY: ("PERMISSIVE", APP_POLICY_ROLES, "ALL", APP_CONDITION, APP_CONDITION),
        SVC_POLICY: ("PERMISSIVE", (SVC,), "ALL", "true", "true"),
    }
    found = {row["name"]: _normalize_policy(row) for row in await connection.fetch(_POLICIES, table)}
    name = _quote(table)
    for policy, shape in found.items():
        if shape != wanted.get(policy):
            await connection.execute(f"DROP POLICY {_quote(policy)} ON {name}")
    for policy, (_, roles, _, using, check) in wanted.items():
        if found.get(policy) != wanted[policy]:
            await connection.execute(
                f"CREATE POLICY {policy} ON {name} TO {', '.join(roles)} USING ({using}) WITH CHECK ({check})"
            )


def _normalize_policy(row: Any) -> tuple[str, tuple[str, ...], str, str, str]:
    return row["permissive"], tuple(sorted(row["roles"])), row["cmd"], row["qual"], row["with_check"]


async def _set_grants(connection: Connection, table: str, wanted: Mapping[str, str]) -> None:
    sql = f"""SELECT {PRIVILEGES} FROM pg_class c, (SELECT $2::text::regrole::oid) of (role)
              WHERE c.oid = $1::text::regclass"""  # noqa: S608  -- a constant of this module
    name = _quote(table)
    for role, privileges in wanted.items():
        if await connection.fetchval(sql, name, role) == privileges:
            continue
        await connection.execute(f"REVOKE ALL ON {name} FROM {role}")
        if privileges:
            await connection.execute(f"GRANT {privileges} ON {name} TO {role}")


async def assign_definers(connection: Connection) -> None:
    """Make svc the owner of definer functions: as the owner, forced row-level security would raise "unbound"."""
    functions = await connection.fetch(_DEFINERS)
    # To become the owner of a function svc needs CREATE, which it has only during this call.
    await connection.execute(f"GRANT CREATE ON SCHEMA public TO {SVC}")
    for function in functions:
        signature = function["signature"]
        if not function["pinned"]:
            message = f"Function {signature} is SECURITY DEFINER without a pinned search_path."
            raise Invalid("store.unpinned_function", message, function=signature)
        if function["owner"] == OWNER:
            await connection.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
            await connection.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO {APP}, {SVC}")
            await connection.execute(f"ALTER FUNCTION {signature} OWNER TO {SVC}")
    await connection.execute(f"REVOKE CREATE ON SCHEMA public FROM {SVC}")


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
