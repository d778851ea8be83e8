"""The business of one workspace: no HTTP, no actors, no browser."""
