"""Stripe as a scripted server, for what only the wire shows; the sandbox has the behaviour."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from kernel.stripe_settings import StripeSettings
from ops.sandbox.stripe.server import open_sandbox
from tenants.connect.client import Retries, StripeApi
from tenants.connect.processor import StripeProcessor
from tests.fakes.sandbox_payments import Stage
from tests.fakes.scripted_stripe import ScriptedServer, build_settings, open_scripted_server


@pytest.fixture
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """A server on loopback whose answers the test sets."""
    async with open_scripted_server() as server:
        yield server


@pytest.fixture
def stripe_settings(scripted_server: ScriptedServer) -> StripeSettings:
    """Settings of the scripted server."""
    return build_settings(scripted_server.url)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """An account at the sandbox; whatever crosses the wire is held to the SDK's types."""
    async with open_sandbox() as sandbox:
        retries = Retries(attempts=3, first_pause=timedelta(milliseconds=1))
        api = StripeApi(build_settings(sandbox.base_url), retries=retries)
        yield Stage(sandbox, StripeProcessor(api), sandbox.control.create_account())
        await api.close()
        assert list(sandbox.violations) == []
