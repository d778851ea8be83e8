"""A workspace that takes payments."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fakes.payment_scenes import PaymentScene, open_payment_scene
from tests.fakes.sample_workspaces import SampleWorkspace


@pytest.fixture
async def scene(acme: SampleWorkspace) -> AsyncIterator[PaymentScene]:
    """An invoice of 119 euros that can be paid by card, whole or in parts."""
    async with open_payment_scene(acme) as opened:
        yield opened
