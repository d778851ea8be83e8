"""Accounts, onboarding, domains and OAuth of the Stripe sandbox, asked by the real SDK over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import stripe
from stripe import RequestOptions
from stripe.events import V2CoreAccountIncludingConfigurationMerchantCapabilityStatusUpdatedEvent

from ops.sandbox.stripe.account_routes import AccountRoutes
from ops.sandbox.stripe.accounts import CapabilityStatus
from ops.sandbox.stripe.asgi import SandboxApp, serve
from ops.sandbox.stripe.contract import Contract
from ops.sandbox.stripe.thin_events import ThinEvents

RETURN = "https://console.example.com/connect/return/token"
REFRESH = "https://console.example.com/connect/refresh"
MERCHANT: dict[str, Any] = {
    "contact_email": "owner@example.com",
    "display_name": "Bäckerei Kamm",
    "dashboard": "full",
    "identity": {"country": "de"},
    "defaults": {
        "currency": "eur",
        "responsibilities": {"fees_collector": "stripe", "losses_collector": "stripe"},
    },
    "configuration": {"merchant": {"capabilities": {"card_payments": {"requested": True}}}},
    "include": ["configuration.merchant", "requirements", "defaults", "identity"],
}
CAPABILITY_EVENT = "v2.core.account[configuration.merchant].capability_status_updated"


@dataclass
class EventRecorder:
    """Keeps thin events as the sandbox does, and notes all events."""

    thin: ThinEvents
    events: list[tuple[str, str]] = field(default_factory=list)

    def emit_thin(self, event_type: str, account_id: str, data: dict[str, Any] | None = None) -> None:
        self.thin.emit_thin(event_type, account_id, data)
        self.events.append((event_type, account_id))

    def emit_snapshot(self, event_type: str, account_id: str, body: dict[str, Any]) -> None:
        self.events.append((event_type, account_id))


@dataclass
class Stage:
    client: stripe.StripeClient
    browser: httpx.AsyncClient
    routes: AccountRoutes
    events: list[tuple[str, str]]
    contract: Contract
    now: list[datetime]

    async def create_account(self, **changes: Any) -> Any:
        return await self.client.v2.core.accounts.create_async({**MERCHANT, **changes})  # type: ignore[arg-type]

    async def read_account(self, account_id: str) -> Any:
        return await self.client.v2.core.accounts.retrieve_async(account_id, {"include": MERCHANT["include"]})

    async def create_link(self, account_id: str) -> str:
        link = await self.client.v2.core.account_links.create_async(
            {
                "account": account_id,
                "use_case": {
                    "type": "account_onboarding",
                    "account_onboarding": {"refresh_url": REFRESH, "return_url": RETURN},
                },
            }
        )
        return link.url


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    contract, now = Contract(), [datetime(2026, 12, 1, 10, tzinfo=UTC)]
    thin = ThinEvents(deliver=contract.check_delivery, read_clock=lambda: now[0])
    recorder = EventRecorder(thin)
    routes = AccountRoutes(events=recorder, read_clock=lambda: now[0])
    async with serve(SandboxApp([routes.router, thin.router], contract=contract)) as url:
        http = stripe.HTTPXClient()
        client = stripe.StripeClient(
            "sk_test_platform", base_addresses={"api": url, "connect": url}, http_client=http
        )
        async with httpx.AsyncClient(base_url=url) as browser:
            yield Stage(client, browser, routes, recorder.events, contract, now)
        await http.close_async()  # type: ignore[no-untyped-call]
    assert contract.violations == []


def _card_status(account: Any) -> tuple[str, list[str]]:
    capability = account.configuration.merchant.capabilities.card_payments
    return capability.status, [detail.resolution for detail in capability.status_details]


async def test_a_new_account_cannot_take_cards_before_its_business_has_told_about_itself(
    stage: Stage,
) -> None:
    account = await stage.create_account()
    assert _card_status(account) == ("restricted", ["provide_info"])
    assert account.requirements.entries[0].awaiting_action_from == "user"
    assert account.defaults.responsibilities.losses_collector == "stripe"
    assert account.livemode is False
    assert stage.events == [("v2.core.account.created", account.id)]


async def test_what_is_not_included_is_null(stage: Stage) -> None:
    created = await stage.create_account(include=[])
    assert (created.configuration, created.requirements, created.defaults, created.identity) == (None,) * 4


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"identity": {}}, "identity_country_required"),
        ({"contact_email": ""}, "contact_email_required"),
        ({"dashboard": "half"}, "not_in_enum_field"),
        ({"iban": "DE"}, "unknown_field"),
    ],
)
async def test_an_account_that_stripe_would_not_make_is_refused(
    stage: Stage, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await stage.create_account(**changes)
    assert refused.value.error is not None
    assert refused.value.error.code == code
    assert stage.events == []


async def test_finished_onboarding_makes_the_capability_active_and_leads_back(stage: Stage) -> None:
    account = await stage.create_account()
    url = await stage.create_link(account.id)
    page = await stage.browser.get(url)
    assert "Bäckerei Kamm" in page.text
    done = await stage.browser.post(url, data={"verb": "finish"})
    assert (done.status_code, done.headers["location"]) == (303, RETURN)
    after = await stage.read_account(account.id)
    assert _card_status(after) == ("active", [])
    assert after.requirements.entries == []
    assert (CAPABILITY_EVENT, account.id) in stage.events


@pytest.mark.parametrize(
    ("verb", "status"),
    [("leave", ("restricted", ["provide_info"])), ("reject", ("rejected", ["contact_stripe"]))],
)
async def test_a_business_that_leaves_or_is_rejected_comes_back_without_cards(
    stage: Stage, verb: str, status: tuple[str, list[str]]
) -> None:
    account = await stage.create_account()
    url = await stage.create_link(account.id)
    await stage.browser.get(url)
    done = await stage.browser.post(url, data={"verb": verb})
    assert done.headers["location"] == RETURN
    assert _card_status(await stage.read_account(account.id)) == status


async def test_an_onboarding_link_works_once(stage: Stage) -> None:
    url = await stage.create_link((await stage.create_account()).id)
    assert (await stage.browser.get(url)).status_code == 200
    again = await stage.browser.get(url)
    assert (again.status_code, again.headers["location"]) == (303, REFRESH)


async def test_an_onboarding_link_that_is_too_old_leads_to_the_refresh_address(stage: Stage) -> None:
    url = await stage.create_link((await stage.create_account()).id)
    stage.now[0] += timedelta(minutes=5)
    assert (await stage.browser.get(url)).headers["location"] == REFRESH


@pytest.mark.parametrize("status", list(CapabilityStatus))
async def test_the_control_changes_a_capability_and_says_so_once(
    stage: Stage, status: CapabilityStatus
) -> None:
    account = await stage.create_account()
    stage.routes.accounts.set_capability(account.id, CapabilityStatus.PENDING)
    stage.events.clear()
    for _ in range(2):
        stage.routes.accounts.set_capability(account.id, status)
    assert _card_status(await stage.read_account(account.id))[0] == status
    assert stage.events == ([] if status is CapabilityStatus.PENDING else [(CAPABILITY_EVENT, account.id)])


async def test_an_account_can_be_renamed_listed_and_closed(stage: Stage) -> None:
    first, second = await stage.create_account(), await stage.create_account()
    accounts = stage.client.v2.core.accounts
    assert (await accounts.update_async(first.id, {"display_name": "Kamm GmbH"})).display_name == "Kamm GmbH"
    page = await accounts.list_async({"limit": 1})
    assert [one.id async for one in page.auto_paging_iter()] == [second.id, first.id]
    assert (await accounts.close_async(second.id, {"applied_configurations": ["merchant"]})).closed is True
    assert [one.id for one in (await accounts.list_async()).data] == [first.id]


async def test_a_deauthorised_account_is_out_of_reach_until_it_is_connected_again(stage: Stage) -> None:
    account = await stage.create_account()
    stage.routes.accounts.deauthorise(account.id)
    assert stage.events[-1] == ("account.application.deauthorized", account.id)
    with pytest.raises(stripe.PermissionError):
        await stage.read_account(account.id)
    refusal = stage.routes.accounts.explain_refusal(account.id)
    assert refusal is not None
    assert (refusal.status, refusal.body["error"]["code"]) == (403, "account_invalid")
    stage.routes.accounts.authorise(account.id)
    assert (await stage.read_account(account.id)).id == account.id


async def test_a_domain_belongs_to_one_account(stage: Stage) -> None:
    domains = stage.client.v1.payment_method_domains
    first: RequestOptions = {"stripe_account": "acct_1"}
    made = await domains.create_async({"domain_name": "pay.example.com"}, first)
    again = await domains.create_async({"domain_name": "pay.example.com"}, first)
    assert (made.id, made.apple_pay.status) == (again.id, "active")
    assert len((await domains.list_async({"domain_name": "pay.example.com"}, first)).data) == 1
    assert (await domains.list_async(None, {"stripe_account": "acct_2"})).data == []
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await domains.retrieve_async(made.id, None, {"stripe_account": "acct_2"})
    assert refused.value.code == "resource_missing"


async def test_a_domain_that_stripe_cannot_verify_says_why(stage: Stage) -> None:
    domains = stage.client.v1.payment_method_domains
    options: RequestOptions = {"stripe_account": "acct_1"}
    made = await domains.create_async({"domain_name": "pay.example.com"}, options)
    stage.routes.domains.find("acct_1", made.id).problem = "The file was not found."
    checked = await domains.validate_async(made.id, None, options)
    assert checked.apple_pay.status == "inactive"
    assert checked.apple_pay.status_details is not None
    assert checked.apple_pay.status_details.error_message == "The file was not found."
    with pytest.raises(stripe.InvalidRequestError):
        await domains.create_async({"domain_name": "not a domain"}, options)


async def _consent(stage: Stage, account_id: str) -> dict[str, list[str]]:
    asked = stage.client.oauth.authorize_url(
        {"client_id": "ca_1", "scope": "read_write", "state": "a&b", "redirect_uri": f"{RETURN}?x=1"}
    )
    page = await stage.browser.get(asked)
    assert "Invoice Portal asks" in page.text
    fields = {"redirect_uri": f"{RETURN}?x=1", "state": "a&b", "account": account_id}
    done = await stage.browser.post("/oauth/authorize", data=fields)
    return parse_qs(urlsplit(done.headers["location"]).query)


async def _ask_oauth(stage: Stage, path: str, **fields: str) -> httpx.Response:
    # The SDK's OAuth has no asynchronous form.
    return await stage.browser.post(path, data=fields, headers={"authorization": "Bearer sk_test_platform"})


async def test_oauth_gives_the_account_for_a_code_that_works_once(stage: Stage) -> None:
    account = await stage.create_account()
    came = await _consent(stage, account.id)
    assert (came["state"], came["x"]) == (["a&b"], ["1"])
    [code] = came["code"]
    token = await _ask_oauth(stage, "/oauth/token", grant_type="authorization_code", code=code)
    assert token.json()["stripe_user_id"] == account.id
    again = await _ask_oauth(stage, "/oauth/token", grant_type="authorization_code", code=code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


async def test_a_business_may_deny_or_end_the_connection(stage: Stage) -> None:
    account = await stage.create_account()
    assert (await _consent(stage, ""))["error"] == ["access_denied"]
    ended = await _ask_oauth(stage, "/oauth/deauthorize", client_id="ca_1", stripe_user_id=account.id)
    assert ended.json() == {"stripe_user_id": account.id}
    with pytest.raises(stripe.PermissionError):
        await stage.read_account(account.id)
    again = await _ask_oauth(stage, "/oauth/deauthorize", client_id="ca_1", stripe_user_id=account.id)
    assert again.json()["error"] == "invalid_client"


async def test_a_thin_event_is_asked_for_by_its_id(stage: Stage) -> None:
    account = await stage.create_account()
    stage.routes.accounts.set_capability(account.id, CapabilityStatus.ACTIVE)
    events = (await stage.client.v2.core.events.list_async({"object_id": account.id})).data
    assert [event.type for event in events] == [CAPABILITY_EVENT, "v2.core.account.created"]
    event = await stage.client.v2.core.events.retrieve_async(events[0].id)
    assert isinstance(event, V2CoreAccountIncludingConfigurationMerchantCapabilityStatusUpdatedEvent)
    assert event.data.updated_capability == "card_payments"
    assert event.related_object.id == account.id


@pytest.mark.parametrize("key", ["sk_live_x", "pk_test_x", "nonsense"])
async def test_only_secret_test_keys_are_taken(stage: Stage, key: str) -> None:
    answer = await stage.browser.get("/v2/core/accounts", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 401
