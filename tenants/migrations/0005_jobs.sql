-- Jobs, the workers that run them and the schedules that add them. The table decides; Redis only notifies.

CREATE TABLE job (
    workspace_id uuid NOT NULL,
    job_id uuid NOT NULL,
    kind text NOT NULL,
    queue text NOT NULL,
    payload jsonb NOT NULL,
    -- At most one queued or running job of a kind and workspace has a given key.
    dedupe_key text,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'dead')),
    -- Counted when a worker claims the job, so that an attempt that kills its worker counts too.
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    max_attempts integer NOT NULL CHECK (max_attempts > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    run_at timestamptz NOT NULL DEFAULT now(),
    -- When the broker was notified last; null: not yet for this attempt.
    dispatched_at timestamptz,
    -- When the last attempt began.
    begun_at timestamptz,
    -- Only the holder of the lease may complete the job: a fencing token against a worker that was presumed dead.
    lease uuid,
    lease_until timestamptz,
    ended_at timestamptz,
    error text NOT NULL DEFAULT '' CHECK (char_length(error) <= 2000),
    -- Of the request that added the job.
    request_id text NOT NULL DEFAULT '',
    PRIMARY KEY (workspace_id, job_id),
    CHECK ((state = 'running') = (lease IS NOT NULL)),
    CHECK ((lease IS NULL) = (lease_until IS NULL)),
    CHECK ((state IN ('done', 'dead')) = (ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX job_live_key ON job (workspace_id, kind, dedupe_key)
    WHERE dedupe_key IS NOT NULL AND state IN ('queued', 'running');
-- Indexes that do not begin with workspace_id serve the relay, which works for all workspaces.
-- Jobs that the broker was not notified of: by queue, then by workspace, because workspaces take turns.
CREATE INDEX job_waiting ON job (queue, workspace_id, run_at)
    WHERE state IN ('queued', 'running') AND dispatched_at IS NULL;
-- Jobs that the broker was notified of and that have not begun: few, because queues in Redis are short.
CREATE INDEX job_dispatched ON job (dispatched_at) WHERE state = 'queued' AND dispatched_at IS NOT NULL;
CREATE INDEX job_leased ON job (lease_until) WHERE state = 'running';
-- How long the last ones took.
CREATE INDEX job_done ON job (kind, ended_at) WHERE state = 'done';
-- Whether a certain job has failed for good.
CREATE INDEX job_dead ON job (workspace_id, kind, dedupe_key) WHERE state = 'dead' AND dedupe_key IS NOT NULL;
-- What pruning deletes.
CREATE INDEX job_ended ON job (state, ended_at) WHERE state IN ('done', 'dead');

-- The occurrences of schedules whose jobs have been added.
CREATE TABLE schedule_occurrence (
    name text NOT NULL,
    occurs_at timestamptz NOT NULL,
    PRIMARY KEY (name, occurs_at)
);

-- The workers, the queues that each serves and how many jobs each runs at a time; each writes its own row.
CREATE TABLE job_worker (
    worker_id uuid PRIMARY KEY,
    queues text[] NOT NULL,
    slots integer NOT NULL CHECK (slots > 0),
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- The length of a queue over all workspaces: counts only, no jobs. Of the jobs that the broker was not notified of, at
-- most `turns` of each workspace run before a new job of the caller's workspace. `most` bounds what is counted.
CREATE FUNCTION portal_queue_load(wanted_queue text, wanted_kind text, turns integer, most integer)
    RETURNS TABLE (depth integer, service_s double precision, slots integer)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT (SELECT coalesce(sum(least(waits, turns)), 0)::integer FROM (
                SELECT count(*) AS waits FROM (
                    SELECT workspace_id FROM job
                    WHERE queue = wanted_queue AND state IN ('queued', 'running') AND dispatched_at IS NULL
                      AND state = 'queued' AND run_at <= now() LIMIT most
                ) waiting GROUP BY workspace_id
            ) of_each)
           + (SELECT count(*)::integer FROM (
                (SELECT FROM job
                 WHERE queue = wanted_queue AND state = 'queued' AND dispatched_at IS NOT NULL AND run_at <= now()
                 LIMIT most)
                UNION ALL
                (SELECT FROM job WHERE queue = wanted_queue AND state = 'running' LIMIT most)
            ) begun),
           (SELECT extract(epoch FROM avg(took))::double precision FROM (
                SELECT ended_at - begun_at AS took FROM job
                WHERE kind = wanted_kind AND state = 'done' AND begun_at IS NOT NULL
                ORDER BY ended_at DESC LIMIT 50
            ) served),
           (SELECT coalesce(sum(w.slots), 0)::integer FROM job_worker w
            WHERE wanted_queue = ANY (w.queues) AND w.seen_at > now() - interval '20 seconds')
$$;
