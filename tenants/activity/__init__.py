"""Who did what: typed events, their order and hash chain, the audit log."""
