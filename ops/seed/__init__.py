"""Fills a database with the demo's workspaces and invoices; returns those that it has already."""

from ops.seed.write import SeedResult, seed

__all__ = ["SeedResult", "seed"]
