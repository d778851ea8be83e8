"""The sandbox that the tests of its behaviours ask."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.stripe_payments import PaymentStage, open_stage


@pytest.fixture
async def stage() -> AsyncIterator[PaymentStage]:
    async with open_stage() as opened:
        yield opened
