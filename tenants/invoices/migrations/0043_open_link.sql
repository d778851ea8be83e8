-- Opens a link in one round trip: called as a statement of its own, the function binds the workspace, and the end
-- of the statement unbinds it. It runs with the rights of its caller, so that the policies decide as always.
-- $2: the hash of the token under each secret that is still in use: the current one, as a rule.
-- LIMIT and the sub-selects make each look-up start from one hash and the link that was found: as plain joins and
-- as ANY they were planned by workspace alone where most workspaces are small, and read all links of a large one.
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
    FROM unnest($2) asked (token_hash)
    CROSS JOIN LATERAL (
        SELECT * FROM link WHERE workspace_id = $1 AND token_hash = asked.token_hash LIMIT 1
    ) l
    CROSS JOIN LATERAL (
        SELECT * FROM invoice WHERE workspace_id = l.workspace_id AND invoice_id = l.invoice_id LIMIT 1
    ) i
    WHERE l.revoked_at IS NULL AND l.expires_at > now() AND i.status <> 'draft';
END
$$;
