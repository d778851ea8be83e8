-- Rendered PDFs: which blob holds a version in a language.

CREATE TABLE invoice_pdf (
    workspace_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    version integer NOT NULL,
    locale text NOT NULL CHECK (locale <> ''),
    -- A hash of everything that decides the bytes: content, brand, language, template, fonts, post-processing, Chromium.
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    -- Of the file: the name of its blob, and the ETag.
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    bytes bigint NOT NULL CHECK (bytes > 0),
    -- The final PDF of an issued version in a language: later changes of template, fonts or Chromium do not replace it.
    pinned boolean NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, invoice_id, version, locale, fingerprint),
    FOREIGN KEY (workspace_id, invoice_id, version)
        REFERENCES invoice_version (workspace_id, invoice_id, version) ON DELETE CASCADE
);
CREATE UNIQUE INDEX invoice_pdf_pinned ON invoice_pdf (workspace_id, invoice_id, version, locale) WHERE pinned;

CREATE TRIGGER invoice_pdf_immutable BEFORE UPDATE OR DELETE ON invoice_pdf
    FOR EACH ROW WHEN (OLD.pinned)
    EXECUTE FUNCTION refuse_change('the PDF of an issued version never changes');
