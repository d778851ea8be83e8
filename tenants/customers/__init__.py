"""Customers of a workspace and their contacts."""
