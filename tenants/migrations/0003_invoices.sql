-- Invoices, their versions and the series that number them.

CREATE TABLE number_series (
    workspace_id uuid NOT NULL REFERENCES workspace (workspace_id),
    series text NOT NULL CHECK (series ~ '^[a-z0-9-]{1,40}$'),
    prefix text NOT NULL CHECK (char_length(prefix) <= 20),
    digits integer NOT NULL CHECK (digits BETWEEN 1 AND 12),
    next_number bigint NOT NULL CHECK (next_number >= 1),
    PRIMARY KEY (workspace_id, series)
);

CREATE TABLE invoice (
    workspace_id uuid NOT NULL REFERENCES workspace (workspace_id),
    invoice_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('draft', 'issued', 'paid', 'void', 'written_off')),
    -- Null for drafts; the series is also null where the number came with an imported document.
    number text CHECK (number <> '' AND char_length(number) <= 100),
    series text,
    version integer NOT NULL CHECK (version >= 1),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- Minor units. The amount due: with tax, less what was prepaid when the invoice was written.
    total_minor bigint NOT NULL,
    paid_minor bigint NOT NULL DEFAULT 0 CHECK (paid_minor >= 0),
    buyer_name text NOT NULL,
    issue_date date,
    due_date date,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    issued_at timestamptz,
    PRIMARY KEY (workspace_id, invoice_id),
    CONSTRAINT invoice_number UNIQUE (workspace_id, number),
    CONSTRAINT invoice_of_customer UNIQUE (workspace_id, customer_id, invoice_id),
    CONSTRAINT invoice_number_unless_draft
        CHECK ((status = 'draft') = (number IS NULL) AND (status = 'draft') = (issued_at IS NULL)),
    CONSTRAINT invoice_issue_date_unless_draft CHECK (status = 'draft' OR issue_date IS NOT NULL),
    FOREIGN KEY (workspace_id, customer_id) REFERENCES customer (workspace_id, customer_id),
    FOREIGN KEY (workspace_id, series) REFERENCES number_series (workspace_id, series)
);
-- Both columns in one direction, so that one comparison of rows within the index finds the start of a page.
CREATE INDEX invoice_newest ON invoice (workspace_id, created_at DESC, invoice_id DESC);
CREATE INDEX invoice_by_status ON invoice (workspace_id, status, due_date);

CREATE TABLE invoice_version (
    workspace_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    content jsonb NOT NULL,
    totals jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    -- Null while it is a draft and may still be overwritten.
    issued_at timestamptz,
    PRIMARY KEY (workspace_id, invoice_id, version),
    FOREIGN KEY (workspace_id, invoice_id) REFERENCES invoice (workspace_id, invoice_id) ON DELETE CASCADE
);

-- The version that an invoice names exists. Checked at commit, because each row refers to the other.
ALTER TABLE invoice
    ADD CONSTRAINT invoice_current_version_fkey FOREIGN KEY (workspace_id, invoice_id, version)
    REFERENCES invoice_version (workspace_id, invoice_id, version) DEFERRABLE INITIALLY DEFERRED;

CREATE FUNCTION refuse_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER invoice_version_immutable BEFORE UPDATE OR DELETE ON invoice_version
    FOR EACH ROW WHEN (OLD.issued_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change('an issued version never changes');

CREATE TRIGGER invoice_undeletable BEFORE DELETE ON invoice
    FOR EACH ROW WHEN (OLD.status <> 'draft')
    EXECUTE FUNCTION refuse_change('an issued invoice is void or written off, never deleted');

CREATE TRIGGER invoice_number_immutable BEFORE UPDATE ON invoice
    FOR EACH ROW WHEN (
        OLD.number IS NOT NULL
        AND (NEW.number, NEW.series, NEW.currency, NEW.issued_at)
            IS DISTINCT FROM (OLD.number, OLD.series, OLD.currency, OLD.issued_at)
    )
    EXECUTE FUNCTION refuse_change('number, series, currency and moment of issue are final');

-- The first running number from $4 on whose number, written as tenants.invoices.numbering.write_number does, no invoice
-- of the workspace has. VOLATILE: the query then has a snapshot of its own, taken after the caller has locked the series.
CREATE FUNCTION first_free_number(workspace uuid, prefix text, digits integer, start bigint) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY INVOKER
AS $$
    WITH RECURSIVE candidate (running) AS (
        SELECT $4
        UNION ALL
        SELECT c.running + 1 FROM candidate c
        CROSS JOIN LATERAL (
            SELECT FROM invoice
            WHERE workspace_id = $1
              AND number = $2 || lpad(c.running::text, greatest($3, length(c.running::text)), '0')
            LIMIT 1
        ) taken
    )
    SELECT max(running) FROM candidate
$$;
