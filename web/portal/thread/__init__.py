"""The thread of an invoice as its page shows it, and the form that writes."""
