"""A running renderer, one for all tests of a test process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kernel.telemetry.metrics import Metrics
from workers.pdf.renderer import Renderer


@pytest.fixture(scope="session")
async def renderer() -> AsyncIterator[Renderer]:
    """The renderer that most tests share; none of them may kill its browser."""
    renderer = Renderer(Metrics())
    await renderer.start()
    yield renderer
    await renderer.close()
