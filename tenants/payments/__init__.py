"""Payments of invoices: attempts to pay, and the ledger of what was paid."""
