"""Workspaces: brand, locale, time zone, currency, portal domains."""
