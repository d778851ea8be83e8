-- Realtime streams: one for each invoice, under the invoice's id. Staff reads every event of a stream; customers read
-- those that have a public_seq. Both counters are contiguous, so that a reader sees that it missed something.

CREATE TABLE live_stream (
    workspace_id uuid NOT NULL REFERENCES workspace (workspace_id),
    stream_id uuid NOT NULL,
    -- Changes only when a point-in-time restore may have taken events away: readers then start anew.
    epoch uuid NOT NULL DEFAULT gen_random_uuid(),
    staff_head bigint NOT NULL DEFAULT 0,
    public_head bigint NOT NULL DEFAULT 0 CHECK (public_head BETWEEN 0 AND staff_head),
    PRIMARY KEY (workspace_id, stream_id)
);

CREATE TABLE live_event (
    workspace_id uuid NOT NULL,
    stream_id uuid NOT NULL,
    staff_seq bigint NOT NULL CHECK (staff_seq > 0),
    -- Null: staff only.
    public_seq bigint CHECK (public_seq > 0),
    kind text NOT NULL CHECK (kind ~ '^[a-z_]+\.[a-z_]+$'),
    -- Ids only: the text of a comment stands in its own row, so that deleting it there deletes it everywhere.
    payload jsonb NOT NULL CHECK (jsonb_typeof(payload) = 'object'),
    -- Chosen by the client that wrote: it recognizes its own event.
    client_id text CHECK (char_length(client_id) BETWEEN 8 AND 64),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, stream_id, staff_seq),
    CONSTRAINT live_event_public UNIQUE (workspace_id, stream_id, public_seq),
    CONSTRAINT live_event_client UNIQUE (workspace_id, stream_id, client_id),
    FOREIGN KEY (workspace_id, stream_id) REFERENCES live_stream (workspace_id, stream_id) ON DELETE CASCADE
);
