"""The environment becomes settings, or one sentence that names the variable and the cure."""

import dataclasses
from base64 import urlsafe_b64encode
from ipaddress import ip_network

import pytest

from kernel.errors import Invalid
from kernel.setting_parsers import DEMO_SECRET
from kernel.settings import Profile, Settings, list_variables
from kernel.stripe_settings import STRIPE_VARIABLES

KEY = bytes(range(32))
PRODUCTION = {
    "PORTAL_DATABASE_URL": "postgresql://portal_app:hunter2@db.internal/portal",
    "PORTAL_REDIS_URL": "redis://:hunter2@redis.internal:6379/0",
    "PORTAL_SECRET_KEYS": "2026-03:" + urlsafe_b64encode(KEY).decode(),
    "PORTAL_BASE_DOMAIN": "Pay.Example.com.",
}


def read_error(**environ: str) -> Invalid:
    with pytest.raises(Invalid) as refusal:
        Settings.from_environ(environ)
    assert refusal.value.code == "settings.invalid"
    return refusal.value


def test_production_is_the_default_and_needs_little() -> None:
    settings = Settings.from_environ(PRODUCTION)
    assert settings.profile is Profile.PRODUCTION
    assert settings.secret_keys == (("2026-03", KEY),)
    assert settings.base_domain == "pay.example.com"
    assert (settings.public_scheme, settings.public_port) == ("https", None)
    assert (settings.host, settings.port, settings.metrics_host, settings.metrics_port) == (
        "127.0.0.1",
        8000,
        "127.0.0.1",
        9100,
    )
    assert (settings.pool_size, settings.log_level, settings.page_limit_per_minute) == (10, "info", 240)
    assert settings.trusted_proxies == ()
    assert (settings.smtp_url, settings.mail_from) == (None, "no-reply@pay.example.com")
    assert settings.warnings == ()


def test_each_surface_has_a_host_beneath_the_base_domain_unless_another_is_given() -> None:
    settings = Settings.from_environ(PRODUCTION)
    assert (settings.console_host, settings.api_host, settings.hooks_host) == (
        "console.pay.example.com",
        "api.pay.example.com",
        "hooks.pay.example.com",
    )
    chosen = Settings.from_environ(PRODUCTION | {"PORTAL_CONSOLE_HOST": "Members.Vendor.example."})
    assert chosen.console_host == "members.vendor.example"
    assert chosen.reserved_hosts == {
        "members.vendor.example",
        "api.pay.example.com",
        "hooks.pay.example.com",
    }


@pytest.mark.parametrize(
    ("name", "host", "other"),
    [
        ("PORTAL_CONSOLE_HOST", "pay.example.com", "PORTAL_BASE_DOMAIN"),
        ("PORTAL_HOOKS_HOST", "API.pay.example.com", "PORTAL_API_HOST"),
        ("PORTAL_API_HOST", "console.pay.example.com", "PORTAL_CONSOLE_HOST"),
    ],
)
def test_two_surfaces_never_share_a_host_nor_take_the_base_domain(name: str, host: str, other: str) -> None:
    refusal = read_error(**(PRODUCTION | {name: host}))
    assert refusal.data == {"variable": name}
    assert refusal.message == f"{name} must differ from {other}; both are {host.lower()}."


@pytest.mark.parametrize("name", ["PORTAL_CONSOLE_HOST", "PORTAL_API_HOST", "PORTAL_HOOKS_HOST"])
@pytest.mark.parametrize(
    "host",
    [
        "console",
        "https://console.example.com",
        "console.example.com:443",
        "10.0.0.1",
        "a..b",
        "*.b.c",
        "é.fr",
    ],
)
def test_the_host_of_a_surface_is_a_name_of_two_labels_or_more(name: str, host: str) -> None:
    assert read_error(**(PRODUCTION | {name: host})).data == {"variable": name}


@pytest.mark.parametrize("profile", ["demo", "test"])
def test_demo_and_test_need_nothing_else(profile: str) -> None:
    settings = Settings.from_environ({"PORTAL_PROFILE": profile, "PORTAL_PUBLIC_SCHEME": "http"})
    assert settings.secret_keys == ((profile, DEMO_SECRET),)
    assert settings.base_domain == "localhost"
    assert settings.public_scheme == "http"


