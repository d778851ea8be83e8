"""Commands run in the process of the tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _restore_logging(restore_logging: None) -> None:
    """Restore how lines are logged: a command configures that for its process."""
