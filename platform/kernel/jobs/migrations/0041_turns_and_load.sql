-- The relay takes from each queue by turns between workspaces; how long a queue takes is measured.

-- When the last attempt began.
ALTER TABLE job ADD COLUMN begun_at timestamptz;

DROP INDEX job_due;
-- What no bell was rung for: found by queue, then by whose turn it is.
CREATE INDEX job_waiting ON job (queue, workspace_id, run_at)
    WHERE state IN ('queued', 'running') AND dispatched_at IS NULL;
-- What was rung for and is not begun: little, because queues in Redis are short.
CREATE INDEX job_rung ON job (dispatched_at) WHERE state = 'queued' AND dispatched_at IS NOT NULL;
CREATE INDEX job_leased ON job (lease_until) WHERE state = 'running';
-- How long the last ones took.
CREATE INDEX job_served ON job (kind, ended_at) WHERE state = 'done';

-- Which workers there are, and how many jobs of which queues each runs at a time; each writes its own row.
CREATE TABLE job_worker (
    worker_id uuid PRIMARY KEY,
    queues text[] NOT NULL,
    slots integer NOT NULL CHECK (slots > 0),
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- How long a queue is for all workspaces together: numbers, and nobody's jobs. Of those that no bell was rung for
-- each workspace has `turns` at most before whoever asks. `most` bounds what is counted.
CREATE FUNCTION portal_queue_load(asked_queue text, asked_kind text, turns integer, most integer)
    RETURNS TABLE (depth integer, service_s double precision, slots integer)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT (SELECT coalesce(sum(least(waits, turns)), 0)::integer FROM (
                SELECT count(*) AS waits FROM (
                    SELECT workspace_id FROM job
                    WHERE queue = asked_queue AND state IN ('queued', 'running') AND dispatched_at IS NULL
                      AND state = 'queued' AND run_at <= now() LIMIT most
                ) waiting GROUP BY workspace_id
            ) of_each)
           + (SELECT count(*)::integer FROM (
                (SELECT FROM job
                 WHERE queue = asked_queue AND state = 'queued' AND dispatched_at IS NOT NULL AND run_at <= now()
                 LIMIT most)
                UNION ALL
                (SELECT FROM job WHERE queue = asked_queue AND state = 'running' LIMIT most)
            ) begun),
           (SELECT extract(epoch FROM avg(took))::double precision FROM (
                SELECT ended_at - begun_at AS took FROM job
                WHERE kind = asked_kind AND state = 'done' AND begun_at IS NOT NULL
                ORDER BY ended_at DESC LIMIT 50
            ) served),
           (SELECT coalesce(sum(w.slots), 0)::integer FROM job_worker w
            WHERE asked_queue = ANY (w.queues) AND w.seen_at > now() - interval '20 seconds')
$$;
-- Whether this very job was given up.
CREATE INDEX job_given_up ON job (workspace_id, kind, dedupe_key) WHERE state = 'dead' AND dedupe_key IS NOT NULL;
