-- Accounts of workspaces at Stripe, the links by which they are set up, and the domains that are known to them.

CREATE TABLE stripe_connection (
    workspace_id uuid NOT NULL REFERENCES workspace (workspace_id),
    connection_id uuid NOT NULL,
    -- Null until Stripe has created it: the connection's id is the key of that request.
    account_id text CHECK (account_id <> '' AND char_length(account_id) <= 100),
    is_live boolean NOT NULL,
    -- Name, country and address of the business in a request to create the account whose outcome is not known yet: its
    -- repetition has to say the same.
    business text[] CHECK (cardinality(business) = 3),
    -- revoked: Stripe refuses us the account; disconnected: the workspace no longer wants it.
    state text NOT NULL CHECK (state IN ('onboarding', 'active', 'revoked', 'disconnected')),
    card_capability text NOT NULL DEFAULT 'none'
        CHECK (card_capability IN ('none', 'active', 'pending', 'restricted', 'unsupported', 'rejected')),
    -- What Stripe still wants to know from the business, in Stripe's terms.
    requirements text[] NOT NULL DEFAULT '{}',
    application_fee_bp integer NOT NULL DEFAULT 0 CHECK (application_fee_bp BETWEEN 0 AND 5000),
    -- When the capability was last read at Stripe.
    checked_at timestamptz,
    -- Events of the account up to here were listed, on Stripe's clock.
    events_watermark timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    connected_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (workspace_id, connection_id),
    CHECK (state = 'onboarding' OR state = 'disconnected' OR account_id IS NOT NULL),
    CHECK ((state = 'disconnected') = (ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX stripe_connection_current ON stripe_connection (workspace_id) WHERE state <> 'disconnected';
-- An account is connected to one workspace. Ids of accounts are random and known only to those who have them.
CREATE UNIQUE INDEX stripe_connection_account ON stripe_connection (account_id) WHERE state <> 'disconnected';
-- Refunds and disputes of what was paid before are still delivered after an account was disconnected.
CREATE INDEX stripe_connection_any_account ON stripe_connection (account_id);

-- Links back from the pages on which Stripe sets an account up. They work once.
CREATE TABLE stripe_onboarding (
    workspace_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (workspace_id, token_hash),
    FOREIGN KEY (workspace_id, connection_id) REFERENCES stripe_connection (workspace_id, connection_id)
);
-- The page is on the console's host, which belongs to no workspace. The hash is that of a random token.
CREATE UNIQUE INDEX stripe_onboarding_token ON stripe_onboarding (token_hash);

-- Hosts on which the account may show wallets and links (payment method domains).
CREATE TABLE stripe_payment_domain (
    workspace_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    host text NOT NULL CHECK (host <> ''),
    provider_id text NOT NULL CHECK (provider_id <> ''),
    state text NOT NULL CHECK (state IN ('active', 'inactive')),
    -- Methods that Stripe does not offer on this host, with its reason.
    problems text[] NOT NULL DEFAULT '{}',
    checked_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, host),
    FOREIGN KEY (workspace_id, connection_id) REFERENCES stripe_connection (workspace_id, connection_id)
);

-- Finds the workspace of an account. An event has no other way to the workspace that it is about: what it says of
-- workspaces itself is not believed. Where several workspaces have had the account, a payment is that of the one that
-- began it; all else is about the one that has the account now.
CREATE FUNCTION portal_find_stripe_workspace(wanted_account text, wanted_mode boolean, wanted_intent text)
    RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT c.workspace_id
    FROM stripe_connection c
    WHERE c.account_id = wanted_account AND c.is_live = wanted_mode
    ORDER BY EXISTS (
                 SELECT FROM payment_attempt p
                 WHERE p.workspace_id = c.workspace_id AND p.account_id = wanted_account AND p.intent_id = wanted_intent
             ) DESC,
             (c.state <> 'disconnected') DESC, c.created_at DESC
    LIMIT 1
$$;

-- Finds the workspace of a link back from Stripe, by the hashes of its token under each secret in use.
CREATE FUNCTION portal_find_stripe_onboarding(token_hashes bytea[]) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT o.workspace_id
    FROM unnest(token_hashes) candidate (token_hash)
    JOIN stripe_onboarding o ON o.token_hash = candidate.token_hash
    WHERE o.used_at IS NULL AND o.expires_at > now()
    LIMIT 1
$$;
