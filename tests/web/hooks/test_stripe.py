"""Deliveries of Stripe at the hooks surface: answered with a status alone, stored once, or nothing is stored."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.store import Database, execute, fetch
from kernel.store.roles import Urls
from kernel.stripe_settings import StripeSettings
from tests.fakes.forwarding import open_forwarder
from tests.fakes.stripe_deliveries import (
    ACCOUNT_SECRET,
    CONNECT_SECRET,
    build_event,
    build_thin_event,
    encode,
    make_account_id,
    make_intent_id,
    sign,
)

HOST = "hooks.localhost"
STRIPE = StripeSettings(
    secret_key="sk_test_hooks1234",
    publishable_key="pk_test_hooks1234",
    is_live=False,
    account_webhook_secrets=(ACCOUNT_SECRET,),
    connect_webhook_secrets=("whsec_before_rotation", CONNECT_SECRET),
)
NOW = SystemClock().now
ADD_CONNECTION = """
INSERT INTO stripe_connection (workspace_id, connection_id, account_id, is_live, state)
VALUES ($1, $2, $3, false, 'active')
"""
ADD_ATTEMPT = """
INSERT INTO payment_attempt (workspace_id, attempt_id, invoice_id, account_id, intent_id, nonce, currency, amount_minor,
                             state, payer_kind, payer_id)
