-- The request that showed the page: it leads from a view to the gateway's log.
ALTER TABLE invoice_view ADD COLUMN request_id text NOT NULL DEFAULT '' CHECK (char_length(request_id) <= 64);
