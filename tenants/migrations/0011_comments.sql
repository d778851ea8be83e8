-- The thread of an invoice.

CREATE TABLE thread (
    workspace_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    -- Up to which event of the staff's log each side has seen the comments.
    staff_seen_seq bigint NOT NULL DEFAULT 0,
    staff_seen_at timestamptz,
    customer_seen_seq bigint NOT NULL DEFAULT 0,
    customer_seen_at timestamptz,
    -- Up to which event each side got a mail about the other's comments.
    staff_notified_seq bigint NOT NULL DEFAULT 0,
    customer_notified_seq bigint NOT NULL DEFAULT 0,
    -- When the newest comment or note was written.
    posted_at timestamptz NOT NULL,
    -- Null: open. A new comment of the customer opens the thread again.
    resolved_at timestamptz,
    PRIMARY KEY (workspace_id, invoice_id),
    FOREIGN KEY (workspace_id, invoice_id) REFERENCES invoice (workspace_id, invoice_id) ON DELETE CASCADE
);
-- The staff's list.
CREATE INDEX thread_newest ON thread (workspace_id, posted_at DESC, invoice_id DESC);

CREATE TABLE comment (
    workspace_id uuid NOT NULL,
    comment_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    -- Chosen by the client: a post that is repeated stores nothing.
    client_id text NOT NULL CHECK (char_length(client_id) BETWEEN 8 AND 64),
    side text NOT NULL CHECK (side IN ('customer', 'staff')),
    -- A note of the staff that customers never receive.
    is_internal boolean NOT NULL DEFAULT false CHECK (NOT is_internal OR side = 'staff'),
    author_name text NOT NULL CHECK (author_name <> '' AND char_length(author_name) <= 200),
    -- Empty for staff.
    author_email text NOT NULL DEFAULT '' CHECK (char_length(author_email) <= 320),
    -- What the author had proven: a subset of link, email_code, contact, totp.
    proofs text[] NOT NULL DEFAULT '{}' CHECK (proofs <@ '{link,email_code,contact,totp}'),
    -- Keyed hash of the author's anonymous browser session; null for staff.
    browser_hash bytea CHECK (octet_length(browser_hash) = 32),
    link_id uuid,
    session_id uuid,
    -- Empty once it is deleted.
    body text NOT NULL CHECK (char_length(body) <= 4000),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    edited_at timestamptz,
    deleted_at timestamptz,
    -- Which side deleted it.
    deleted_by text CHECK (deleted_by IN ('customer', 'staff')),
    -- The place of its creation in the streams.
    staff_seq bigint NOT NULL,
    public_seq bigint,
    PRIMARY KEY (workspace_id, comment_id),
    CONSTRAINT comment_client UNIQUE (workspace_id, invoice_id, client_id),
    CONSTRAINT comment_seq UNIQUE (workspace_id, invoice_id, staff_seq),
    CHECK ((deleted_at IS NULL) = (deleted_by IS NULL)),
    CHECK ((deleted_at IS NULL) = (body <> '')),
    CHECK (is_internal = (public_seq IS NULL)),
    FOREIGN KEY (workspace_id, invoice_id) REFERENCES invoice (workspace_id, invoice_id) ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, link_id) REFERENCES link (workspace_id, link_id),
    -- Ended sessions are deleted after a time; the proofs stay.
    FOREIGN KEY (workspace_id, session_id) REFERENCES session (workspace_id, session_id)
        ON DELETE SET NULL (session_id)
);
CREATE INDEX comment_of_session ON comment (workspace_id, session_id) WHERE session_id IS NOT NULL;

-- Addresses that get no mail about new comments of an invoice.
CREATE TABLE thread_mute (
    workspace_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    email text NOT NULL CHECK (email <> '' AND char_length(email) <= 320),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, invoice_id, email),
    FOREIGN KEY (workspace_id, invoice_id) REFERENCES invoice (workspace_id, invoice_id) ON DELETE CASCADE
);

DROP FUNCTION open_link(uuid, bytea[]);

-- Opens a link for a visitor without a session in one round trip. Called as a statement of its own, the function binds
-- the workspace, and the end of the statement unbinds it. It runs with the rights of its caller, so that the policies
-- apply. $2: the hashes of the token under each secret in use, usually one. LIMIT makes each look-up start from one
-- hash and the link found: plain joins and ANY were planned by workspace alone where most workspaces are small, and
-- read all links of a large one.
CREATE FUNCTION open_link(workspace uuid, token_hashes bytea[])
    RETURNS TABLE (
        link_id uuid, invoice_id uuid, customer_id uuid, contact_id uuid, number text, status text, currency text,
        total_minor bigint, paid_minor bigint, issue_date date, due_date date, version integer, buyer_name text,
        changed_at timestamptz, locale text, write_mode text, write_totp boolean, otp_policy text, epoch uuid,
        public_head bigint
    )
    LANGUAGE plpgsql SECURITY INVOKER ROWS 1
AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.workspace', $1::text, true);
    RETURN QUERY
    SELECT l.link_id, i.invoice_id, i.customer_id, l.contact_id, i.number, i.status, i.currency, i.total_minor,
           i.paid_minor, i.issue_date, i.due_date, i.version, i.buyer_name, i.changed_at,
           coalesce((SELECT k.locale FROM contact k
                     WHERE k.workspace_id = l.workspace_id AND k.contact_id = l.contact_id), c.locale),
           coalesce(i.write_mode, c.write_mode, w.write_mode), coalesce(i.write_totp, c.write_totp, w.write_totp),
           coalesce(i.otp_policy, c.otp_policy, w.otp_policy), stream.epoch, coalesce(stream.public_head, 0)
    FROM unnest($2) candidate (token_hash)
    CROSS JOIN LATERAL (
        SELECT * FROM link WHERE workspace_id = $1 AND token_hash = candidate.token_hash LIMIT 1
    ) l
    CROSS JOIN LATERAL (
        SELECT * FROM invoice WHERE workspace_id = l.workspace_id AND invoice_id = l.invoice_id LIMIT 1
    ) i
    CROSS JOIN LATERAL (
        SELECT * FROM customer WHERE workspace_id = i.workspace_id AND customer_id = i.customer_id LIMIT 1
    ) c
    CROSS JOIN LATERAL (SELECT * FROM workspace WHERE workspace_id = i.workspace_id LIMIT 1) w
    LEFT JOIN LATERAL (
        SELECT * FROM live_stream WHERE workspace_id = i.workspace_id AND stream_id = i.invoice_id LIMIT 1
    ) stream ON true
    WHERE l.revoked_at IS NULL AND l.expires_at > now() AND i.status <> 'draft';
END
$$;

-- Opens an invoice for a visitor whose cookie can have a session, in one round trip as `open_link` does: by the token of a
-- link, or by the session of a contact whose customer it belongs to. $2 is empty for `own_invoice`. $4: the hashes of
-- the cookie.
CREATE FUNCTION open_invoice(
    workspace uuid, token_hashes bytea[], own_invoice uuid, session_hashes bytea[], idle_limit interval
)
    RETURNS TABLE (
        link_id uuid, invoice_id uuid, customer_id uuid, contact_id uuid, number text, status text, currency text,
        total_minor bigint, paid_minor bigint, issue_date date, due_date date, version integer, buyer_name text,
        changed_at timestamptz, locale text, write_mode text, write_totp boolean, otp_policy text, epoch uuid,
        public_head bigint, session_id uuid, subject_kind text, subject_id text, browser_hash bytea, email_proven_at timestamptz,
        totp_proven_at timestamptz, session_used_at timestamptz, session_contact_id uuid, session_contact_name text,
        has_authenticator boolean
    )
    LANGUAGE plpgsql SECURITY INVOKER ROWS 1
AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.workspace', $1::text, true);
    RETURN QUERY
    SELECT opened.link_id, i.invoice_id, i.customer_id, opened.contact_id, i.number, i.status, i.currency,
           i.total_minor, i.paid_minor, i.issue_date, i.due_date, i.version, i.buyer_name, i.changed_at,
           coalesce((SELECT k.locale FROM contact k
                     WHERE k.workspace_id = i.workspace_id AND k.contact_id = opened.contact_id),
                    person.locale, c.locale),
           coalesce(i.write_mode, c.write_mode, w.write_mode), coalesce(i.write_totp, c.write_totp, w.write_totp),
           coalesce(i.otp_policy, c.otp_policy, w.otp_policy), stream.epoch, coalesce(stream.public_head, 0),
           visitor.session_id, visitor.subject_kind, visitor.subject_id, visitor.browser_hash, visitor.email_proven_at,
           visitor.totp_proven_at, visitor.used_at, person.contact_id, person.name,
           factor.is_enrolled
    FROM (
        SELECT l.link_id, l.invoice_id, l.contact_id
        FROM unnest($2) candidate (token_hash)
        CROSS JOIN LATERAL (
            SELECT * FROM link WHERE workspace_id = $1 AND token_hash = candidate.token_hash LIMIT 1
        ) l
        WHERE l.revoked_at IS NULL AND l.expires_at > now()
        UNION ALL
        SELECT NULL, $3, NULL WHERE $3 IS NOT NULL
    ) opened
    CROSS JOIN LATERAL (
        SELECT * FROM invoice WHERE workspace_id = $1 AND invoice_id = opened.invoice_id LIMIT 1
    ) i
    CROSS JOIN LATERAL (
        SELECT * FROM customer WHERE workspace_id = $1 AND customer_id = i.customer_id LIMIT 1
    ) c
    CROSS JOIN LATERAL (SELECT * FROM workspace WHERE workspace_id = $1 LIMIT 1) w
    LEFT JOIN LATERAL (
        SELECT s.* FROM unnest($4) candidate (reference_hash)
        CROSS JOIN LATERAL (
            SELECT * FROM session WHERE workspace_id = $1 AND reference_hash = candidate.reference_hash LIMIT 1
        ) s
        WHERE s.revoked_at IS NULL AND s.expires_at > now() AND s.used_at > now() - $5
        LIMIT 1
    ) visitor ON true
    LEFT JOIN LATERAL (
        SELECT * FROM live_stream WHERE workspace_id = $1 AND stream_id = i.invoice_id LIMIT 1
    ) stream ON true
    LEFT JOIN LATERAL (
        SELECT * FROM contact
        WHERE workspace_id = $1 AND customer_id = i.customer_id AND visitor.subject_kind = 'address'
          AND email = visitor.subject_id
        LIMIT 1
    ) person ON true
    CROSS JOIN LATERAL (
        SELECT visitor.session_id IS NOT NULL AND EXISTS (
            SELECT FROM authenticator
            WHERE workspace_id = $1 AND subject_kind = visitor.subject_kind AND subject_id = visitor.subject_id
              AND confirmed_at IS NOT NULL)
    ) factor (is_enrolled)
    -- Without a link, who has an authenticator must have used it.
    WHERE i.status <> 'draft' AND (opened.link_id IS NOT NULL OR (
        person.contact_id IS NOT NULL AND (visitor.totp_proven_at IS NOT NULL OR NOT factor.is_enrolled)));
END
$$;
