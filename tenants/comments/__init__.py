"""Comments: the thread of an invoice."""
