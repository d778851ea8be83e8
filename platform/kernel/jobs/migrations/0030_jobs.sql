-- What must happen later: the table is the truth, Redis only rings the bell.

CREATE TABLE job (
    workspace_id uuid NOT NULL,
    job_id uuid NOT NULL,
    kind text NOT NULL,
    queue text NOT NULL,
    payload jsonb NOT NULL,
    -- Live jobs of one kind with the same key are one job.
    dedupe_key text,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'dead')),
    -- Counted when a worker takes the job, so that one that kills its worker is counted too.
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    max_attempts integer NOT NULL CHECK (max_attempts > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    run_at timestamptz NOT NULL DEFAULT now(),
    -- When the bell was rung last; null: not yet for this attempt.
    dispatched_at timestamptz,
    -- Whoever holds the lease may complete the job; it is the fence against a worker thought dead.
    lease uuid,
    lease_until timestamptz,
    ended_at timestamptz,
    error text NOT NULL DEFAULT '' CHECK (char_length(error) <= 2000),
    -- Of the request that asked for it.
    request_id text NOT NULL DEFAULT '',
    PRIMARY KEY (workspace_id, job_id),
    CHECK ((state = 'running') = (lease IS NOT NULL)),
    CHECK ((lease IS NULL) = (lease_until IS NULL)),
    CHECK ((state IN ('done', 'dead')) = (ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX job_once ON job (workspace_id, kind, dedupe_key)
    WHERE dedupe_key IS NOT NULL AND state IN ('queued', 'running');
-- The relay and the pruning look across workspaces.
CREATE INDEX job_due ON job (run_at) WHERE state IN ('queued', 'running');
CREATE INDEX job_ended ON job (state, ended_at) WHERE state IN ('done', 'dead');

-- Which occurrences of which schedule have been turned into jobs.
CREATE TABLE schedule_occurrence (
    name text NOT NULL,
    occurs_at timestamptz NOT NULL,
    PRIMARY KEY (name, occurs_at)
);