VALUES ($1, $2, $3, $4, $5, 'click', 'EUR', 100, 'open', 'link_holder', '')
"""


@dataclass(frozen=True, slots=True)
class Hooks:
    """A gateway, and a workspace with a connected account."""

    portal: Any
    database: Database
    workspace_id: WorkspaceId
    account_id: str
    intent_id: str

    async def deliver(
        self,
        body: dict[str, Any] | bytes,
        *,
        to: str = "connect",
        secret: str = CONNECT_SECRET,
        signature: str | bytes | None = None,
        age: dt.timedelta = dt.timedelta(0),
    ) -> int:
        """Post a body as Stripe does; returns the status."""
        content = encode(body) if isinstance(body, dict) else body
        signature = sign(content, NOW() - age, secret) if signature is None else signature
        answer = await self.portal.visitor().ask(
            f"/stripe/{to}",
            HOST,
            method="POST",
            content=content,
            content_type="application/json",
            stripe_signature=signature,
        )
        assert answer.content == b""
        return int(answer.status_code)

    def event(self, **fields: Any) -> dict[str, Any]:
        """Return an event of the open payment of the connected account."""
        return build_event(self.account_id, NOW(), intent_id=self.intent_id, **fields)

    async def read_inbox(self) -> list[tuple[str, str, int]]:
        """Return what is stored: (event, subject, jobs of it)."""
        async with self.database.scope(self.workspace_id, read_only=True):
            rows = await fetch(
                "SELECT event_id, subject, (SELECT count(*) FROM job WHERE payload ->> 'event_id' = event_id) AS jobs"
                " FROM stripe_inbox ORDER BY received_at, event_id"
            )
        return [(row["event_id"], row["subject"], row["jobs"]) for row in rows]

    def count(self, result: str, scope: str = "connect") -> float:
        """Return how many deliveries had a result."""
        return float(self.portal.count("portal_stripe_deliveries_total", scope=scope, result=result))

    def refusals(self, reason: str, scope: str = "connect") -> float:
        """Return how many deliveries were refused for a reason."""
        return float(self.portal.count("portal_stripe_signature_failures_total", scope=scope, reason=reason))


async def connect(database: Database, tenant: Any) -> tuple[str, str]:
    """Give a workspace a connected account and an open payment there; returns the account and the intent."""
    workspace_id, account_id, intent_id = tenant.profile.workspace_id, make_account_id(), make_intent_id()
    async with database.scope(workspace_id):
        await execute(ADD_CONNECTION, workspace_id, new_id(), account_id)
        await execute(ADD_ATTEMPT, workspace_id, new_id(), tenant.invoice_id, account_id, intent_id)
    return account_id, intent_id


@pytest.fixture
async def hooks(make_portal: Any, database: Database, acme: Any) -> Hooks:
    """The gateway with secrets, and one connected workspace."""
    workspace_id = acme.profile.workspace_id
    return Hooks(make_portal(stripe=STRIPE), database, workspace_id, *await connect(database, acme))


async def test_an_event_is_stored_once_with_one_job_however_often_it_is_delivered(hooks: Hooks) -> None:
    event = hooks.event()
    assert await asyncio.gather(*(hooks.deliver(event) for _ in range(5))) == [200] * 5
    assert await hooks.read_inbox() == [(event["id"], "payment", 1)]
    assert (hooks.count("stored"), hooks.count("repeated")) == (1, 4)


async def test_a_thin_event_finds_its_workspace_by_the_account_it_is_about(hooks: Hooks) -> None:
    event = build_thin_event(hooks.account_id, NOW())
    assert await hooks.deliver(event, to="account", secret=ACCOUNT_SECRET) == 200
    assert await hooks.read_inbox() == [(event["id"], "account", 1)]
    assert hooks.count("stored", "account") == 1


async def test_while_secrets_rotate_both_are_good(hooks: Hooks) -> None:
    assert await hooks.deliver(hooks.event(), secret="whsec_before_rotation") == 200
    assert await hooks.deliver(hooks.event()) == 200
    assert hooks.count("stored") == 2


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"secret": "whsec_wrong"}, "signature"),
        ({"secret": ACCOUNT_SECRET}, "signature"),
        ({"age": dt.timedelta(minutes=6)}, "old"),
        ({"age": dt.timedelta(minutes=-6)}, "future"),
        ({"signature": ""}, "header"),
        ({"signature": "t=1,v1=é".encode("latin-1")}, "header"),
        ({"body": b""}, "body"),
        ({"body": b"{"}, "body"),
        ({"body": b'{"id": "\xff\xfe"}'}, "body"),
        ({"body": b"[" * 50_000}, "body"),
    ],
)
async def test_what_stripe_did_not_sign_just_now_is_a_400_that_is_counted(
    hooks: Hooks, said: dict[str, Any], reason: str
) -> None:
    body = said.pop("body", None)
    assert await hooks.deliver(hooks.event() if body is None else body, **said) == 400
    assert hooks.refusals(reason) == 1
    assert await hooks.read_inbox() == []


async def test_two_megabytes_are_refused_before_they_are_read(hooks: Hooks) -> None:
    assert await hooks.deliver(b"x" * 2_000_000) == 413
    assert await hooks.deliver(hooks.event(description="x" * 300_000)) == 413
    assert await hooks.read_inbox() == []


async def test_events_that_concern_nobody_here_are_accepted_and_leave_nothing(
    hooks: Hooks, svc: Database
) -> None:
    stranger = make_account_id()
    assert await hooks.deliver(build_event(stranger, NOW())) == 200
    assert await hooks.deliver(hooks.event(livemode=True)) == 200
    assert await hooks.deliver(hooks.event(type="balance.available")) == 200
    assert await hooks.deliver(build_event(None, NOW())) == 200
    assert await hooks.deliver(build_thin_event(hooks.account_id, NOW())) == 200
    assert await hooks.deliver(hooks.event(), to="account", secret=ACCOUNT_SECRET) == 200
    assert await hooks.deliver(build_event(hooks.account_id, NOW())) == 200
    assert (hooks.count("unknown_account"), hooks.count("other_livemode"), hooks.count("unused")) == (1, 1, 3)
    assert hooks.count("foreign") == 1
    assert hooks.count("unused", "account") == 1
    assert await hooks.read_inbox() == []
    async with svc.unbound():
        assert await fetch("SELECT 1 FROM stripe_inbox WHERE account_id = $1", stranger) == []


async def test_an_event_reaches_the_workspace_of_its_account_whatever_it_says_of_another(
    hooks: Hooks, tenants: Any
) -> None:
    tenant = await tenants.make()
    rival = tenant.profile.workspace_id
    theirs, intent_id = await connect(hooks.database, tenant)
    event = hooks.event()
    event["data"]["object"]["metadata"] = {"workspace_id": str(rival), "account": theirs}
    assert await hooks.deliver(event) == 200
    # Under another account the same payment is nobody's, and the same event id is another event.
    assert await hooks.deliver(event | {"account": theirs}) == 200
    assert hooks.count("foreign") == 1
    event["data"]["object"]["id"] = intent_id
    assert await hooks.deliver(event | {"account": theirs}) == 200
    assert await hooks.read_inbox() == [(event["id"], "payment", 1)]
    other = replace(hooks, workspace_id=rival)
    assert await other.read_inbox() == [(event["id"], "payment", 1)]


async def test_an_installation_without_stripe_accepts_nothing(make_portal: Any, hooks: Hooks) -> None:
    bare = replace(hooks, portal=make_portal(stripe=None))
    assert await bare.deliver(hooks.event()) == 400
    assert await bare.deliver(hooks.event(), secret="") == 400
    assert await hooks.read_inbox() == []


async def test_while_the_database_is_away_stripe_is_asked_to_come_again(
    hooks: Hooks, make_portal: Any, urls: Urls
) -> None:
    async with open_forwarder(urls.app) as forwarder:
        database = await Database.open(
            forwarder.url, size=1, name="away", acquire_timeout_s=1, command_timeout_s=0.3
        )
        gateway = replace(hooks, portal=make_portal(stripe=STRIPE, over=database), database=database)
        event = hooks.event()
        forwarder.stall()
        assert await gateway.deliver(event) == 503
        assert await hooks.read_inbox() == []
        forwarder.resume()
        assert await gateway.deliver(event) == 200
        await database.close()
    assert await hooks.read_inbox() == [(event["id"], "payment", 1)]


async def test_the_last_verified_delivery_of_each_scope_is_known(hooks: Hooks) -> None:
    before = NOW().timestamp()
    await hooks.deliver(build_event(make_account_id(), NOW()))
    await hooks.deliver(hooks.event(), to="account", secret="whsec_wrong")
    name = "portal_stripe_last_verified_timestamp_seconds"
    assert hooks.portal.count(name, scope="connect") >= before
    assert hooks.portal.count(name, scope="account") == 0
