"""Postgres: engine, unit of work, workspace scope, migrations, policies."""
