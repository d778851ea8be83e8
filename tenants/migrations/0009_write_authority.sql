-- Who may write comments: the invoice's setting, else the customer's, else the workspace's. Each level sets all three
-- columns or none.

ALTER TABLE workspace
    ADD COLUMN write_mode text NOT NULL DEFAULT 'link' CHECK (write_mode IN ('closed', 'link', 'otp', 'customer')),
    ADD COLUMN write_totp boolean NOT NULL DEFAULT false,
    ADD COLUMN otp_policy text NOT NULL DEFAULT 'any' CHECK (otp_policy IN ('any', 'contacts')),
    ADD CONSTRAINT workspace_write_totp CHECK (
        NOT write_totp OR write_mode = 'customer' OR (write_mode = 'otp' AND otp_policy = 'contacts'));

-- Where the workspace is told of new comments; empty: nowhere.
ALTER TABLE workspace ADD COLUMN email text NOT NULL DEFAULT '' CHECK (char_length(email) <= 320);

ALTER TABLE customer
    ADD COLUMN write_mode text CHECK (write_mode IN ('closed', 'link', 'otp', 'customer')),
    ADD COLUMN write_totp boolean,
    ADD COLUMN otp_policy text CHECK (otp_policy IN ('any', 'contacts')),
    ADD CONSTRAINT customer_write_authority CHECK (num_nulls(write_mode, write_totp, otp_policy) IN (0, 3)),
    ADD CONSTRAINT customer_write_totp CHECK (
        NOT write_totp OR write_mode = 'customer' OR (write_mode = 'otp' AND otp_policy = 'contacts'));

ALTER TABLE invoice
    ADD COLUMN write_mode text CHECK (write_mode IN ('closed', 'link', 'otp', 'customer')),
    ADD COLUMN write_totp boolean,
    ADD COLUMN otp_policy text CHECK (otp_policy IN ('any', 'contacts')),
    ADD CONSTRAINT invoice_write_authority CHECK (num_nulls(write_mode, write_totp, otp_policy) IN (0, 3)),
    ADD CONSTRAINT invoice_write_totp CHECK (
        NOT write_totp OR write_mode = 'customer' OR (write_mode = 'otp' AND otp_policy = 'contacts'));

-- The customer's home lists a customer's invoices, newest first.
CREATE INDEX invoice_of_customer_newest ON invoice (workspace_id, customer_id, created_at DESC, invoice_id DESC);
-- A person is found by address: a code is sent to it, and a session shows the invoices of its customers.
CREATE INDEX contact_by_email ON contact (workspace_id, email);
