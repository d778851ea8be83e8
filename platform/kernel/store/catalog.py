"""Reads Postgres' catalog for anything that could let one workspace reach another: for tests and the doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kernel.store.policies import APP_POLICY, APP_RULE, OWN_TABLES, SVC_POLICY
from kernel.store.roles import APP, OWNER, SVC

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kernel.store.pool import Connection

# ruff: noqa: S608  -- the only words put into these queries are this package's own constants

# Each rule is a query whose rows are sentences; all may name these two relations.
_RELATIONS: Final = """
WITH
relation AS (
    SELECT c.* FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
),
scoped AS (
    SELECT r.oid, r.relname, r.relrowsecurity, r.relforcerowsecurity, r.relacl, r.relowner,
           a.attnum AS key, a.attnotnull, a.atttypid
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = 'workspace_id'
    WHERE r.relkind IN ('r', 'p') AND NOT a.attisdropped
)
"""

_RULES: Final = (
    # $1: tables that need no workspace_id.
    """
    SELECT format('table %s has no workspace_id and is not on the list', relname)
    FROM relation WHERE relkind IN ('r', 'p', 'f') AND oid NOT IN (SELECT oid FROM scoped) AND relname <> ALL ($1)
    """,
    """
    SELECT format('table %s does not force row-level security', relname)
    FROM scoped WHERE NOT (relrowsecurity AND relforcerowsecurity)
    """,
    """
    SELECT format('column %s.workspace_id is not "uuid NOT NULL"', relname)
    FROM scoped WHERE NOT attnotnull OR atttypid <> 'uuid'::regtype
    """,
    f"""
    SELECT format('table %s lacks the policy %s', s.relname, wanted.name)
    FROM scoped s
    CROSS JOIN (VALUES ('{APP_POLICY}', ARRAY['{APP}', '{OWNER}']::name[], '{APP_RULE}'),
                       ('{SVC_POLICY}', ARRAY['{SVC}']::name[], 'true'))
        AS wanted (name, roles, rule)
    WHERE NOT EXISTS (
        SELECT FROM pg_policies p
        WHERE p.schemaname = 'public' AND p.tablename = s.relname AND p.policyname = wanted.name
          AND p.permissive = 'PERMISSIVE' AND p.cmd = 'ALL' AND p.roles @> wanted.roles AND p.roles <@ wanted.roles
          AND p.qual = wanted.rule AND p.with_check = wanted.rule)
    """,
    f"""
    SELECT format('table %s has a policy of its own: %s', tablename, policyname)
    FROM pg_policies
    WHERE schemaname = 'public' AND policyname NOT IN ('{APP_POLICY}', '{SVC_POLICY}')
    """,
    """
    SELECT format('table %s has no primary key', relname)
    FROM scoped s WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = s.oid AND i.indisprimary)
    """,
    # $2: indexes that serve definer functions, which come from outside any workspace.
    """
    SELECT format('index %s does not begin with workspace_id', i.indexrelid::regclass)
    FROM scoped s JOIN pg_index i ON i.indrelid = s.oid
    WHERE i.indkey[0] <> s.key AND (i.indexrelid::regclass)::text <> ALL ($2)
    """,
    """
    SELECT format('foreign key %s of %s does not compare workspace_id', c.conname, s.relname)
    FROM pg_constraint c JOIN scoped s ON s.oid = c.conrelid JOIN scoped t ON t.oid = c.confrelid
    WHERE c.contype = 'f' AND NOT EXISTS (
        SELECT FROM unnest(c.conkey, c.confkey) pair (ours, theirs)
        WHERE pair.ours = s.key AND pair.theirs = t.key)
    """,
    """
    SELECT format('foreign key %s of %s would overwrite workspace_id', c.conname, s.relname)
    FROM pg_constraint c JOIN scoped s ON s.oid = c.conrelid
    WHERE c.contype = 'f'
      AND (c.confupdtype IN ('n', 'd')
           OR c.confdeltype IN ('n', 'd') AND s.key = ANY (coalesce(c.confdelsetcols, c.conkey)))
    """,
    f"""
    SELECT DISTINCT format('role %s may %s table %s', coalesce(g.rolname, 'public'), a.privilege_type, s.relname)
    FROM scoped s CROSS JOIN aclexplode(s.relacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
    WHERE a.grantee <> s.relowner
      AND NOT (coalesce(g.rolname, '') IN ('{APP}', '{SVC}')
               AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE'))
    """,
    """
    SELECT format('view %s does not run with the rights of who asks (security_invoker)', relname)
    FROM relation WHERE relkind = 'v' AND NOT coalesce(reloptions @> '{security_invoker=true}', false)
    """,
    """
    SELECT format('materialized view %s knows no row-level security', relname) FROM relation WHERE relkind = 'm'
    """,
    f"""
    SELECT format('function %s is SECURITY DEFINER but owned by %s', p.oid::regprocedure, p.proowner::regrole)
    FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef AND p.proowner <> '{SVC}'::regrole
    """,
    """
    SELECT format('function %s is SECURITY DEFINER without a pinned search_path that ends in pg_temp',
                  p.oid::regprocedure)
    FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
      AND NOT EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s ~ '^search_path=.*, pg_temp$')
    """,
    """
    SELECT format('function %s is SECURITY DEFINER and anybody may call it', p.oid::regprocedure)
    FROM pg_proc p
    CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef AND a.grantee = 0
    """,
    f"""
    SELECT format('role %s owns %s', '{APP}', pg_describe_object(d.classid, d.objid, d.objsubid))
    FROM pg_shdepend d
    WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = '{APP}'::regrole AND d.deptype = 'o'
      AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    """,
    f"""
    SELECT format('role %s passes by row-level security', rolname)
    FROM pg_roles WHERE rolname IN ('{OWNER}', '{APP}', '{SVC}') AND (rolsuper OR rolbypassrls)
    """,
    f"""
    SELECT format('role %s has the rights of %s', m.member::regrole, m.roleid::regrole)
    FROM pg_auth_members m
    WHERE m.member = '{APP}'::regrole OR m.member = '{OWNER}'::regrole AND m.inherit_option
    """,
    f"""
    SELECT format('role %s may create in schema public', r)
    FROM unnest(ARRAY['{APP}', '{SVC}']) r WHERE has_schema_privilege(r, 'public', 'CREATE')
    """,
)


async def findings(
    connection: Connection, *, unscoped: Iterable[str] = (), global_indexes: Iterable[str] = ()
) -> list[str]:
    """Return a sentence for everything that tenancy forbids, sorted; an empty list is what one wants.

    `unscoped` are the tables that need no workspace_id, `global_indexes` those that need not begin with it.
    """
    tables, indexes = [*OWN_TABLES, *unscoped], list(global_indexes)
    found: set[str] = set()
    for rule in _RULES:
        # Both lists are given to every rule, so that a rule may name either.
        use = "SELECT NULL WHERE $1::text[] IS NULL OR $2::text[] IS NULL"
        rows = await connection.fetch(f"{_RELATIONS} {rule} UNION ALL {use}", tables, indexes)
        found.update(row[0] for row in rows)
    return sorted(found)
