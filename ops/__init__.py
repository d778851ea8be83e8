"""Runs, shows, measures and repairs the product; nothing imports it."""
