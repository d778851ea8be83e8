-- Verified events of Stripe about connected accounts. Only what they are about is stored: a job reads the object again.

CREATE TABLE stripe_inbox (
    workspace_id uuid NOT NULL REFERENCES workspace (workspace_id),
    scope text NOT NULL CHECK (scope IN ('account', 'connect')),
    account_id text NOT NULL CHECK (account_id <> ''),
    event_id text NOT NULL,
    -- Stripe's type.
    kind text NOT NULL,
    subject text NOT NULL CHECK (subject IN ('payment', 'account')),
    intent_id text NOT NULL CHECK ((subject = 'payment') = (intent_id <> '')),
    is_live boolean NOT NULL,
    source text NOT NULL CHECK (source IN ('delivery', 'reconciler')),
    state text NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'applied', 'parked')),
    -- On Stripe's clock.
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    error text NOT NULL DEFAULT '' CHECK (char_length(error) <= 200),
    -- Stripe's event ids are unique in an account and scope; the workspace follows from the account.
    PRIMARY KEY (workspace_id, scope, account_id, event_id),
    CHECK ((state = 'received') = (ended_at IS NULL))
);
-- Measured by the relay, over all workspaces: the oldest event that waits, and the parked ones.
CREATE INDEX stripe_inbox_waiting ON stripe_inbox (received_at) WHERE state = 'received';
CREATE INDEX stripe_inbox_parked ON stripe_inbox (received_at) WHERE state = 'parked';
-- What pruning deletes.
CREATE INDEX stripe_inbox_applied ON stripe_inbox (workspace_id, ended_at) WHERE state = 'applied';

-- Stores a verified event with its job in one round trip, and says what became of it. Called as a statement of its own,
-- the function binds the workspace of the event's account, and the end of the statement unbinds it; in a unit of work it
-- stores the events of that workspace alone. It runs with the rights of its caller, so that the policies apply. A second call with the same event changes nothing.
CREATE FUNCTION receive_stripe_event(
    event_scope text, event_account text, event text, event_kind text, event_subject text, event_intent text,
    event_livemode boolean, event_source text, event_time timestamptz,
    job_kind text, job_queue text, job_payload jsonb, job_key text, job_attempts integer, request text
)
    RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
AS $$
DECLARE
    workspace CONSTANT uuid := portal_find_stripe_workspace(event_account, event_livemode, event_intent);
    bound CONSTANT uuid := nullif(current_setting('app.workspace', true), '')::uuid;
BEGIN
    IF workspace IS NULL THEN
        RETURN 'unknown_account';
    END IF;
    IF bound <> workspace THEN
        RETURN 'foreign';
    END IF;
    PERFORM set_config('app.workspace', workspace::text, true);
    -- The account may have other business. An intent is stored with its attempt before anybody can confirm it.
    IF event_subject = 'payment' AND NOT EXISTS (
        SELECT FROM payment_attempt p
        WHERE p.workspace_id = workspace AND p.account_id = event_account AND p.intent_id = event_intent
    ) THEN
        RETURN 'foreign';
    END IF;
    INSERT INTO stripe_inbox (workspace_id, scope, account_id, event_id, kind, subject, intent_id, is_live, source,
                              occurred_at)
    VALUES (workspace, event_scope, event_account, event, event_kind, event_subject, event_intent, event_livemode,
            event_source, event_time)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN 'repeated';
    END IF;
    INSERT INTO job (workspace_id, job_id, kind, queue, payload, dedupe_key, max_attempts, request_id)
    VALUES (workspace, gen_random_uuid(), job_kind, job_queue, job_payload, job_key, job_attempts, request);
    RETURN 'stored';
END
$$;
