-- Payments: attempts to pay, the ledger of what moved, refunds and disputes. What an invoice says about them are copies,
-- which triggers alone write.

ALTER TABLE workspace
    -- Whether money is real: cards are taken only if key and account agree.
    ADD COLUMN livemode boolean NOT NULL DEFAULT true,
    ADD COLUMN takes_part_payments boolean NOT NULL DEFAULT false,
    -- Where customers transfer money to, for invoices that name no account.
    ADD COLUMN bank_holder text NOT NULL DEFAULT '' CHECK (char_length(bank_holder) <= 200),
    ADD COLUMN bank_account text NOT NULL DEFAULT '' CHECK (char_length(bank_account) <= 50),
    ADD COLUMN bank_bic text NOT NULL DEFAULT '' CHECK (char_length(bank_bic) <= 11),
    ADD COLUMN bank_name text NOT NULL DEFAULT '' CHECK (char_length(bank_name) <= 200),
    ADD CONSTRAINT workspace_bank CHECK (bank_account <> '' OR bank_holder || bank_bic || bank_name = '');

ALTER TABLE invoice
    DROP CONSTRAINT invoice_paid_minor_check,
    -- Of the attempts that are under way: the sum of all, and of those that are confirmed but have no result yet.
    ADD COLUMN held_minor bigint NOT NULL DEFAULT 0 CHECK (held_minor >= 0),
    ADD COLUMN processing_minor bigint NOT NULL DEFAULT 0 CHECK (processing_minor >= 0),
    ADD COLUMN is_disputed boolean NOT NULL DEFAULT false;

CREATE TABLE payment_attempt (
    workspace_id uuid NOT NULL,
    attempt_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    -- The account at the provider to which the money goes, and the payment there.
    account_id text NOT NULL CHECK (account_id <> ''),
    intent_id text CHECK (intent_id <> ''),
    -- Of the click that made it.
    nonce text NOT NULL CHECK (char_length(nonce) BETWEEN 1 AND 100),
    currency text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    state text NOT NULL CHECK (state IN (
        'reserved', 'open', 'confirming', 'requires_action', 'processing', 'succeeded', 'failed', 'canceled')),
    method_type text NOT NULL DEFAULT '' CHECK (char_length(method_type) <= 50),
    is_redirect boolean NOT NULL DEFAULT false,
    failure_code text NOT NULL DEFAULT '' CHECK (char_length(failure_code) <= 100),
    decline_code text NOT NULL DEFAULT '' CHECK (char_length(decline_code) <= 100),
    -- It succeeded after it was given up, or for a void invoice.
    is_late boolean NOT NULL DEFAULT false,
    -- The provider no longer lets us see it.
    is_unreachable boolean NOT NULL DEFAULT false,
    payer_kind text NOT NULL,
    payer_id text NOT NULL,
    payer_name text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When it is given up; null: never, because it ended or the provider has it in hand.
    expires_at timestamptz,
    -- How often it was checked at the provider.
    checks integer NOT NULL DEFAULT 0 CHECK (checks >= 0),
    PRIMARY KEY (workspace_id, attempt_id),
    CONSTRAINT payment_attempt_nonce UNIQUE (workspace_id, invoice_id, nonce),
    CONSTRAINT payment_attempt_intent UNIQUE (workspace_id, account_id, intent_id),
    CONSTRAINT payment_attempt_of_invoice UNIQUE (workspace_id, invoice_id, attempt_id),
    CONSTRAINT payment_attempt_has_intent
        CHECK (intent_id IS NOT NULL OR state IN ('reserved', 'failed', 'canceled')),
    FOREIGN KEY (workspace_id, invoice_id) REFERENCES invoice (workspace_id, invoice_id)
);
CREATE INDEX payment_attempt_active ON payment_attempt (workspace_id, invoice_id)
    WHERE state IN ('reserved', 'open', 'confirming', 'requires_action', 'processing');