@pytest.mark.parametrize("name", ["PORTAL_DATABASE_URL", "PORTAL_REDIS_URL", "PORTAL_SECRET_KEYS"])
def test_production_has_no_default_for_what_must_be_chosen(name: str) -> None:
    for environ in (
        {key: value for key, value in PRODUCTION.items() if key != name},
        PRODUCTION | {name: "  "},
    ):
        refusal = read_error(**environ)
        assert refusal.data == {"variable": name}
        assert "is not set" in refusal.message


@pytest.mark.parametrize("secret", [DEMO_SECRET, bytes(32), b"a" * 32])
def test_production_refuses_a_secret_that_everybody_knows(secret: bytes) -> None:
    keys = "a:" + urlsafe_b64encode(KEY).decode() + ",b:" + urlsafe_b64encode(secret).decode()
    assert "well-known key" in read_error(**PRODUCTION | {"PORTAL_SECRET_KEYS": keys}).message
    assert len(Settings.from_environ({"PORTAL_PROFILE": "demo", "PORTAL_SECRET_KEYS": keys}).secret_keys) == 2


def test_production_refuses_plain_http() -> None:
    assert "https" in read_error(**PRODUCTION | {"PORTAL_PUBLIC_SCHEME": "http"}).message


def test_the_first_key_is_the_current_one_and_padding_does_not_matter() -> None:
    older, newer = urlsafe_b64encode(KEY).decode(), urlsafe_b64encode(KEY[::-1]).decode().rstrip("=")
    settings = Settings.from_environ(PRODUCTION | {"PORTAL_SECRET_KEYS": f"new:{newer}, old:{older}"})
    assert settings.secret_keys == (("new", KEY[::-1]), ("old", KEY))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROFILE", "prod"),
        ("DATABASE_URL", "mysql://x/y"),
        ("DATABASE_OWNER_URL", "db.internal"),
        ("DATABASE_SVC_URL", "http://db"),
        ("DATABASE_URL", "postgresql://app@db:notaport/portal"),
        ("DATABASE_URL", "postgresql://app@one:5432,two:65536/portal"),
        ("DATABASE_URL", "postgresql://app@[::1/portal"),
        # urlsplit's own error repeats the password: "\u2100" becomes "a/c" by NFKC.
        ("DATABASE_URL", "postgresql://app:secret\u2100@db/portal"),
        ("BLOBS_URL", "ftp://app:secret\u2100@db/portal"),
        ("DATABASE_PREPARED", "maybe"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis://h:notaport"),
        ("SECRET_KEYS", "no-colon"),
        ("SECRET_KEYS", "a:short"),
        ("SECRET_KEYS", "a:" + "!" * 43),
        ("SECRET_KEYS", "a b:" + urlsafe_b64encode(KEY).decode()),
        ("SECRET_KEYS", "k:" + urlsafe_b64encode(KEY).decode() + ",k:" + urlsafe_b64encode(KEY).decode()),
        ("BASE_DOMAIN", "https://pay.example.com"),
        ("BASE_DOMAIN", "pay.example.com:8000"),
        ("BASE_DOMAIN", "10.0.0.1"),
        ("BASE_DOMAIN", "-pay.example"),
        ("BASE_DOMAIN", "pay..example"),
        ("PUBLIC_SCHEME", "ftp"),
        ("PUBLIC_PORT", "0"),
        ("PUBLIC_PORT", "65536"),
        ("PORT", "eighty"),
        ("PORT", "-1"),
        ("PORT", "٨٠"),
        ("HOST", "http://x"),
        ("METRICS_PORT", "9100.0"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "proxy.internal"),
        ("POOL_SIZE", "0"),
        ("LOG_LEVEL", "loud"),
        ("SMTP_URL", "mail.internal:25"),
        ("SMTP_URL", "smtp://?starttls=never"),
        ("SMTP_URL", "smtp://app:secret@mail.internal:notaport"),
        ("SMTP_URL", "smtp://mail.internal/path"),
        ("SMTP_URL", "smtp://mail.internal?starttls=maybe"),
        ("SMTP_URL", "smtp://mail.internal?tls=yes"),
        ("SMTP_URL", "smtp://app:secret@mail.internal?starttls=optional"),
        ("SMTP_URL", "smtp://app:secret@mail.internal?starttls=never"),
        ("MAIL_FROM", "Acme <no-reply@acme.example>"),
        ("MAIL_FROM", "no-reply"),
        ("MAIL_FROM", "a@b.example\r\nBcc: c@d.example"),
        ("PAGE_LIMIT_PER_MINUTE", "0"),
        ("REALTIME_URL", "ws://{host}"),  # the pages come over https
        ("REALTIME_URL", "wss://live.example.com"),
        ("REALTIME_URL", "wss://{host}:0"),
        ("REALTIME_URL", "wss://{host}/realtime"),
        ("REALTIME_URL", "wss://{host} *"),
        ("REALTIME_URL", "https://{host}"),
    ],
)
def test_what_is_wrong_is_named_with_its_cure_and_never_repeated(name: str, value: str) -> None:
    refusal = read_error(**{"PORTAL_PROFILE": "test", f"PORTAL_{name}": value})
    assert refusal.data == {"variable": f"PORTAL_{name}"}
    assert refusal.message.startswith(f"PORTAL_{name} ")
    if name.endswith(("URL", "KEYS")):
        assert value not in str(refusal)
        assert "secret" not in str(refusal).replace("PORTAL_SECRET_KEYS", "")


