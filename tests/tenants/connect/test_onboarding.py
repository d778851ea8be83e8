"""Connecting an account: a failure at any step is repeated without a second account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec
import pytest

from kernel.actor import Actor, ActorKind
from kernel.errors import Invalid, Missing, Unavailable
from kernel.store import fetch_value
from kernel.stripe_settings import StripeSettings
from tenants.connect import queries
from tenants.connect.accounts import read_account, register_payment_domain
from tenants.connect.client import Retries, StripeApi
from tenants.connect.onboarding import complete_onboarding, refresh_account, start_onboarding
from tenants.connect.values import CardCapability, Connection, ConnectionState, PaymentDomainState
from tests.fakes.sample_workspaces import SampleWorkspace
from tests.fakes.scripted_stripe import Answer, Request, ScriptedServer
from tests.fakes.stripe_accounts import connect
from tests.fakes.stripe_bodies import build_account

ACTOR = Actor(ActorKind.LINK_HOLDER, "tests")
DOWN = Answer(503, {"error": {"type": "api_error", "message": "x"}})
REFUSED_VALUES = Answer(
    400, {"error": {"type": "invalid_request_error", "code": "email_invalid", "message": "x"}}
)
REFUSED = Answer(403, {"error": {"type": "invalid_request_error", "code": "account_invalid", "message": "x"}})


class FakeStripe:
    """Accounts v2 by a script: what each path answers now."""

    def __init__(self, server: ScriptedServer) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests = server.requests
        server.answer = self.find_answer

    def find_answer(self, request: Request) -> Answer:
        return self.answers[f"{request.method} {urlsplit(request.path).path}"]

    def create(self, account_id: str) -> None:
        link = {"object": "v2.core.account_link", "account": account_id, "url": "https://connect.example/s/1"}
        self.answers |= {
            "POST /v2/core/accounts": Answer(body=build_account("restricted", "document", id=account_id)),
            "POST /v2/core/account_links": Answer(body=link),
        }

    def show(self, account_id: str, answer: Answer) -> None:
        self.answers[f"GET /v2/core/accounts/{account_id}"] = answer

    def read_last_body(self, path: str) -> dict[str, object]:
        body = [each.body for each in self.requests if each.path == path][-1]
        return msgspec.json.decode(body, type=dict[str, object])

    def read_body(self, path: str) -> dict[str, object]:
        body = next(each.body for each in self.requests if each.path == path)
        return msgspec.json.decode(body, type=dict[str, object])


@pytest.fixture
def fake(scripted_server: ScriptedServer) -> FakeStripe:
    return FakeStripe(scripted_server)


@pytest.fixture
async def api(stripe_settings: StripeSettings) -> AsyncIterator[StripeApi]:
    api = StripeApi(stripe_settings, retries=Retries(attempts=1))
    yield api
    await api.close()


@pytest.fixture
def account_id(acme: SampleWorkspace) -> str:
    return f"acct_{acme.workspace_id.hex}"


async def start(workspace: SampleWorkspace, api: StripeApi, email: str = "owner@acme.example") -> str:
    return await start_onboarding(
        workspace.database,
        api,
        workspace.workspace_id,
        is_live=False,
        build_console_url=lambda path: f"https://console.example{path}",
        sealer=workspace.sealer,
        email=email,
    )


def find_token(fake: FakeStripe) -> str:
    body = fake.read_body("/v2/core/account_links")
    case = msgspec.convert(body["use_case"], dict[str, object])
    urls = msgspec.convert(case["account_onboarding"], dict[str, str])
    assert urls["refresh_url"] == "https://console.example/connect/expired"
    return urls["return_url"].removeprefix("https://console.example/connect/return/")


async def complete(workspace: SampleWorkspace, api: StripeApi, token: str) -> Connection:
    return await complete_onboarding(
        workspace.database, api, token, actor=ACTOR, sealer=workspace.sealer, clock=workspace.clock
    )


async def test_the_business_owns_its_account_and_stripe_carries_fees_and_losses(
    acme: SampleWorkspace, api: StripeApi, fake: FakeStripe, account_id: str
) -> None:
    fake.create(account_id)
    assert await start(acme, api) == "https://connect.example/s/1"
    body = fake.read_body("/v2/core/accounts")
    assert body["dashboard"] == "full"
    assert body["defaults"] == {
        "responsibilities": {"fees_collector": "stripe", "losses_collector": "stripe"}
    }
    assert body["configuration"] == {"merchant": {"capabilities": {"card_payments": {"requested": True}}}}
    assert body["identity"] == {"country": "de"}
    assert body["contact_email"] == "owner@acme.example"


@pytest.mark.parametrize(("country", "email", "code"), [("Germany", "", "country"), ("DE", "", "email")])
async def test_what_stripe_needs_to_know_is_asked_before_anything_is_stored(
    acme: SampleWorkspace, api: StripeApi, fake: FakeStripe, *, country: str, email: str, code: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        await start_onboarding(
            acme.database,
            api,
            acme.workspace_id,
            is_live=False,
            build_console_url=str,
            sealer=acme.sealer,
            country=country,
            email=email,
        )
    assert refusal.value.code == f"connect.{code}"
    assert fake.requests == []
    async with acme.database.scope(acme.workspace_id):
        assert await queries.find_connection() is None


async def test_a_repetition_after_any_failure_goes_on_with_one_account(
    acme: SampleWorkspace, api: StripeApi, fake: FakeStripe, account_id: str
) -> None:
    fake.answers = {"POST /v2/core/accounts": DOWN}
    with pytest.raises(Unavailable):
        await start(acme, api)
    fake.create(account_id)
    fake.answers["POST /v2/core/account_links"] = DOWN
    with pytest.raises(Unavailable):
        await start(acme, api)
    fake.create(account_id)
    await start(acme, api)
    creations = [each for each in fake.requests if each.path == "/v2/core/accounts"]
    assert len(creations) == 2
    assert len({each.headers["idempotency-key"] for each in creations}) == 1


async def test_a_repetition_tells_stripe_the_same_until_it_has_answered(
    acme: SampleWorkspace, api: StripeApi, fake: FakeStripe, account_id: str
) -> None:
    """Stripe refuses other values under the key of a request that it has begun."""
    answers = [DOWN, REFUSED_VALUES]
    fake.create(account_id)
    emails = []
    for email in ("first@acme.example", "second@acme.example", "third@acme.example"):
        created = fake.answers["POST /v2/core/accounts"]
        fake.answers["POST /v2/core/accounts"] = answers.pop(0) if answers else created
        with suppress(Unavailable, Invalid):
            await start(acme, api, email)
        fake.create(account_id)
        emails.append(fake.read_last_body("/v2/core/accounts")["contact_email"])
    assert emails == ["first@acme.example", "first@acme.example", "third@acme.example"]
    keys = [each.headers["idempotency-key"] for each in fake.requests if each.path == "/v2/core/accounts"]
    assert keys[0] == keys[1] != keys[2]
    async with acme.database.scope(acme.workspace_id):
        assert (await queries.load_connection()).account_id == account_id
        assert await fetch_value("SELECT count(business) FROM stripe_connection") == 0


async def test_who_comes_back_finished_is_connected_and_the_link_is_used_up(
    acme: SampleWorkspace, api: StripeApi, fake: FakeStripe, account_id: str
) -> None:
    fake.create(account_id)
    await start(acme, api)
    token = find_token(fake)
    fake.show(account_id, Answer(body=build_account(id=account_id)))
    connection = await complete(acme, api, token)
    assert (connection.state, connection.card_capability) == (ConnectionState.ACTIVE, CardCapability.ACTIVE)
    with pytest.raises(Missing):
        await complete(acme, api, token)


async def test_who_comes_back_too_early_sees_what_is_missing(
    acme: SampleWorkspace, api: StripeApi, fake: FakeStripe, account_id: str
) -> None:
    fake.create(account_id)
    await start(acme, api)
    fake.show(account_id, Answer(body=build_account("restricted", "document", id=account_id)))
    connection = await complete(acme, api, find_token(fake))
    assert (connection.state, connection.requirements) == (ConnectionState.ONBOARDING, ("document",))


async def test_while_stripe_is_down_the_way_back_works_and_a_job_reads_the_account_later(
    acme: SampleWorkspace, api: StripeApi, fake: FakeStripe, account_id: str
) -> None:
    fake.create(account_id)
    await start(acme, api)
    fake.show(account_id, DOWN)
    connection = await complete(acme, api, find_token(fake))
    assert connection.state is ConnectionState.ONBOARDING
    async with acme.database.scope(acme.workspace_id):
        assert await fetch_value("SELECT count(*) FROM job WHERE kind = 'connect.refresh_account'") == 1


async def test_an_account_that_stripe_refuses_us_is_revoked_and_one_that_is_down_is_not(
    acme: SampleWorkspace, api: StripeApi, fake: FakeStripe
) -> None:
    connection = await connect(acme)
    fake.show(connection.account_id, DOWN)
    with pytest.raises(Unavailable):
        await refresh_account(acme.database, api, acme.workspace_id, connection.account_id, clock=acme.clock)
    async with acme.database.scope(acme.workspace_id):
        assert (await queries.load_connection()).state is ConnectionState.ACTIVE
    fake.show(connection.account_id, REFUSED)
    found = await refresh_account(
        acme.database, api, acme.workspace_id, connection.account_id, clock=acme.clock
    )
    assert found.state is ConnectionState.REVOKED


async def test_only_what_the_business_must_enter_is_a_requirement(api: StripeApi, fake: FakeStripe) -> None:
    entries = [
        {"awaiting_action_from": who, "description": name, "minimum_deadline": {"status": status}}
        for who, name, status in (
            ("user", "now", "currently_due"),
            ("user", "late", "past_due"),
            ("user", "some day", "eventually_due"),
            ("stripe", "review", "currently_due"),
        )
    ]
    fake.show("acct_1", Answer(body=build_account("pending", requirements={"entries": entries})))
    snapshot = await read_account(api, "acct_1")
    assert snapshot is not None
    assert (snapshot.card_capability, snapshot.requirements) == (CardCapability.PENDING, ("late", "now"))


async def test_an_account_that_is_no_merchant_takes_no_cards(api: StripeApi, fake: FakeStripe) -> None:
    fake.show("acct_1", Answer(body=build_account(configuration=None, requirements=None)))
    snapshot = await read_account(api, "acct_1")
    assert snapshot is not None
    assert (snapshot.card_capability, snapshot.requirements) == (CardCapability.NONE, ())


async def test_a_host_is_made_known_to_the_account_with_what_stripe_does_not_offer_there(
    api: StripeApi, fake: FakeStripe
) -> None:
    inactive = {"status": "inactive", "status_details": {"error_message": "no file"}}
    body = {
        "id": "pmd_1",
        "object": "payment_method_domain",
        "enabled": True,
        "domain_name": "pay.acme.example",
    }
    fake.answers["POST /v1/payment_method_domains"] = Answer(
        body=body | {"apple_pay": inactive, "google_pay": {"status": "active"}}
    )
    domain = await register_payment_domain(api, "acct_1", "pay.acme.example")
    assert (domain.provider_id, domain.state) == ("pmd_1", PaymentDomainState.ACTIVE)
    assert domain.problems == ("apple_pay: no file",)
    assert fake.requests[0].headers["stripe-account"] == "acct_1"