CREATE TABLE ledger_entry (
    workspace_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN (
        'charge', 'refund', 'refund_failed', 'dispute_withdrawn', 'dispute_reinstated', 'manual', 'credit')),
    -- Of the movement where it happened: the id of a charge, refund or balance transaction, or of a manual entry.
    source_id text NOT NULL CHECK (source_id <> '' AND char_length(source_id) <= 255),
    currency text NOT NULL,
    -- Signed: what came in is positive.
    amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
    -- Null for what did not happen at the provider.
    attempt_id uuid,
    reference text NOT NULL DEFAULT '' CHECK (char_length(reference) <= 200),
    occurred_at timestamptz NOT NULL,
    booked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, entry_id),
    CONSTRAINT ledger_entry_source UNIQUE (workspace_id, kind, source_id),
    CONSTRAINT ledger_entry_sign CHECK (CASE
        WHEN kind IN ('charge', 'refund_failed', 'dispute_reinstated') THEN amount_minor > 0
        WHEN kind IN ('refund', 'dispute_withdrawn') THEN amount_minor < 0
        ELSE true END),
    CONSTRAINT ledger_entry_attempt CHECK ((attempt_id IS NULL) = (kind IN ('manual', 'credit'))),
    FOREIGN KEY (workspace_id, invoice_id) REFERENCES invoice (workspace_id, invoice_id),
    FOREIGN KEY (workspace_id, invoice_id, attempt_id)
        REFERENCES payment_attempt (workspace_id, invoice_id, attempt_id)
);
CREATE INDEX ledger_entry_of_invoice ON ledger_entry (workspace_id, invoice_id, booked_at);

CREATE TABLE payment_refund (
    workspace_id uuid NOT NULL,
    refund_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    attempt_id uuid NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    -- `requested` until the provider has it; `refused` if it did not take it.
    state text NOT NULL CHECK (state IN ('requested', 'pending', 'succeeded', 'failed', 'canceled', 'refused')),
    source_id text CHECK (source_id <> ''),
    failure text NOT NULL DEFAULT '' CHECK (char_length(failure) <= 100),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, refund_id),
    CONSTRAINT payment_refund_source UNIQUE (workspace_id, source_id),
    FOREIGN KEY (workspace_id, invoice_id, attempt_id)
        REFERENCES payment_attempt (workspace_id, invoice_id, attempt_id)
);
CREATE INDEX payment_refund_of_attempt ON payment_refund (workspace_id, attempt_id);

CREATE TABLE payment_dispute (
    workspace_id uuid NOT NULL,
    dispute_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    attempt_id uuid NOT NULL,
    source_id text NOT NULL CHECK (source_id <> ''),
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    status text NOT NULL CHECK (status IN ('inquiry', 'open', 'won', 'lost', 'closed')),
    reason text NOT NULL DEFAULT '' CHECK (char_length(reason) <= 100),
    opened_at timestamptz NOT NULL,
    evidence_due_at timestamptz,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, dispute_id),
    CONSTRAINT payment_dispute_source UNIQUE (workspace_id, source_id),
    FOREIGN KEY (workspace_id, invoice_id, attempt_id)
        REFERENCES payment_attempt (workspace_id, invoice_id, attempt_id)
);
CREATE INDEX payment_dispute_of_invoice ON payment_dispute (workspace_id, invoice_id);

-- What was paid before there was a ledger becomes one entry of each invoice; `paid` is no status any more. Forced
-- row-level security would hold the owner too.
ALTER TABLE invoice NO FORCE ROW LEVEL SECURITY;
INSERT INTO ledger_entry (workspace_id, entry_id, invoice_id, kind, source_id, currency, amount_minor, occurred_at)
SELECT workspace_id, gen_random_uuid(), invoice_id, 'manual', 'before-ledger:' || invoice_id, currency, paid_minor, changed_at
FROM invoice WHERE paid_minor <> 0;
UPDATE invoice SET status = 'issued' WHERE status = 'paid';
ALTER TABLE invoice FORCE ROW LEVEL SECURITY;
-- The foreign keys of the new rows are checked before the table changes again.
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE invoice
    DROP CONSTRAINT invoice_status_check,
    ADD CONSTRAINT invoice_status_check CHECK (status IN ('draft', 'issued', 'void', 'written_off'));

CREATE TRIGGER invoice_begins_unpaid BEFORE INSERT ON invoice
    FOR EACH ROW WHEN (NEW.paid_minor <> 0 OR NEW.held_minor <> 0 OR NEW.processing_minor <> 0 OR NEW.is_disputed)
    EXECUTE FUNCTION refuse_change('an invoice begins with nothing paid');

CREATE TRIGGER ledger_entry_immutable BEFORE UPDATE OR DELETE ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change('the ledger is only added to');
CREATE TRIGGER ledger_entry_untruncatable BEFORE TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the ledger is only added to');