def test_everything_can_be_set() -> None:
    settings = Settings.from_environ(
        PRODUCTION
        | {
            "PORTAL_DATABASE_OWNER_URL": "postgresql://owner@db/portal",
            "PORTAL_DATABASE_SVC_URL": "postgres://svc@db/portal",
            "PORTAL_DATABASE_PREPARED": "false",
            "PORTAL_PUBLIC_PORT": "8443",
            "PORTAL_HOST": "::",
            "PORTAL_PORT": "80",
            "PORTAL_METRICS_HOST": "0.0.0.0",  # noqa: S104 - parsed, not bound
            "PORTAL_METRICS_PORT": "9101",
            "PORTAL_TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8,192.0.2.7",
            "PORTAL_POOL_SIZE": "25",
            "PORTAL_LOG_LEVEL": "DEBUG",
            "PORTAL_PAGE_LIMIT_PER_MINUTE": "60",
            "PORTAL_SIGN_IN_LIMIT_PER_MINUTE": "30",
            "PORTAL_SMTP_URL": "smtp://app:hunter2@mail.internal:587?starttls=required",
            "PORTAL_MAIL_FROM": "invoices@example.com",
        }
    )
    assert settings.require_owner_url() == "postgresql://owner@db/portal"
    assert settings.require_svc_url() == "postgres://svc@db/portal"
    assert settings.database_prepared is False
    assert (settings.public_port, settings.port, settings.metrics_port) == (8443, 80, 9101)
    assert settings.trusted_proxies == (
        ip_network("10.0.0.0/8"),
        ip_network("fd00::/8"),
        ip_network("192.0.2.7"),
    )
    assert (settings.pool_size, settings.log_level, settings.page_limit_per_minute) == (25, "debug", 60)
    assert settings.smtp_url == "smtp://app:hunter2@mail.internal:587?starttls=required"
    assert settings.mail_from == "invoices@example.com"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:p@[::1]:5432/portal",
        "postgresql://app@one:5432,two/portal",
        "postgresql://app@/portal?host=/run",
    ],
)
def test_a_database_may_have_any_address_that_postgres_knows(url: str) -> None:
    settings = Settings.from_environ(PRODUCTION | {"PORTAL_DATABASE_URL": url})
    assert (settings.database_url, settings.database_prepared) == (url, True)


def test_a_role_that_was_not_given_is_asked_for_by_its_variable() -> None:
    settings = Settings.from_environ(PRODUCTION)
    for require_url, variable in (
        (settings.require_owner_url, "PORTAL_DATABASE_OWNER_URL"),
        (settings.require_svc_url, "PORTAL_DATABASE_SVC_URL"),
    ):
        with pytest.raises(Invalid) as refusal:
            require_url()
        assert refusal.value.data == {"variable": variable}


