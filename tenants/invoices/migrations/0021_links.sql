-- Links that open an invoice for one recipient, and the log of who looked.

CREATE TABLE link (
    workspace_id uuid NOT NULL,
    link_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    -- Null: whoever the customer hands it to.
    contact_id uuid,
    token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    token_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    last_shown_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (workspace_id, link_id),
    CONSTRAINT link_token UNIQUE (workspace_id, token_hash),
    FOREIGN KEY (workspace_id, customer_id, invoice_id)
        REFERENCES invoice (workspace_id, customer_id, invoice_id) ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, customer_id, contact_id)
        REFERENCES contact (workspace_id, customer_id, contact_id)
);
CREATE INDEX link_of_invoice ON link (workspace_id, invoice_id, created_at);

CREATE TABLE invoice_view (
    workspace_id uuid NOT NULL,
    view_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    link_id uuid,
    actor text NOT NULL CHECK (actor IN ('owner_preview', 'scanner', 'prefetch', 'human')),
    viewed_at timestamptz NOT NULL,
    -- The network, never the whole address.
    address_prefix cidr,
    user_agent text NOT NULL DEFAULT '' CHECK (char_length(user_agent) <= 500),
    PRIMARY KEY (workspace_id, view_id),
    FOREIGN KEY (workspace_id, invoice_id) REFERENCES invoice (workspace_id, invoice_id) ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, link_id) REFERENCES link (workspace_id, link_id)
);
CREATE INDEX invoice_view_of_invoice ON invoice_view (workspace_id, invoice_id, viewed_at);
