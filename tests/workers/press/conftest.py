"""A running press, one for all tests of a parallel worker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kernel.telemetry.metrics import Metrics
from workers.press.press import Press


@pytest.fixture(scope="session")
async def press() -> AsyncIterator[Press]:
    """The press that most tests share; none of them may kill its browser."""
    press = Press(Metrics())
    await press.start()
    yield press
    await press.close()
