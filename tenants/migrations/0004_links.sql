-- Links that open an invoice for one recipient, and the views of invoices.

CREATE TABLE link (
    workspace_id uuid NOT NULL,
    link_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    -- Null: anybody to whom the customer passes the link.
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
    -- The request that showed the page: it leads from a view to the gateway's log.
    request_id text NOT NULL DEFAULT '' CHECK (char_length(request_id) <= 64),
    PRIMARY KEY (workspace_id, view_id),
    FOREIGN KEY (workspace_id, invoice_id) REFERENCES invoice (workspace_id, invoice_id) ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, link_id) REFERENCES link (workspace_id, link_id)
);
CREATE INDEX invoice_view_of_invoice ON invoice_view (workspace_id, invoice_id, viewed_at);

-- Opens a link in one round trip: called as a statement of its own, the function binds the workspace, and the end
-- of the statement unbinds it. It runs with the rights of its caller, so that the policies apply.
-- $2: the hashes of the token under each secret in use: usually one.
-- LIMIT and the sub-selects make each look-up start from one hash and the link found. Plain joins and ANY were
-- planned by workspace alone where most workspaces are small, and read all links of a large one.
CREATE FUNCTION open_link(workspace uuid, token_hashes bytea[])
    RETURNS TABLE (
        link_id uuid, invoice_id uuid, customer_id uuid, contact_id uuid, number text, status text, currency text,
        total_minor bigint, paid_minor bigint, issue_date date, due_date date, version integer, buyer_name text,
        changed_at timestamptz, locale text
    )
    LANGUAGE plpgsql SECURITY INVOKER ROWS 1
AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.workspace', $1::text, true);
    RETURN QUERY
    SELECT l.link_id, l.invoice_id, l.customer_id, l.contact_id, i.number, i.status, i.currency, i.total_minor,
           i.paid_minor, i.issue_date, i.due_date, i.version, i.buyer_name, i.changed_at,
           coalesce((SELECT k.locale FROM contact k
                     WHERE k.workspace_id = l.workspace_id AND k.contact_id = l.contact_id),
                    (SELECT c.locale FROM customer c
                     WHERE c.workspace_id = l.workspace_id AND c.customer_id = l.customer_id))
    FROM unnest($2) candidate (token_hash)
    CROSS JOIN LATERAL (
        SELECT * FROM link WHERE workspace_id = $1 AND token_hash = candidate.token_hash LIMIT 1
    ) l
    CROSS JOIN LATERAL (
        SELECT * FROM invoice WHERE workspace_id = l.workspace_id AND invoice_id = l.invoice_id LIMIT 1
    ) i
    WHERE l.revoked_at IS NULL AND l.expires_at > now() AND i.status <> 'draft';
END
$$;
