-- Events of each workspace: drafts that actions write in their transaction, and the log into which the sequencer
-- moves committed drafts. Rows of the log are written once; tenants/schema.py limits the rights of app and svc.

CREATE TABLE event_draft (
    workspace_id uuid NOT NULL,
    -- Order of the drafts that one round of the sequencer sees. Never a cursor: it is assigned before the commit.
    entry bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    event_id uuid NOT NULL DEFAULT gen_random_uuid(),
    kind text NOT NULL CHECK (kind ~ '^[a-z_]+\.[a-z_]+$'),
    payload jsonb NOT NULL CHECK (jsonb_typeof(payload) = 'object'),
    -- Of the audit log alone, such as a refusal: nothing has changed.
    audit_only boolean NOT NULL,
    actor_kind text NOT NULL
        CHECK (actor_kind IN ('member', 'contact', 'link_holder', 'system_job', 'operator')),
    actor_id text NOT NULL,
    -- What is known of the actor's name, link_id, session_id, address_prefix and request_id.
    context jsonb NOT NULL CHECK (jsonb_typeof(context) = 'object'),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, entry)
);

CREATE TABLE event (
    workspace_id uuid NOT NULL,
    -- Contiguous in each workspace, in the order in which the sequencer saw the commits: a cursor.
    place bigint NOT NULL CHECK (place > 0),
    event_id uuid NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    audit_only boolean NOT NULL,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    context jsonb NOT NULL,
    at timestamptz NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (workspace_id, place),
    CONSTRAINT event_once UNIQUE (workspace_id, event_id)
);

-- Where the log of a workspace ends, and where it begins since retention removed what came before.
CREATE TABLE event_head (
    workspace_id uuid NOT NULL PRIMARY KEY REFERENCES workspace (workspace_id),
    place bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT sha256(''),
    floor_place bigint NOT NULL DEFAULT 0,
    floor_hash bytea NOT NULL DEFAULT sha256(''),
    placed_at timestamptz NOT NULL DEFAULT now()
);
-- Where workspaces exist, forced row-level security would hold the owner too.
ALTER TABLE workspace NO FORCE ROW LEVEL SECURITY;
INSERT INTO event_head (workspace_id) SELECT workspace_id FROM workspace;
ALTER TABLE workspace FORCE ROW LEVEL SECURITY;

-- What the hash of an event covers.
CREATE FUNCTION event_content(
    workspace_id uuid, place bigint, event_id uuid, kind text, payload jsonb, audit_only boolean,
    actor_kind text, actor_id text, context jsonb, at timestamptz
)
    RETURNS bytea LANGUAGE sql STABLE
AS $$
    SELECT convert_to(jsonb_build_array(
        workspace_id, place, event_id, kind, payload, audit_only, actor_kind, actor_id, context,
        (extract(epoch FROM at) * 1000000)::bigint
    )::text, 'UTF8')
$$;

CREATE FUNCTION event_link(so_far bytea, before bytea, content bytea)
    RETURNS bytea LANGUAGE sql IMMUTABLE
AS $$ SELECT sha256(coalesce(so_far, before) || content) $$;

-- The hashes of a run of events: event_chain(hash before the run, content) OVER (ORDER BY place).
CREATE AGGREGATE event_chain (bytea, bytea) (SFUNC = event_link, STYPE = bytea);

-- Removes the oldest events of the bound workspace, at most so many; the head keeps the end of what is gone.
-- App has no other right to delete events, and none younger than 90 days go, whatever is asked.
CREATE FUNCTION portal_prune_events(asked_before timestamptz, most integer)
    RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    WITH bound AS (
        SELECT head.workspace_id, head.floor_place + most AS last_place,
               coalesce(
                   (SELECT min(place) FROM event
                    WHERE event.workspace_id = head.workspace_id
                      AND at >= least(asked_before, now() - interval '90 days')),
                   head.place + 1
               ) AS first_left
        FROM event_head head WHERE head.workspace_id = app_workspace()
    ), pruned AS (
        DELETE FROM event USING bound
        WHERE event.workspace_id = bound.workspace_id AND place < first_left AND place <= last_place
        RETURNING place, hash
    ), moved AS (
        UPDATE event_head head SET floor_place = newest.place, floor_hash = newest.hash
        FROM (SELECT place, hash FROM pruned ORDER BY place DESC LIMIT 1) newest
        WHERE head.workspace_id = app_workspace()
    )
    SELECT count(*) FROM pruned
$$;
