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
INSERT INTO event_head (workspace_id) SELECT workspace_id FROM workspace;

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
