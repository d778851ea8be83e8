"""The command groups of `portal`, one module each, imported when one of its commands is called."""
