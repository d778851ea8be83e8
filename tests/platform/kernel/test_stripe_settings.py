"""The settings of Stripe: money moves only with keys of one mode, and only at Stripe itself."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest

from kernel.errors import Invalid
from kernel.settings import Settings

TEST_KEYS = {
    "PORTAL_STRIPE_SECRET_KEY": "sk_test_abcdefgh1234",
    "PORTAL_STRIPE_PUBLISHABLE_KEY": "pk_test_abcdefgh1234",
    "PORTAL_STRIPE_ACCOUNT_WEBHOOK_SECRETS": "whsec_account1",
    "PORTAL_STRIPE_CONNECT_WEBHOOK_SECRETS": "whsec_connect1, whsec_connect2",
}
LIVE_KEYS = TEST_KEYS | {
    "PORTAL_STRIPE_SECRET_KEY": "rk_live_abcdefgh1234",
    "PORTAL_STRIPE_PUBLISHABLE_KEY": "pk_live_abcdefgh1234",
}
PRODUCTION = {
    "PORTAL_DATABASE_URL": "postgresql://portal_app@db/portal",
    "PORTAL_REDIS_URL": "redis://redis:6379/0",
    "PORTAL_SECRET_KEYS": "2026-03:" + urlsafe_b64encode(bytes(range(32))).decode(),
    "PORTAL_BASE_DOMAIN": "pay.example.com",
}
DEMO = {"PORTAL_PROFILE": "demo"}
STAND_IN = {"PORTAL_STRIPE_API_URL": "http://127.0.0.1:8090/"}


def test_without_a_key_there_is_no_stripe() -> None:
    assert Settings.from_environ(PRODUCTION).stripe is None


def test_live_keys_lead_to_stripe_and_its_published_sources() -> None:
    stripe = Settings.from_environ(PRODUCTION | LIVE_KEYS).stripe
    assert stripe is not None
    assert stripe.is_live
    assert (stripe.api_url, stripe.script_url) == (
        "https://api.stripe.com",
        "https://js.stripe.com/endive/stripe.js",
    )
    assert stripe.script_sources == ("https://js.stripe.com", "https://*.js.stripe.com")
    assert stripe.frame_sources == (
        "https://js.stripe.com",
        "https://*.js.stripe.com",
        "https://hooks.stripe.com",
    )
    assert stripe.connect_sources == ("https://api.stripe.com",)
    assert stripe.connect_webhook_secrets == ("whsec_connect1", "whsec_connect2")


def test_a_demo_may_talk_to_a_stand_in() -> None:
    stripe = Settings.from_environ(DEMO | TEST_KEYS | STAND_IN).stripe
    assert stripe is not None
    assert not stripe.is_live
    assert stripe.api_url == "http://127.0.0.1:8090"
    assert stripe.script_url == "http://127.0.0.1:8090/stripe.js"
    assert (
        stripe.script_sources == stripe.frame_sources == stripe.connect_sources == ("http://127.0.0.1:8090",)
    )


def test_secrets_are_not_shown() -> None:
    shown = repr(Settings.from_environ(PRODUCTION | TEST_KEYS))
    assert "sk_test" not in shown
    assert "whsec" not in shown


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        (PRODUCTION | TEST_KEYS | STAND_IN, "PORTAL_STRIPE_API_URL"),
        (PRODUCTION | LIVE_KEYS | STAND_IN, "PORTAL_STRIPE_API_URL"),
        (
            PRODUCTION | TEST_KEYS | {"PORTAL_STRIPE_SCRIPT_URL": "https://evil.example/stripe.js"},
            "PORTAL_STRIPE_SCRIPT_URL",
        ),
        (DEMO | LIVE_KEYS, "PORTAL_STRIPE_SECRET_KEY"),
        (DEMO | LIVE_KEYS | STAND_IN, "PORTAL_STRIPE_SECRET_KEY"),
        (DEMO | TEST_KEYS | {"PORTAL_STRIPE_API_URL": "ftp://127.0.0.1"}, "PORTAL_STRIPE_API_URL"),
        (DEMO | TEST_KEYS | {"PORTAL_STRIPE_API_URL": "http://127.0.0.1:99999"}, "PORTAL_STRIPE_API_URL"),
        (
            PRODUCTION | TEST_KEYS | {"PORTAL_STRIPE_PUBLISHABLE_KEY": "pk_live_abcdefgh1234"},
            "PORTAL_STRIPE_PUBLISHABLE_KEY",
        ),
        (DEMO | TEST_KEYS | {"PORTAL_STRIPE_SECRET_KEY": "pk_test_abcdefgh1234"}, "PORTAL_STRIPE_SECRET_KEY"),
        (DEMO | TEST_KEYS | {"PORTAL_STRIPE_PUBLISHABLE_KEY": ""}, "PORTAL_STRIPE_PUBLISHABLE_KEY"),
        (
            DEMO | TEST_KEYS | {"PORTAL_STRIPE_CONNECT_WEBHOOK_SECRETS": ""},
            "PORTAL_STRIPE_CONNECT_WEBHOOK_SECRETS",
        ),
        (
            DEMO | TEST_KEYS | {"PORTAL_STRIPE_ACCOUNT_WEBHOOK_SECRETS": "whsec_ok,typo"},
            "PORTAL_STRIPE_ACCOUNT_WEBHOOK_SECRETS",
        ),
    ],
)
def test_what_could_move_money_wrongly_is_refused(environ: dict[str, str], variable: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Settings.from_environ(environ)
    assert refusal.value.code == "settings.invalid"
    assert refusal.value.data == {"variable": variable}
    assert "abcdefgh" not in refusal.value.message


def test_a_webhook_secret_without_a_key_is_warned_about() -> None:
    settings = Settings.from_environ(PRODUCTION | {"PORTAL_STRIPE_CONNECT_WEBHOOK_SECRETS": "whsec_left"})
    assert settings.stripe is None
    (warning,) = settings.warnings
    assert warning.startswith("PORTAL_STRIPE_CONNECT_WEBHOOK_SECRETS has no effect")
