"""The doctor asks Stripe whether it accepts the key."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import replace

import pytest

from kernel.settings import Profile, Settings
from ops.doctor.stripe_account import examine_stripe
from tests.fakes.scripted_stripe import Answer, build_settings, open_scripted_server
from tests.fakes.stripe_bodies import build_account

PRODUCTION = {
    "PORTAL_DATABASE_URL": "postgresql://portal_app@db/portal",
    "PORTAL_REDIS_URL": "redis://redis:6379/0",
    "PORTAL_SECRET_KEYS": "2026-03:" + urlsafe_b64encode(bytes(range(32))).decode(),
    "PORTAL_BASE_DOMAIN": "pay.example.com",
}


async def examine(answer: Answer, profile: Profile = Profile.TEST) -> tuple[list[str], list[str]]:
    """Return the problems and what passed, with a Stripe that gives this answer."""
    async with open_scripted_server() as server:
        server.answers = [answer]
        stripe = build_settings(server.url)
        settings = replace(Settings.from_environ(PRODUCTION), profile=profile, stripe=stripe)
        passed: list[str] = []
        problems = [finding.problem async for finding in examine_stripe(settings, passed.append)]
    return problems, passed


async def test_a_key_that_stripe_accepts_passes() -> None:
    body = {"data": [build_account()], "next_page_url": None, "previous_page_url": None}
    assert await examine(Answer(body=body)) == ([], ["Stripe accepts the key."])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(401, {"error": {"type": "invalid_request_error", "message": "x"}}), "key_refused"),
        (
            Answer(401, {"error": {"type": "invalid_request_error", "code": "api_key_expired"}}),
            "api_key_expired",
        ),
    ],
)
async def test_a_key_that_stripe_refuses_is_a_finding(answer: Answer, reason: str) -> None:
    problems, passed = await examine(answer)
    assert problems == [f"Stripe does not answer, or refuses the key: {reason}."]
    assert passed == []


async def test_test_keys_in_production_are_a_finding() -> None:
    problems, _ = await examine(Answer(body={"data": [], "next_page_url": None}), Profile.PRODUCTION)
    assert problems == ["The keys of Stripe are test keys: customers cannot pay with real cards."]


async def test_without_a_key_nothing_is_asked() -> None:
    settings = Settings.from_environ(PRODUCTION)
    assert [finding async for finding in examine_stripe(settings, lambda _: None)] == []
