"""Fills a database with the demo's workspaces and invoices; finds them again when they are there already."""

from ops.seed.write import SeedResult, seed

__all__ = ["SeedResult", "seed"]
