-- Opens an invoice with one look-up after the other. In one join of all tables the executor started a node for each table
-- and for each policy, most of them for a session that few visitors have: that took more than twice as long.

DROP FUNCTION open_link(uuid, bytea[]);
DROP FUNCTION open_invoice(uuid, bytea[], uuid, bytea[], interval);

-- Opens an invoice for a visitor in one round trip: by the token of a link, or by the session of a contact whose customer
-- it belongs to. Called as a statement of its own, the function binds the workspace, and the end of the statement unbinds
-- it. It runs with the rights of its caller, so that the policies apply. STABLE: all look-ups read one snapshot.
-- token_hashes: of the token under each secret in use, usually one; empty for own_invoice. session_hashes: of the cookie;
-- empty for a visitor whose cookie can have no session. Both are hashes of 32 bytes one after the other, and no arrays,
-- whose elements the driver checks one by one.
CREATE FUNCTION open_invoice(
    workspace uuid, token_hashes bytea, own_invoice uuid, session_hashes bytea, idle_limit interval
)
    RETURNS TABLE (
        link_id uuid, invoice_id uuid, customer_id uuid, contact_id uuid, number text, status text, currency text,
        total_minor bigint, paid_minor bigint, issue_date date, due_date date, version integer, buyer_name text,
        changed_at timestamptz, locale text, write_mode text, write_totp boolean, otp_policy text, epoch uuid,
        public_head bigint, session_id uuid, subject_kind text, subject_id text, browser_hash bytea, email_proven_at timestamptz,
        totp_proven_at timestamptz, session_used_at timestamptz, session_contact_id uuid, session_contact_name text,
        has_authenticator boolean
    )
    LANGUAGE plpgsql STABLE SECURITY INVOKER ROWS 1
AS $$
#variable_conflict error
DECLARE
    hash_bytes CONSTANT integer := 32;
    person_locale text;
    customer_mode text;
    customer_totp boolean;
    customer_policy text;
BEGIN
    PERFORM set_config('app.workspace', workspace::text, true);

    FOR at IN 1 .. length(token_hashes) BY hash_bytes LOOP
        SELECT l.link_id, l.invoice_id, l.contact_id INTO link_id, invoice_id, contact_id
        FROM link l
        WHERE l.workspace_id = workspace AND l.token_hash = substring(token_hashes FROM at FOR hash_bytes)
          AND l.revoked_at IS NULL AND l.expires_at > now();
        EXIT WHEN FOUND;
    END LOOP;
    invoice_id := coalesce(invoice_id, own_invoice);

    SELECT k.customer_id, k.number, k.status, k.currency, k.total_minor, k.paid_minor, k.issue_date, k.due_date, k.version,
           k.buyer_name, k.changed_at, k.write_mode, k.write_totp, k.otp_policy
    INTO customer_id, number, status, currency, total_minor, paid_minor, issue_date, due_date, version, buyer_name,
         changed_at, write_mode, write_totp, otp_policy
    FROM invoice k
    WHERE k.workspace_id = workspace AND k.invoice_id = open_invoice.invoice_id AND k.status <> 'draft';
    IF NOT FOUND THEN
        RETURN;
    END IF;

    FOR at IN 1 .. length(session_hashes) BY hash_bytes LOOP
        SELECT s.session_id, s.subject_kind, s.subject_id, s.browser_hash, s.email_proven_at, s.totp_proven_at, s.used_at
        INTO session_id, subject_kind, subject_id, browser_hash, email_proven_at, totp_proven_at, session_used_at
        FROM session s
        WHERE s.workspace_id = workspace AND s.reference_hash = substring(session_hashes FROM at FOR hash_bytes)
          AND s.revoked_at IS NULL AND s.expires_at > now() AND s.used_at > now() - idle_limit;
        EXIT WHEN FOUND;
    END LOOP;
    IF session_id IS NOT NULL THEN
        IF subject_kind = 'address' THEN
            SELECT k.contact_id, k.name, k.locale INTO session_contact_id, session_contact_name, person_locale
            FROM contact k
            WHERE k.workspace_id = workspace AND k.customer_id = open_invoice.customer_id AND k.email = open_invoice.subject_id;
        END IF;
        has_authenticator := EXISTS (
            SELECT FROM authenticator a
            WHERE a.workspace_id = workspace AND a.subject_kind = open_invoice.subject_kind
              AND a.subject_id = open_invoice.subject_id AND a.confirmed_at IS NOT NULL
        );
    END IF;
    -- Without a link, who has an authenticator must have used it.
    IF link_id IS NULL AND (session_contact_id IS NULL OR (has_authenticator AND totp_proven_at IS NULL)) THEN
        RETURN;
    END IF;

    SELECT coalesce(person_locale, k.locale), k.write_mode, k.write_totp, k.otp_policy
    INTO locale, customer_mode, customer_totp, customer_policy
    FROM customer k WHERE k.workspace_id = workspace AND k.customer_id = open_invoice.customer_id;
    SELECT coalesce(open_invoice.write_mode, customer_mode, k.write_mode),
           coalesce(open_invoice.write_totp, customer_totp, k.write_totp),
           coalesce(open_invoice.otp_policy, customer_policy, k.otp_policy)
    INTO write_mode, write_totp, otp_policy
    FROM workspace k WHERE k.workspace_id = workspace;
    SELECT s.epoch, s.public_head INTO epoch, public_head
    FROM live_stream s WHERE s.workspace_id = workspace AND s.stream_id = open_invoice.invoice_id;
    IF contact_id IS NOT NULL THEN
        SELECT coalesce(k.locale, open_invoice.locale) INTO locale
        FROM contact k WHERE k.workspace_id = workspace AND k.contact_id = open_invoice.contact_id;
    END IF;
    RETURN NEXT;
END
$$;
