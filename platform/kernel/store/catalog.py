"""Checks Postgres' catalog for violations of the isolation of workspaces: for tests and the doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kernel.store.policies import (
    APP_CONDITION,
    APP_POLICY,
    PRIVILEGES,
    STORE_TABLES,
    SVC_POLICY,
    UNBOUND_BODY,
    WORKSPACE_BODY,
)
from kernel.store.roles import APP, OWNER, SEARCH_PATH, SVC

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kernel.store.pool import Connection

# ruff: noqa: S608  -- only constants of this package are put into these queries

# Each rule is a query that returns a sentence for each violation; these relations are common to all.
_RELATIONS: Final = """
WITH
listed (tables, indexes, definer_functions, triggers, foreign_keys) AS (
    SELECT $1::text[], $2::text[], $3::text[], $4::text[], $5::text[]
),
limited (name, role, privileges) AS (SELECT * FROM unnest($6::text[], $7::text[], $8::text[])),
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
    """
    SELECT format('table %s has no workspace_id and is not on the list', relname)
    FROM relation, listed
    WHERE relkind IN ('r', 'p', 'f') AND oid NOT IN (SELECT oid FROM scoped) AND relname <> ALL (tables)
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
    CROSS JOIN (VALUES ('{APP_POLICY}', ARRAY['{APP}', '{OWNER}']::name[], '{APP_CONDITION}'),
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
    """
    SELECT format('index %s does not begin with workspace_id', i.indexrelid::regclass)
    FROM listed, scoped s JOIN pg_index i ON i.indrelid = s.oid
    WHERE i.indkey[0] <> s.key AND (i.indexrelid::regclass)::text <> ALL (indexes)
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
    f"""
    SELECT format('role %s may "%s" table %s, which must be "%s"', l.role, actual.privileges, l.name, l.privileges)
    FROM limited l JOIN relation c ON c.relname = l.name JOIN pg_roles r ON r.rolname = l.role,
         LATERAL (SELECT {PRIVILEGES} AS privileges FROM (SELECT r.oid) of (role)) actual
    WHERE actual.privileges <> l.privileges
    """,
    """
    SELECT format('view %s does not run with the privileges of the caller (security_invoker)', relname)
    FROM relation WHERE relkind = 'v' AND NOT coalesce(reloptions @> '{security_invoker=true}', false)
    """,
    """
    SELECT format('materialized view %s has no row-level security', relname) FROM relation WHERE relkind = 'm'
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
    SELECT format('function %s is SECURITY DEFINER and executable by public', p.oid::regprocedure)
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
    SELECT format('role %s bypasses row-level security', rolname)
    FROM pg_roles WHERE rolname IN ('{OWNER}', '{APP}', '{SVC}') AND (rolsuper OR rolbypassrls)
    """,
    f"""
    SELECT format('role %s may create roles or databases, or replicate', rolname)
    FROM pg_roles
    WHERE rolname IN ('{OWNER}', '{APP}', '{SVC}') AND (rolcreaterole OR rolcreatedb OR rolreplication)
    """,
    f"""
    SELECT format('role %s has the privileges of %s', m.member::regrole, m.roleid::regrole)
    FROM pg_auth_members m
    WHERE m.member IN ('{APP}'::regrole, '{SVC}'::regrole) OR m.member = '{OWNER}'::regrole AND m.inherit_option
    """,
    f"""
    SELECT format('role %s may create in schema public', r)
    FROM unnest(ARRAY['{APP}', '{SVC}']) r WHERE has_schema_privilege(r, 'public', 'CREATE')
    """,
    f"""
    SELECT format('function %s() is not the generated one', wanted.name)
    FROM (VALUES ('app_workspace', 'sql', $body${WORKSPACE_BODY}$body$),
                 ('app_unbound', 'plpgsql', $body${UNBOUND_BODY}$body$)) AS wanted (name, language, body)
    WHERE NOT EXISTS (
        SELECT FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace = 'public'::regnamespace AND p.proname = wanted.name AND p.pronargs = 0
          AND l.lanname = wanted.language AND p.prosrc = wanted.body AND p.provolatile = 's'
          AND NOT p.prosecdef AND p.proconfig IS NULL AND p.proowner = '{OWNER}'::regrole)
    """,
    """
    SELECT DISTINCT format('column %s.%s has grants of its own', s.relname, a.attname)
    FROM scoped s JOIN pg_attribute a ON a.attrelid = s.oid CROSS JOIN aclexplode(a.attacl) g
    WHERE NOT EXISTS (SELECT FROM limited l WHERE l.name = s.relname AND l.role::regrole = g.grantee)
    """,
    """
    SELECT format('table %s has a rule that rewrites statements: %s', r.relname, w.rulename)
    FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid WHERE r.relkind IN ('r', 'p')
    """,
    f"""
    SELECT format('role %s may use schema %s', '{APP}', nspname)
    FROM pg_namespace n
    WHERE n.nspname <> ALL ('{{public, pg_catalog, information_schema}}') AND n.nspname !~ '^pg_(toast|temp)'
      AND (has_schema_privilege('{APP}', n.oid, 'USAGE') OR has_schema_privilege('{APP}', n.oid, 'CREATE'))
    """,
    """
    SELECT format('table %s holds a workspace_id outside schema public', c.oid::regclass)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id'
    WHERE c.relkind IN ('r', 'p', 'f', 'm') AND c.relnamespace <> 'public'::regnamespace
    """,
    f"""
    SELECT format('function %s is SECURITY DEFINER and not on the list', p.oid::regprocedure)
    FROM listed, pg_proc p
    WHERE p.prosecdef AND p.pronamespace <> 'pg_catalog'::regnamespace
      AND (p.proowner IN ('{SVC}'::regrole, '{OWNER}'::regrole) OR p.pronamespace = 'public'::regnamespace)
      AND (p.oid::regprocedure)::text <> ALL (definer_functions)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    """,
    """
    SELECT format('trigger %s is missing or disabled', wanted)
    FROM listed, unnest(triggers) wanted
    WHERE NOT EXISTS (
        SELECT FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid
        WHERE format('%s.%s', r.relname, t.tgname) = wanted AND t.tgenabled IN ('O', 'A'))
    """,
    """
    SELECT DISTINCT format('table %s does not check its foreign keys', r.relname)
    FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid
    WHERE t.tgisinternal AND t.tgenabled NOT IN ('O', 'A')
    """,
    """
    SELECT format('foreign key %s is missing or not validated', wanted)
    FROM listed, unnest(foreign_keys) wanted
    WHERE NOT EXISTS (
        SELECT FROM relation r JOIN pg_constraint c ON c.conrelid = r.oid
        WHERE format('%s.%s', r.relname, c.conname) = wanted AND c.contype = 'f' AND c.convalidated)
    """,
    f"""
    SELECT format('role %s may %s in the database', r, p)
    FROM unnest(ARRAY['{APP}', '{SVC}']) r, unnest(ARRAY['CREATE', 'TEMPORARY']) p
    WHERE has_database_privilege(r, current_database(), p)
    """,
    f"""
    SELECT format('%s starts with %s', coalesce('role ' || r.rolname, 'the database'), setting)
    FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN unnest(s.setconfig) setting
    WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND (s.setrole = 0 OR r.rolname IN ('{OWNER}', '{APP}', '{SVC}'))
      AND split_part(setting, '=', 1) IN ('app.workspace', 'role', 'row_security', 'search_path',
                                          'session_authorization', 'session_replication_role')
      AND setting <> 'search_path={SEARCH_PATH}'
    """,
    f"""
    SELECT format('role %s does not start with its own search_path', rolname)
    FROM pg_roles
    WHERE rolname IN ('{OWNER}', '{APP}', '{SVC}')
      AND NOT coalesce(rolconfig @> ARRAY['search_path={SEARCH_PATH}'], false)
    """,
    """
    SELECT format('publication %s sends the rows of table %s elsewhere', p.pubname, s.relname)
    FROM pg_publication_tables p JOIN scoped s ON s.relname = p.tablename AND p.schemaname = 'public'
    """,
)


async def find_violations(
    connection: Connection,
    *,
    unscoped: Iterable[str] = (),
    global_indexes: Iterable[str] = (),
    definer_functions: Iterable[str] = (),
    triggers: Iterable[str] = (),
    foreign_keys: Iterable[str] = (),
    grants: Mapping[str, Mapping[str, str]] | None = None,
) -> list[str]:
    """Return a sentence for each violation, sorted.

    `unscoped` are the tables without workspace_id, `global_indexes` the indexes that do not begin with it,
    `definer_functions` the only functions that may be SECURITY DEFINER, as "name(types)". `triggers` and
    `foreign_keys` must exist, as "table.name". `grants`: see `apply_policies`.
    """
    tables = [*STORE_TABLES, *unscoped]
    limited = [
        (table, role, privileges)
        for table, roles in (grants or {}).items()
        for role, privileges in roles.items()
    ]
    lists = (
        tables,
        list(global_indexes),
        list(definer_functions),
        list(triggers),
        list(foreign_keys),
        *([line[i] for line in limited] for i in range(3)),
    )
    found: set[str] = set()
    for rule in _RULES:
        rows = await connection.fetch(f"{_RELATIONS} {rule}", *lists)
        found.update(row[0] for row in rows)
    return sorted(found)
