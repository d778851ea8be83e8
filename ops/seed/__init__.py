"""Fills an empty database with the demo's workspaces and invoices."""
