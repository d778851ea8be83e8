"""Settings of Stripe: keys, secrets of the webhooks, and where API and script are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from kernel.setting_reader import PREFIX, make_invalid_setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from kernel.setting_reader import SettingReader

API_URL: Final = "https://api.stripe.com"
# Stripe.js is released under the name of the API's major version (docs.stripe.com/sdks/stripejs-versioning).
SCRIPT_URL: Final = "https://js.stripe.com/endive/stripe.js"
_SCRIPT_SOURCES: Final = ("https://js.stripe.com", "https://*.js.stripe.com")
_FRAME_SOURCES: Final = (*_SCRIPT_SOURCES, "https://hooks.stripe.com")

_T = TypeVar("_T")

_VARIABLES: Final = (
    "stripe_secret_key",
    "stripe_publishable_key",
    "stripe_account_webhook_secrets",
    "stripe_connect_webhook_secrets",
    "stripe_api_url",
    "stripe_script_url",
)
STRIPE_VARIABLES: Final = tuple(PREFIX + name.upper() for name in _VARIABLES)

# Restricted keys (rk_) serve as well as secret ones.
_SECRET_KEY: Final = re.compile(r"(?:sk|rk)_(test|live)_[A-Za-z0-9_]{8,250}")
_PUBLISHABLE_KEY: Final = re.compile(r"pk_(test|live)_[A-Za-z0-9_]{8,250}")
_WEBHOOK_SECRET: Final = re.compile(r"whsec_[!-+\--~]{4,250}")  # printable, without the comma


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeSettings:
    """How the platform's account at Stripe is reached."""

    secret_key: str = field(repr=False)
    publishable_key: str
    is_live: bool
    """Whether the keys move real money."""
    account_webhook_secrets: tuple[str, ...] = field(repr=False)
    """Of the destination with scope "your account"; more than one while they are rotated."""
    connect_webhook_secrets: tuple[str, ...] = field(repr=False)
    """Of the destination with scope "connected accounts"."""
    api_url: str = API_URL
    script_url: str = SCRIPT_URL

    @property
    def script_sources(self) -> tuple[str, ...]:
        """Sources of scripts in the content security policy of a page that takes payments."""
        return _SCRIPT_SOURCES if self.script_url == SCRIPT_URL else (_read_origin(self.script_url),)

    @property
    def frame_sources(self) -> tuple[str, ...]:
        """Sources of frames: where the card is typed, and where the customer's bank asks."""
        if self.script_url == SCRIPT_URL:
            return _FRAME_SOURCES
        return tuple(dict.fromkeys((_read_origin(self.script_url), _read_origin(self.api_url))))

    @property
    def connect_sources(self) -> tuple[str, ...]:
        """Addresses that the script connects to."""
        return (_read_origin(self.api_url),)


def read_stripe_settings(read: SettingReader, *, is_production: bool) -> StripeSettings | None:
    """Return the settings of Stripe; None without a secret key: then nothing is paid by card.

    Invalid("settings.invalid") for keys of different modes, for a live key outside production, and for addresses that
    are not Stripe's in production or with a live key.
    """
    secret_key = read.optional("stripe_secret_key", _key_parser(_SECRET_KEY, "sk_test_… or sk_live_…"))
    if secret_key is None:
        return None
    is_live = _is_live(secret_key)
    if is_live and not is_production:
        raise make_invalid_setting("stripe_secret_key", "must be a test key in the demo and test profiles")
    publishable_key = _require(
        read, "stripe_publishable_key", _key_parser(_PUBLISHABLE_KEY, "pk_test_… or pk_live_…")
    )
    if _is_live(publishable_key) is not is_live:
        reason = f"must be of the same mode, test or live, as {PREFIX}STRIPE_SECRET_KEY"
        raise make_invalid_setting("stripe_publishable_key", reason)
    parse_url = _parse_any_url if not is_production and not is_live else None
    api_url = read.require("stripe_api_url", parse_url or _only_url_parser(API_URL), default=API_URL)
    default_script = SCRIPT_URL if api_url == API_URL else f"{api_url}/stripe.js"
    return StripeSettings(
        secret_key=secret_key,
        publishable_key=publishable_key,
        is_live=is_live,
        account_webhook_secrets=_require(read, "stripe_account_webhook_secrets", _parse_webhook_secrets),
        connect_webhook_secrets=_require(read, "stripe_connect_webhook_secrets", _parse_webhook_secrets),
        api_url=api_url,
        script_url=read.require(
            "stripe_script_url", parse_url or _only_url_parser(SCRIPT_URL), default=default_script
        ),
    )


def warn_without_key(names: set[str]) -> tuple[str, ...]:
    """Return a warning for each variable of Stripe that is set without a secret key."""
    if f"{PREFIX}STRIPE_SECRET_KEY" in names:
        return ()
    return tuple(
        f"{name} has no effect without {PREFIX}STRIPE_SECRET_KEY: nothing can be paid by card."
        for name in STRIPE_VARIABLES
        if name in names
    )


def _require(read: SettingReader, name: str, parse: Callable[[str], _T]) -> _T:
    value = read.optional(name, parse)
    if value is None:
        raise make_invalid_setting(name, f"is not set, and {PREFIX}STRIPE_SECRET_KEY is")
    return value


def _is_live(key: str) -> bool:
    return key.split("_")[1] == "live"


def _key_parser(pattern: re.Pattern[str], example: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"must be a key such as {example}")
        return text

    return parse


def _parse_webhook_secrets(text: str) -> tuple[str, ...]:
    secrets = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not secrets or not all(_WEBHOOK_SECRET.fullmatch(secret) for secret in secrets):
        raise ValueError("must be signing secrets separated by commas, each beginning with whsec_")
    return secrets


def _only_url_parser(url: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.rstrip("/") != url:
            raise ValueError(
                f"must be {url}: another address is for the demo and test profiles with test keys"
            )
        return url

    return parse


def _parse_any_url(text: str) -> str:
    message = "must be the url of Stripe's stand-in, such as http://127.0.0.1:8090"
    try:
        parts = urlsplit(text)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        raise ValueError(message) from None
    if not is_valid or parts.username or parts.query or parts.fragment:
        raise ValueError(message)
    return text.rstrip("/")


def _read_origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
