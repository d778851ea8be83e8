"""The control interface of the Stripe sandbox over HTTP, its accounts, and its process."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from ops.sandbox.stripe.server import Sandbox
from ops.sandbox.stripe.state import load_state, save_state
from tests.fakes.stripe_hooks import open_receiver
from tests.fakes.stripe_payments import PaymentStage


class Remote:
    """The control interface of another process."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def play(self, verb: str, **fields: Any) -> str:
        answer = await self.client.post(f"/_sandbox/{verb}", json=fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json().get("id", ""))

    async def read(self, path: str) -> Any:
        return (await self.client.get(f"/_sandbox/{path}")).json()


@pytest.fixture
async def remote(stage: PaymentStage) -> AsyncIterator[Remote]:
    async with httpx.AsyncClient(base_url=stage.sandbox.base_url) as client:
        yield Remote(client)


async def test_the_control_plays_a_payment_and_what_follows(stage: PaymentStage, remote: Remote) -> None:
    token = await remote.play("create_confirmation_token", account=stage.account, card="sepa_debit")
    intent = await stage.create()
    await stage.client.v1.payment_intents.confirm_async(
        intent.id, {"confirmation_token": token, "return_url": "https://portal.example.com/"}, stage.options()
    )

    await remote.play("settle", intent=intent.id)
    charge = (await stage.read(intent.id)).latest_charge
    await remote.play("refund", charge=charge, amount=1500)
    dispute = await remote.play("open_dispute", charge=charge, amount=1000)
    await remote.play("win_dispute", dispute=dispute)

    books = (await remote.read(f"books/{stage.account}"))[intent.id]
    assert (books["charged"], books["refunded"], books["withdrawn"], books["reinstated"], books["net"]) == (
        5000,
        1500,
        1000,
        1000,
        3500,
    )
    assert (await remote.read("violations"))["violations"] == []


async def test_the_control_lets_payments_fail_by_bank_and_by_network(
    stage: PaymentStage, remote: Remote
) -> None:
    intent = await stage.pay("sepa_debit")

    await remote.play("fail", intent=intent.id)
    await remote.play("add_fault", kind="429", match="POST /v1/payment_intents")

    assert (await stage.read(intent.id)).status == "requires_payment_method"
    with pytest.raises(stripe.RateLimitError):
        await stage.create()


async def test_an_account_that_took_access_away_is_refused_and_says_so(
    stage: PaymentStage, remote: Remote
) -> None:
    intent = await stage.pay()

    await remote.play("deauthorise", account=stage.account)

    with pytest.raises(stripe.PermissionError) as refusal:
        await stage.read(intent.id)
    assert refusal.value.error is not None
    assert (refusal.value.http_status, refusal.value.error.code) == (403, "account_invalid")
    assert stage.sandbox.pending[-1][1]["type"] == "account.application.deauthorized"

    await remote.play("authorise", account=stage.account)
    assert (await stage.read(intent.id)).status == "succeeded"


async def test_an_account_that_exists_is_not_made_again(stage: PaymentStage, remote: Remote) -> None:
    await remote.play("set_capability", account=stage.account, status="rejected")

    assert await remote.play("create_account", account_id=stage.account) == stage.account

    account = stage.sandbox.accounts.accounts[stage.account]
    assert account.capabilities["card_payments"].value == "rejected"


@pytest.mark.parametrize(
    ("verb", "fields", "status"),
    [
        ("rob", {}, 404),
        ("settle", {}, 400),
        ("settle", {"intent": "pi_of_nobody"}, 404),
        ("add_fault", {"kind": "earthquake"}, 400),
        ("plan_deliveries", {"colour": "red"}, 400),
        ("set_capability", {"account": "acct_of_nobody", "status": "active"}, 400),
    ],
)
async def test_nonsense_is_refused(remote: Remote, verb: str, fields: dict[str, Any], status: int) -> None:
    answer = await remote.client.post(f"/_sandbox/{verb}", json=fields)

    assert answer.status_code == status, answer.text


async def test_forms_of_other_sites_play_nothing(stage: PaymentStage, remote: Remote) -> None:
    answer = await remote.client.post("/_sandbox/deauthorise", data={"account": stage.account})

    assert answer.status_code == 415
    assert stage.sandbox.accounts.accounts[stage.account].is_accessible


async def test_everything_is_kept_over_a_restart(stage: PaymentStage, tmp_path: Path) -> None:
    intent = await stage.pay("pm_card_createDispute")
    stage.sandbox.control.set_capability(stage.account, "pending")
    save_state(stage.sandbox, tmp_path / "state.json")

    again = Sandbox()
    load_state(again, tmp_path / "state.json")

    assert again.books.read(stage.account) == stage.sandbox.books.read(stage.account)
    assert again.store.find_intent(intent.id)[1] == stage.sandbox.store.find_intent(intent.id)[1]
    assert again.accounts.accounts == stage.sandbox.accounts.accounts
    assert again.pending == stage.sandbox.pending
    assert again.pending


async def test_the_process_serves_delivers_and_keeps_its_state(tmp_path: Path) -> None:
    async with open_receiver() as receiver:
        options = ["--hooks-url", receiver.base_url.replace("127.0.0.1", "hooks.localhost")]
        options += ["--account-secret", "whsec_1", "--connect-secret", "whsec_2"]
        options += ["--state", str(tmp_path / "state.json")]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ops.sandbox.stripe", *options, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        async with httpx.AsyncClient(base_url=url) as client:
            account = await Remote(client).play("create_account")
            await Remote(client).play("set_capability", account=account, status="pending")
            await receiver.wait(1)
        process.terminate()
        assert await process.wait() == 0

    assert receiver.received[0].path == "/stripe/account"
    assert receiver.received[0].is_signed_by("whsec_1")
    again = Sandbox()
    load_state(again, tmp_path / "state.json")
    assert again.accounts.accounts[account].capabilities["card_payments"].value == "pending"