-- An intent never changes its attempt, an attempt never its amount, and what has succeeded stays so.
CREATE TRIGGER payment_attempt_final BEFORE UPDATE ON payment_attempt
    FOR EACH ROW WHEN (
        (NEW.workspace_id, NEW.attempt_id, NEW.invoice_id, NEW.account_id, NEW.nonce, NEW.currency, NEW.amount_minor)
            IS DISTINCT FROM
        (OLD.workspace_id, OLD.attempt_id, OLD.invoice_id, OLD.account_id, OLD.nonce, OLD.currency, OLD.amount_minor)
        OR (OLD.intent_id IS NOT NULL AND NEW.intent_id IS DISTINCT FROM OLD.intent_id)
        OR (OLD.state = 'succeeded' AND NEW.state <> 'succeeded')
    )
    EXECUTE FUNCTION refuse_change('invoice, account, intent and amount of an attempt are final, and so is success');

-- The copies. Their writers are role svc, so that app needs no right to change them. changed_at moves with each of them.
-- Another currency than the invoice's, and any of a draft, whose currency may change, finds no row and is refused.
CREATE FUNCTION portal_copy_paid() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    UPDATE invoice
    SET paid_minor = paid_minor + NEW.amount_minor,
        changed_at = greatest(clock_timestamp(), changed_at + interval '1 microsecond')
    WHERE workspace_id = NEW.workspace_id AND invoice_id = NEW.invoice_id AND currency = NEW.currency
      AND status <> 'draft';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no issued invoice in % is there to book for', NEW.currency USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER ledger_entry_copied AFTER INSERT ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION portal_copy_paid();

CREATE FUNCTION portal_copy_held() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    active CONSTANT text[] := ARRAY['reserved', 'open', 'confirming', 'requires_action', 'processing'];
    in_hand CONSTANT text[] := ARRAY['confirming', 'processing'];
    held bigint := CASE WHEN NEW.state = ANY (active) THEN NEW.amount_minor ELSE 0 END;
    processing bigint := CASE WHEN NEW.state = ANY (in_hand) THEN NEW.amount_minor ELSE 0 END;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        held := held - CASE WHEN OLD.state = ANY (active) THEN OLD.amount_minor ELSE 0 END;
        processing := processing - CASE WHEN OLD.state = ANY (in_hand) THEN OLD.amount_minor ELSE 0 END;
    END IF;
    IF held <> 0 OR processing <> 0 THEN
        UPDATE invoice
        SET held_minor = held_minor + held,
            processing_minor = processing_minor + processing,
            changed_at = greatest(clock_timestamp(), changed_at + interval '1 microsecond')
        WHERE workspace_id = NEW.workspace_id AND invoice_id = NEW.invoice_id AND currency = NEW.currency
          AND status <> 'draft';
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no issued invoice in % is there to pay', NEW.currency USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER payment_attempt_copied AFTER INSERT OR UPDATE ON payment_attempt
    FOR EACH ROW EXECUTE FUNCTION portal_copy_held();

CREATE FUNCTION portal_copy_disputed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    UPDATE invoice i
    SET is_disputed = found.is_disputed,
        changed_at = greatest(clock_timestamp(), i.changed_at + interval '1 microsecond')
    FROM (
        SELECT EXISTS (
            SELECT FROM payment_dispute
            WHERE workspace_id = NEW.workspace_id AND invoice_id = NEW.invoice_id AND status = 'open'
        ) AS is_disputed
    ) found
    WHERE i.workspace_id = NEW.workspace_id AND i.invoice_id = NEW.invoice_id
      AND i.is_disputed <> found.is_disputed;
    RETURN NULL;
END
$$;
CREATE TRIGGER payment_dispute_copied AFTER INSERT OR UPDATE ON payment_dispute
    FOR EACH ROW EXECUTE FUNCTION portal_copy_disputed();

DROP FUNCTION open_invoice(uuid, bytea, uuid, bytea, interval);

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
        total_minor bigint, paid_minor bigint, held_minor bigint, processing_minor bigint, is_disputed boolean,
        issue_date date, due_date date, version integer, buyer_name text, changed_at timestamptz, locale text,
        write_mode text, write_totp boolean, otp_policy text, epoch uuid,
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

    SELECT k.customer_id, k.number, k.status, k.currency, k.total_minor, k.paid_minor, k.held_minor,
           k.processing_minor, k.is_disputed, k.issue_date, k.due_date, k.version, k.buyer_name,
           k.changed_at, k.write_mode, k.write_totp, k.otp_policy
    INTO customer_id, number, status, currency, total_minor, paid_minor, held_minor, processing_minor, is_disputed,
         issue_date, due_date, version, buyer_name, changed_at, write_mode, write_totp, otp_policy
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