def test_unknown_names_are_warned_about_with_the_nearest_known_one() -> None:
    settings = Settings.from_environ(
        PRODUCTION | {"PORTAL_POOLSIZE": "3", "PORTAL_ZZZ": "1", "HOME": "/root", "PORT": "1"}
    )
    assert settings.warnings == (
        "PORTAL_POOLSIZE is not a setting and was ignored. Did you mean PORTAL_POOL_SIZE?",
        "PORTAL_ZZZ is not a setting and was ignored.",
    )
    assert settings.port == 8000


def test_settings_do_not_show_secrets_and_cannot_be_changed() -> None:
    settings = Settings.from_environ(PRODUCTION)
    assert "hunter2" not in repr(settings)
    assert repr(KEY) not in repr(settings)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]


def test_the_names_of_all_variables_are_known() -> None:
    assert set(PRODUCTION) <= set(list_variables())
    others = {"warnings", "stripe"}
    assert len(list_variables()) == len(dataclasses.fields(Settings)) - len(others) + len(STRIPE_VARIABLES)
    assert len(set(list_variables())) == len(list_variables())
    assert all(name.startswith("PORTAL_") and name.isupper() for name in list_variables())


def test_public_urls_have_the_configured_scheme_and_port_and_no_other() -> None:
    settings = Settings.from_environ(PRODUCTION)
    assert settings.build_public_url("acme.pay.example.com", "/i/x") == "https://acme.pay.example.com/i/x"
    demo = Settings.from_environ(
        {"PORTAL_PROFILE": "demo", "PORTAL_PUBLIC_SCHEME": "http", "PORTAL_PUBLIC_PORT": "8000"}
    )
    assert demo.build_public_url("acme.localhost", "/") == "http://acme.localhost:8000/"


def test_hubs_are_at_the_host_and_port_of_the_page_unless_others_are_given() -> None:
    assert Settings.from_environ(PRODUCTION).build_realtime_urls("a.example.com") == ("wss://a.example.com",)
    plain = {"PORTAL_PROFILE": "demo", "PORTAL_PUBLIC_SCHEME": "http", "PORTAL_PUBLIC_PORT": "8000"}
    assert Settings.from_environ(plain).build_realtime_urls("a.localhost") == ("ws://a.localhost:8000",)
    two = "ws://{host}:8011, wss://{host}/, ws://{host}:8011"
    chosen = Settings.from_environ(plain | {"PORTAL_REALTIME_URL": two})
    assert chosen.build_realtime_urls("a.localhost") == ("ws://a.localhost:8011", "wss://a.localhost")


@pytest.mark.parametrize(
    ("port", "origin"),
    [
        ({}, "https://a.example.com"),
        ({"PORTAL_PUBLIC_PORT": "443"}, "https://a.example.com"),
        ({"PORTAL_PUBLIC_PORT": "80"}, "https://a.example.com:80"),
    ],
)
def test_an_origin_is_written_as_browsers_send_it(port: dict[str, str], origin: str) -> None:
    assert Settings.from_environ(PRODUCTION | port).build_origin("a.example.com") == origin


def test_jobs_have_their_own_redis_only_where_it_is_given() -> None:
    settings = Settings.from_environ(PRODUCTION)
    assert settings.jobs_redis_url == settings.redis_url
    assert (settings.job_queues, settings.job_slots) == ((), 4)
    assert (settings.job_lease_s, settings.job_redispatch_s) == (30, 30)
    own = {"PORTAL_JOBS_REDIS_URL": "redis://jobs.internal:6379/1", "PORTAL_JOB_QUEUES": " pdf, default,pdf "}
    settings = Settings.from_environ(PRODUCTION | own)
    assert settings.jobs_redis_url == "redis://jobs.internal:6379/1"
    assert settings.job_queues == ("pdf", "default")
    assert "names of queues" in read_error(**PRODUCTION | {"PORTAL_JOB_QUEUES": "PDF;x"}).message
