-- Proofs of a person: one-time codes by mail, sessions, authenticators and their recovery codes. A subject is who
-- proves: an e-mail address on the portal, a member in the console.

CREATE TABLE one_time_code (
    workspace_id uuid NOT NULL REFERENCES workspace (workspace_id),
    code_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('sign_in', 'write')),
    -- The address that the code is sent to, in lower case.
    target text NOT NULL CHECK (target <> '' AND char_length(target) <= 320),
    -- Keyed hash of the anonymous session of the browser that asked: only this browser can use the code.
    browser_hash bytea NOT NULL CHECK (octet_length(browser_hash) = 32),
    -- Set where only contacts of this customer get a code.
    customer_id uuid,
    contacts_only boolean NOT NULL,
    -- Null until a worker has made the code and sends it: for an address that gets none it stays null, and the request
    -- takes the same time.
    code_hash bytea CHECK (octet_length(code_hash) = 32),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 5),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (workspace_id, code_id),
    FOREIGN KEY (workspace_id, customer_id) REFERENCES customer (workspace_id, customer_id) ON DELETE CASCADE
);
CREATE INDEX one_time_code_of_target ON one_time_code (workspace_id, target, created_at DESC);

CREATE TABLE session (
    workspace_id uuid NOT NULL REFERENCES workspace (workspace_id),
    session_id uuid NOT NULL,
    -- Keyed hash of the cookie's value.
    reference_hash bytea NOT NULL CHECK (octet_length(reference_hash) = 32),
    subject_kind text NOT NULL CHECK (subject_kind IN ('address', 'member')),
    subject_id text NOT NULL CHECK (subject_id <> '' AND char_length(subject_id) <= 320),
    -- Of the anonymous session that it began as: what this browser wrote before stays its own.
    browser_hash bytea NOT NULL CHECK (octet_length(browser_hash) = 32),
    email_proven_at timestamptz,
    totp_proven_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The absolute limit; the idle limit counts from used_at.
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    user_agent text NOT NULL DEFAULT '' CHECK (char_length(user_agent) <= 500),
    -- The network, never the whole address.
    address_prefix cidr,
    PRIMARY KEY (workspace_id, session_id),
    CONSTRAINT session_reference UNIQUE (workspace_id, reference_hash)
);
CREATE INDEX session_of_subject ON session (workspace_id, subject_kind, subject_id, created_at DESC);
-- A browser has one open session.
CREATE INDEX session_of_browser ON session (workspace_id, browser_hash) WHERE revoked_at IS NULL;

CREATE TABLE authenticator (
    workspace_id uuid NOT NULL REFERENCES workspace (workspace_id),
    authenticator_id uuid NOT NULL,
    subject_kind text NOT NULL CHECK (subject_kind IN ('address', 'member')),
    subject_id text NOT NULL CHECK (subject_id <> '' AND char_length(subject_id) <= 320),
    secret_sealed bytea NOT NULL,
    -- Keyed hash of the browser that began; another browser of the subject gets another key, so that nobody who was
    -- once in the mailbox learns the key that the owner scans.
    browser_hash bytea NOT NULL,
    -- Null until a first code was right.
    confirmed_at timestamptz,
    -- The time step of the last accepted code: no code is accepted twice (RFC 6238, 5.2).
    last_step bigint NOT NULL DEFAULT 0,
    -- Wrong codes since attempts_since; counted outside the request's transaction.
    attempts integer NOT NULL DEFAULT 0,
    attempts_since timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Of the scrypt hashes of its recovery codes.
    salt bytea NOT NULL CHECK (octet_length(salt) = 16),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, authenticator_id),
    CONSTRAINT authenticator_subject UNIQUE (workspace_id, subject_kind, subject_id)
);

CREATE TABLE recovery_code (
    workspace_id uuid NOT NULL,
    authenticator_id uuid NOT NULL,
    code_hash bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    used_at timestamptz,
    PRIMARY KEY (workspace_id, authenticator_id, code_hash),
    FOREIGN KEY (workspace_id, authenticator_id)
        REFERENCES authenticator (workspace_id, authenticator_id) ON DELETE CASCADE
);

-- Finds an open session by its cookie in one round trip; called as a statement of its own, as open_invoice is.
-- $2: the hashes of the cookie under each secret in use.
CREATE FUNCTION open_session(workspace uuid, session_hashes bytea[], idle_limit interval)
    RETURNS TABLE (
        session_id uuid, subject_kind text, subject_id text, browser_hash bytea, email_proven_at timestamptz,
        totp_proven_at timestamptz, used_at timestamptz, has_authenticator boolean
    )
    LANGUAGE plpgsql SECURITY INVOKER ROWS 1
AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.workspace', $1::text, true);
    RETURN QUERY
    SELECT s.session_id, s.subject_kind, s.subject_id, s.browser_hash, s.email_proven_at, s.totp_proven_at, s.used_at,
           EXISTS (SELECT FROM authenticator a
                   WHERE a.workspace_id = $1 AND a.subject_kind = s.subject_kind AND a.subject_id = s.subject_id
                     AND a.confirmed_at IS NOT NULL)
    FROM unnest($2) candidate (reference_hash)
    CROSS JOIN LATERAL (
        SELECT * FROM session WHERE workspace_id = $1 AND reference_hash = candidate.reference_hash LIMIT 1
    ) s
    WHERE s.revoked_at IS NULL AND s.expires_at > now() AND s.used_at > now() - $3
    LIMIT 1;
END
$$;

-- Requests for fresh links by mail, whether the address is known or not; kept as long as they count against a limit.
CREATE TABLE fresh_link_request (
    workspace_id uuid NOT NULL REFERENCES workspace (workspace_id),
    request_id uuid NOT NULL,
    email text NOT NULL CHECK (email <> '' AND char_length(email) <= 320),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, request_id)
);
CREATE INDEX fresh_link_request_of_email ON fresh_link_request (workspace_id, email, created_at DESC);
