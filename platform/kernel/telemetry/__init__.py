"""Logs, metrics (every series declared once), health."""
