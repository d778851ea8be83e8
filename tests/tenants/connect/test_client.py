"""Requests to Stripe: repeated with the same key, bounded in time, and their errors by code."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import stripe

from kernel.errors import PortalError, Unavailable
from kernel.store import Database, StoreMisuse
from kernel.stripe_settings import StripeSettings
from tenants.connect.breaker import Breaker
from tenants.connect.client import API_VERSION, Retries, StripeApi
from tests.fakes.scripted_stripe import Answer, ScriptedServer

REFUND = {"id": "re_1", "object": "refund", "amount": 100}
PAUSE = timedelta(milliseconds=1)


def error(
    status: int, code: str | None = None, kind: str = "invalid_request_error", **headers: str
) -> Answer:
    body = {"error": {"type": kind, "message": "secret text of Stripe"} | ({"code": code} if code else {})}
    return Answer(status, body, headers)


@pytest.fixture
async def api(stripe_settings: StripeSettings) -> AsyncIterator[StripeApi]:
    api = StripeApi(stripe_settings, retries=Retries(attempts=3, first_pause=PAUSE), breaker=Breaker(limit=2))
    yield api
    await api.close()


async def write(api: StripeApi, account_id: str = "acct_1") -> Any:
    return await api.write(
        lambda client, options: client.v1.refunds.create_async({"payment_intent": "pi_1"}, options),
        key="ref:1",
        account_id=account_id,
    )


def test_the_sdk_speaks_the_version_that_we_read() -> None:
    assert stripe.api_version == API_VERSION


async def test_a_request_names_version_account_and_key(
    api: StripeApi, scripted_server: ScriptedServer
) -> None:
    scripted_server.answers = [Answer(body=REFUND)]
    refund = await write(api)
    assert refund.id == "re_1"
    sent = scripted_server.requests[0]
    assert (sent.method, sent.path, sent.body) == ("POST", "/v1/refunds", "payment_intent=pi_1")
    assert sent.headers["stripe-version"] == API_VERSION
    assert sent.headers["stripe-account"] == "acct_1"
    assert sent.headers["idempotency-key"] == "ref:1"
    assert sent.headers["authorization"] == "Bearer sk_test_portaltests"


@pytest.mark.parametrize(
    "first",
    [
        error(429),
        error(429, "lock_timeout"),
        error(409, "idempotency_key_in_use"),
        error(500, kind="api_error"),
        error(503, kind="api_error"),
        Answer(is_dropped=True),
    ],
    ids=["429", "lock", "key in use", "500", "503", "dropped"],
)
async def test_what_may_succeed_later_is_sent_again_with_the_same_key(
    api: StripeApi, scripted_server: ScriptedServer, first: Answer
) -> None:
    scripted_server.answers = [first, Answer(body=REFUND)]
    assert (await write(api)).id == "re_1"
    assert [each.headers["idempotency-key"] for each in scripted_server.requests] == ["ref:1", "ref:1"]


async def test_an_error_that_stripe_would_only_replay_is_not_repeated(
    api: StripeApi, scripted_server: ScriptedServer
) -> None:
    scripted_server.answers = [error(500, kind="api_error", **{"stripe-should-retry": "false"})]
    with pytest.raises(Unavailable):
        await write(api)
    assert len(scripted_server.requests) == 1


async def test_attempts_are_bounded_by_number_and_by_time(
    scripted_server: ScriptedServer, stripe_settings: StripeSettings
) -> None:
    scripted_server.answers = [error(429)]
    for retries, sent in ((Retries(attempts=3, first_pause=PAUSE), 3), (Retries(budget=timedelta()), 1)):
        api = StripeApi(stripe_settings, retries=retries)
        with pytest.raises(Unavailable):
            await write(api)
        await api.close()
        assert len(scripted_server.requests) == sent
        scripted_server.requests.clear()


@pytest.mark.parametrize("is_dripping", [False, True], ids=["silent", "dripping"])
async def test_an_answer_that_does_not_end_is_given_up(
    stripe_settings: StripeSettings, *, is_dripping: bool
) -> None:
    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" if is_dripping else b"")
        with contextlib.suppress(OSError):
            for _ in range(200):
                writer.write(b" " if is_dripping else b"")
                await asyncio.sleep(0.01)
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = replace(stripe_settings, api_url=f"http://127.0.0.1:{port}")
    api = StripeApi(settings, retries=Retries(attempts=1), timeout=timedelta(milliseconds=100))
    async with asyncio.timeout(1.5):
        with pytest.raises(Unavailable) as caught:
            await write(api)
    assert caught.value.code == "payment.provider_unavailable"
    await api.close()
    server.close()


async def test_a_request_within_a_unit_of_work_is_a_mistake(api: StripeApi, database: Database) -> None:
    async with database.unbound():
        with pytest.raises(StoreMisuse):
            await write(api)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error(429), "payment.provider_unavailable"),
        (error(500, kind="api_error"), "payment.provider_unavailable"),
        (error(403, "account_invalid"), "payment.account_revoked"),
        (error(403, "account_not_accessible"), "payment.account_revoked"),
        (error(401), "payment.provider_unavailable"),
        (error(403), "payment.provider_unavailable"),
        (error(404, "resource_missing"), "payment.not_at_provider"),
        (error(400, "payment_intent_unexpected_state"), "payment.changed"),
        (error(400, "amount_too_small"), "payment.amount_too_small"),
        (error(400, kind="idempotency_error"), "payment.refused"),
        (error(400, "parameter_unknown"), "payment.refused"),
        (error(404), "payment.refused"),
    ],
)
async def test_errors_are_told_apart_by_code_and_status(
    api: StripeApi, scripted_server: ScriptedServer, answer: Answer, code: str
) -> None:
    scripted_server.answers = [answer]
    with pytest.raises(PortalError) as caught:
        await write(api)
    assert caught.value.code == code
    assert "secret text" not in str(caught.value)
    assert "secret text" not in str(caught.value.data)


async def test_a_decline_is_left_to_the_caller(api: StripeApi, scripted_server: ScriptedServer) -> None:
    scripted_server.answers = [error(402, "card_declined", "card_error")]
    with pytest.raises(stripe.CardError):
        await write(api)


async def test_an_account_that_fails_is_left_alone_and_the_others_are_served(
    api: StripeApi, scripted_server: ScriptedServer
) -> None:
    scripted_server.answers = [error(503, kind="api_error")]
    for _ in range(2):
        with pytest.raises(Unavailable):
            await write(api)
    sent = len(scripted_server.requests)
    scripted_server.answers = [Answer(body=REFUND)]
    with pytest.raises(Unavailable) as caught:
        await write(api)
    assert caught.value.data == {"reason": "breaker_open"}
    assert len(scripted_server.requests) == sent
    assert (await write(api, "acct_2")).id == "re_1"
