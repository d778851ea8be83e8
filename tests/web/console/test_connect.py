"""The pages to which Stripe leads a business back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.ids import new_token
from kernel.store import Database
from tests.fakes.sample_workspaces import SampleWorkspace
from tests.fakes.scripted_stripe import Answer, ScriptedServer, build_settings, open_scripted_server
from tests.fakes.stripe_accounts import begin
from tests.fakes.stripe_bodies import build_account

HOST = "console.localhost"


@dataclass(frozen=True, slots=True)
class Return:
    """A business that comes back from Stripe."""

    visitor: Any
    token: str
    account_id: str
    server: ScriptedServer

    async def open(self, status: str = "active", *requirements: str, language: str = "en") -> Any:
        self.server.answers = [Answer(body=build_account(status, *requirements, id=self.account_id))]
        return await self.visitor.ask(f"/connect/return/{self.token}", HOST, accept_language=language)


@pytest.fixture
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """A server on loopback whose answers the test sets."""
    async with open_scripted_server() as server:
        yield server


@pytest.fixture
async def coming_back(
    make_portal: Any, scripted_server: ScriptedServer, tenants: Any, database: Database
) -> Return:
    tenant = await tenants.make()
    workspace = SampleWorkspace(
        tenant.profile.workspace_id, tenant.profile.slug, database, tenants.sealer, SystemClock()
    )
    token = new_token()
    connection = await begin(workspace, token)
    portal = make_portal(stripe=build_settings(scripted_server.url))
    return Return(portal.visitor(), token, connection.account_id, scripted_server)


@pytest.mark.parametrize(
    ("status", "requirements", "title"),
    [
        ("active", (), "Your account at Stripe is connected"),
        ("pending", (), "Stripe is checking your account"),
        ("restricted", ("document",), "Stripe still needs something from you"),
    ],
)
async def test_the_business_sees_what_stripe_says_of_its_account(
    coming_back: Return, status: str, requirements: tuple[str, ...], title: str
) -> None:
    answer = await coming_back.open(status, *requirements)
    assert answer.status_code == 200
    assert f"<h1>{title}</h1>" in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_it_is_said_in_the_language_of_the_browser(coming_back: Return) -> None:
    assert "Ihr Konto bei Stripe ist verbunden" in (await coming_back.open(language="de")).text


async def test_the_link_works_once_and_then_is_as_if_it_had_never_been(coming_back: Return) -> None:
    await coming_back.open()
    again = await coming_back.open()
    nobodys = await coming_back.visitor.ask(f"/connect/return/{new_token()}", HOST)
    broken = await coming_back.visitor.ask("/connect/return/x", HOST)
    assert (again.status_code, again.content) == (404, nobodys.content)
    assert broken.content == nobodys.content


async def test_who_cannot_go_on_at_stripe_is_told_what_to_do(coming_back: Return) -> None:
    answer = await coming_back.visitor.ask("/connect/expired", HOST)
    assert answer.status_code == 200
    assert "This link to Stripe has expired" in answer.text


async def test_without_a_key_of_stripe_there_is_no_way_back(make_portal: Any, tenants: Any) -> None:
    answer = await make_portal().visitor().ask(f"/connect/return/{new_token()}", HOST)
    assert answer.status_code == 404
