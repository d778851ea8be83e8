"""Accounts over the Stripe sandbox: from the first command to the last event, with no violation of the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from kernel.actor import Actor, ActorKind
from ops.sandbox.stripe.account_routes import AccountRoutes
from ops.sandbox.stripe.accounts import CapabilityStatus
from ops.sandbox.stripe.asgi import SandboxApp, serve
from ops.sandbox.stripe.contract import Contract
from tenants.connect.accounts import register_payment_domain
from tenants.connect.client import Retries, StripeApi
from tenants.connect.onboarding import complete_onboarding, refresh_account, start_onboarding
from tenants.connect.values import CardCapability, Connection, ConnectionState, PaymentDomainState
from tests.fakes.sample_workspaces import SampleWorkspace
from tests.fakes.scripted_stripe import build_settings

CONSOLE = "https://console.example"
ACTOR = Actor(ActorKind.LINK_HOLDER, "tests")


class NoEvents:
    """Takes the sandbox's events and delivers none: the product must cope without."""

    def emit_thin(self, event_type: str, account_id: str, data: dict[str, Any] | None = None) -> None:
        pass

    def emit_snapshot(self, event_type: str, account_id: str, body: dict[str, Any]) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Stage:
    """A workspace, and a business with a browser on Stripe's pages."""

    workspace: SampleWorkspace
    api: StripeApi
    routes: AccountRoutes
    browser: httpx.AsyncClient

    async def start(self) -> str:
        return await start_onboarding(
            self.workspace.database,
            self.api,
            self.workspace.workspace_id,
            is_live=False,
            build_console_url=lambda path: CONSOLE + path,
            sealer=self.workspace.sealer,
            email="owner@acme.example",
        )

    async def play(self, url: str, verb: str) -> str:
        """Do something on Stripe's pages; returns where they lead."""
        await self.browser.get(url)
        answer = await self.browser.post(url, data={"verb": verb})
        return str(answer.headers["location"])

    async def complete(self, location: str) -> Connection:
        return await complete_onboarding(
            self.workspace.database,
            self.api,
            location.removeprefix(f"{CONSOLE}/connect/return/"),
            actor=ACTOR,
            sealer=self.workspace.sealer,
            clock=self.workspace.clock,
        )

    async def connect(self) -> Connection:
        return await self.complete(await self.play(await self.start(), "finish"))

    async def refresh(self, connection: Connection) -> Connection:
        return await refresh_account(
            self.workspace.database,
            self.api,
            self.workspace.workspace_id,
            connection.account_id,
            clock=self.workspace.clock,
        )


@pytest.fixture
async def stage(acme: SampleWorkspace) -> AsyncIterator[Stage]:
    contract = Contract()
    routes = AccountRoutes(events=NoEvents(), read_clock=acme.clock.now)
    async with serve(SandboxApp([routes.router], contract=contract)) as url:
        api = StripeApi(build_settings(url), retries=Retries(attempts=1))
        async with httpx.AsyncClient() as browser:
            yield Stage(acme, api, routes, browser)
        await api.close()
    assert contract.violations == []
    assert contract.checked > 0


async def test_a_business_that_finishes_stripes_pages_takes_cards(stage: Stage) -> None:
    connection = await stage.connect()
    assert (connection.state, connection.card_capability) == (ConnectionState.ACTIVE, CardCapability.ACTIVE)
    assert connection.requirements == ()


async def test_a_business_that_leaves_goes_on_later_with_the_same_account(stage: Stage) -> None:
    first = await stage.complete(await stage.play(await stage.start(), "leave"))
    assert first.state is ConnectionState.ONBOARDING
    assert first.requirements
    second = await stage.complete(await stage.play(await stage.start(), "finish"))
    assert (second.account_id, second.state) == (first.account_id, ConnectionState.ACTIVE)
    assert len(stage.routes.accounts.accounts) == 1


async def test_a_business_that_stripe_rejects_takes_no_cards(stage: Stage) -> None:
    connection = await stage.complete(await stage.play(await stage.start(), "reject"))
    assert connection.card_capability is CardCapability.REJECTED


async def test_restriction_revocation_and_return_are_seen_when_the_account_is_read(stage: Stage) -> None:
    connection = await stage.connect()
    accounts = stage.routes.accounts
    accounts.set_capability(connection.account_id, CapabilityStatus.RESTRICTED)
    assert (await stage.refresh(connection)).card_capability is CardCapability.RESTRICTED
    accounts.deauthorise(connection.account_id)
    assert (await stage.refresh(connection)).state is ConnectionState.REVOKED
    accounts.authorise(connection.account_id)
    accounts.set_capability(connection.account_id, CapabilityStatus.ACTIVE)
    back = await stage.refresh(connection)
    assert (back.state, back.card_capability) == (ConnectionState.ACTIVE, CardCapability.ACTIVE)


async def test_a_host_is_registered_once_however_often_it_is_asked(stage: Stage) -> None:
    connection = await stage.connect()
    found = [
        await register_payment_domain(stage.api, connection.account_id, stage.workspace.host)
        for _ in range(2)
    ]
    assert found[0].state is PaymentDomainState.ACTIVE
    assert found[0].provider_id == found[1].provider_id
