-- Both columns in one direction, so that a page begins by one comparison of rows within the index.
DROP INDEX invoice_newest;
CREATE INDEX invoice_newest ON invoice (workspace_id, created_at DESC, invoice_id DESC);
