-- Customers of a workspace and their contacts.

CREATE TABLE customer (
    workspace_id uuid NOT NULL REFERENCES workspace (workspace_id),
    customer_id uuid NOT NULL,
    name text NOT NULL CHECK (name <> '' AND char_length(name) <= 500),
    street text NOT NULL DEFAULT '',
    additional text NOT NULL DEFAULT '',
    postal_code text NOT NULL DEFAULT '',
    city text NOT NULL DEFAULT '',
    subdivision text NOT NULL DEFAULT '',
    country text NOT NULL DEFAULT '' CHECK (country = '' OR country ~ '^[A-Z]{2}$'),
    vat_id text NOT NULL DEFAULT '',
    identifier text NOT NULL DEFAULT '',
    email text NOT NULL DEFAULT '',
    -- The language of pages and mails; null: the workspace's.
    locale text CHECK (locale <> ''),
    -- Identifies the buyer of an imported invoice: see tenants/customers/matching.py.
    match_key text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, customer_id)
);
CREATE INDEX customer_match ON customer (workspace_id, match_key, created_at);
CREATE INDEX customer_name ON customer (workspace_id, name, customer_id);

CREATE TABLE contact (
    workspace_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    name text NOT NULL DEFAULT '' CHECK (char_length(name) <= 500),
    email text NOT NULL CHECK (email <> '' AND email = lower(email)),
    locale text CHECK (locale <> ''),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, contact_id),
    CONSTRAINT contact_email UNIQUE (workspace_id, customer_id, email),
    -- The target of foreign keys that name a contact of a certain customer.
    CONSTRAINT contact_of_customer UNIQUE (workspace_id, customer_id, contact_id),
    FOREIGN KEY (workspace_id, customer_id) REFERENCES customer (workspace_id, customer_id) ON DELETE CASCADE
);
