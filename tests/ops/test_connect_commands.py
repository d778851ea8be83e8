"""portal connect: set an account up, see what Stripe says of it, disconnect it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from click.testing import CliRunner, Result

from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from kernel.store.roles import Urls
from ops.cli import portal
from tests.fakes.sample_workspaces import SampleWorkspace, create_sample_workspace
from tests.fakes.scripted_stripe import Answer, Request, ScriptedServer, open_scripted_server
from tests.fakes.stripe_bodies import build_account

Portal = Callable[..., Awaitable[Result]]
LINK = {"object": "v2.core.account_link", "account": "x", "url": "https://connect.example/s/1"}


@pytest.fixture
async def acme(database: Database, settings: Settings) -> SampleWorkspace:
    return await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())


@pytest.fixture
async def stripe(acme: SampleWorkspace) -> AsyncIterator[ScriptedServer]:
    """Stripe with one account, which takes cards."""
    account = build_account(id=f"acct_{acme.workspace_id.hex}")
    async with open_scripted_server() as server:

        def answer(request: Request) -> Answer:
            return Answer(body=LINK if request.path == "/v2/core/account_links" else account)

        server.answer = answer
        yield server


@pytest.fixture
def run_portal(urls: Urls, redis_url: str, acme: SampleWorkspace, stripe: ScriptedServer) -> Portal:
    """Run a command on the workspace, with Stripe's stand-in unless `is_connected` is False."""
    environ = {"PORTAL_PROFILE": "test", "PORTAL_DATABASE_URL": urls.app, "PORTAL_REDIS_URL": redis_url}
    keys = {
        "PORTAL_STRIPE_SECRET_KEY": "sk_test_portaltests",
        "PORTAL_STRIPE_PUBLISHABLE_KEY": "pk_test_portaltests",
        "PORTAL_STRIPE_ACCOUNT_WEBHOOK_SECRETS": "whsec_account",
        "PORTAL_STRIPE_CONNECT_WEBHOOK_SECRETS": "whsec_connect",
        "PORTAL_STRIPE_API_URL": stripe.url,
    }

    async def invoke(*words: str, has_key: bool = True) -> Result:
        arguments = [*words, "--workspace", acme.slug]
        env = environ | (keys if has_key else {})
        return await asyncio.to_thread(CliRunner().invoke, portal, arguments, env=env)

    return invoke


async def test_an_account_is_set_up_read_and_disconnected(run_portal: Portal, acme: SampleWorkspace) -> None:
    started = await run_portal("connect", "start", "--email", "owner@acme.example", "--json")
    assert json.loads(started.stdout) == {"url": "https://connect.example/s/1"}
    stored = json.loads((await run_portal("connect", "status", "--stored", "--json")).stdout)
    assert (stored["state"], stored["card_payments"]) == ("onboarding", "none")
    found = json.loads((await run_portal("connect", "status", "--json")).stdout)
    account_id = f"acct_{acme.workspace_id.hex}"
    assert (found["account"], found["mode"], found["state"], found["card_payments"]) == (
        account_id,
        "test",
        "active",
        "active",
    )
    assert (await run_portal("connect", "fee", "150")).exit_code == 0
    assert (await run_portal("connect", "disconnect")).stdout == f"disconnected  {account_id}\n"
    gone = await run_portal("connect", "status")
    assert gone.exit_code == 1
    assert "[connect.not_connected]" in gone.stderr


async def test_what_is_logged_is_no_part_of_the_result(
    run_portal: Portal, acme: SampleWorkspace, stripe: ScriptedServer
) -> None:
    await run_portal("connect", "start", "--email", "owner@acme.example", "--json")
    refusal = {"type": "invalid_request_error", "code": "account_invalid", "message": "x"}
    stripe.answer = lambda _: Answer(403, {"error": refusal})
    found = await run_portal("connect", "status", "--json")
    assert json.loads(found.stdout)["state"] == "revoked"
    assert "stripe request failed" in found.stderr


async def test_without_a_key_nothing_is_set_up(run_portal: Portal) -> None:
    result = await run_portal("connect", "start", has_key=False)
    assert result.exit_code == 1
    assert "PORTAL_STRIPE_SECRET_KEY is not set" in result.stderr
