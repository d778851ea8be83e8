"""Settings: the environment is read once, here only, into a frozen value that is passed on."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, field, fields
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Final, Self

from kernel.setting_parsers import (
    DEMO_SECRET,
    parse_bind_address,
    parse_blobs_url,
    parse_domain,
    parse_flag,
    parse_host,
    parse_https,
    parse_keys,
    parse_log_level,
    parse_networks,
    parse_port,
    parse_postgres_url,
    parse_production_keys,
    parse_queues,
    parse_realtime_urls,
    parse_redis_url,
    parse_scheme,
    parse_secure_realtime_urls,
    parse_sender,
    parse_smtp_url,
    whole_number_parser,
)
from kernel.setting_reader import PREFIX, SettingReader, make_invalid_setting
from kernel.stripe_settings import (
    STRIPE_VARIABLES,
    StripeSettings,
    read_stripe_settings,
    warn_without_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# The key, in the metadata of a field, of its variable's name without the prefix, where it is not that of the field.
_VARIABLE: Final = "variable"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SOCKET_SCHEMES: Final = {"http": "ws", "https": "wss"}


class Profile(StrEnum):
    """The kind of installation: demo and test accept plain http and the public demo secret."""

    PRODUCTION = "production"
    DEMO = "demo"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The configuration of a process. Each field is read from PORTAL_<NAME IN CAPITALS>, or as its metadata say."""

    profile: Profile
    database_url: str = field(repr=False)
    """Postgres as role portal_app: all that gateway, hub and workers need."""
    database_owner_url: str | None = field(repr=False)
    """Postgres as role portal_owner: migrations only."""
    database_svc_url: str | None = field(repr=False)
    """Postgres as role portal_svc: relay, scheduler, metrics, backfills."""
    database_prepared: bool
    """False behind a PgBouncer in transaction mode without max_prepared_statements: statements are not prepared."""
    redis_url: str = field(repr=False)
    secret_keys: tuple[tuple[str, bytes], ...] = field(repr=False)
    """(key id, 32 bytes), the current one first; the others open older values."""
    base_domain: str
    """Workspaces without a domain of their own are served at <slug>.<base_domain>."""
    console_host: str
    api_host: str
    hooks_host: str
    """Hosts that belong to no workspace. All three and the base domain differ."""
    public_scheme: str
    public_port: int | None
    """Port in links; None for the default of the scheme."""
    realtime_urls: tuple[str, ...] = field(metadata={_VARIABLE: "realtime_url"})
    """Addresses of the hubs as browsers see them; `{host}` stands for the host of the page."""
    host: str
    port: int
    """Where the gateway serves pages."""
    metrics_host: str
    metrics_port: int
    """The internal port of each process: metrics and probes."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    """Networks whose X-Forwarded-For and X-Request-Id are trusted, and whose connections are not limited."""
    pool_size: int
    """Connections to Postgres per process."""
    log_level: str
    page_limit_per_minute: int
    """Requests a minute for one client address."""
    sign_in_limit_per_minute: int
    """Requests a minute for one client address to the pages that sign in, prove something or send fresh links."""
    jobs_redis_url: str = field(repr=False)
    """Redis of the job queues; `redis_url` by default."""
    job_queues: tuple[str, ...]
    """Queues that a worker serves; empty: all."""
    job_slots: int
    """Jobs that one worker runs at a time."""
    job_lease_s: int
    """Seconds after its last sign of life from which a worker's job may be claimed by another."""
    job_redispatch_s: int
    """Seconds after which the notification of an unclaimed job is sent again: Redis may have lost it."""
    blobs_url: str
    """Where PDFs and other large bytes are: a folder, or s3://bucket/prefix."""
    chromium: str | None
    """The Chromium that renders PDFs, by name or path; None takes the one on PATH."""
    chromium_sandbox: bool
    """Whether Chromium must have its own sandbox; root never has it."""
    smtp_url: str | None = field(repr=False)
    """The mail server; None: mails wait, and their jobs end dead."""
    mail_from: str
    """The address that all mails are sent from; the name beside it is the workspace's."""
    stripe: StripeSettings | None
    """How card payments are taken; None: they are not."""
    warnings: tuple[str, ...] = ()
    """To be logged at start."""

    def __post_init__(self) -> None:
        fields_by_host = {self.base_domain: "base_domain"}
        for name in ("console_host", "api_host", "hooks_host"):
            host = getattr(self, name)
            if host in fields_by_host:
                raise make_invalid_setting(
                    name, f"must differ from {PREFIX}{fields_by_host[host].upper()}; both are {host}"
                )
            fields_by_host[host] = name

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read settings; Invalid("settings.invalid") names the variable (`data["variable"]`) and what is expected.

        An empty variable counts as not set. In the demo and test profiles everything has a default.
        """
        read = SettingReader(environ)
        profile = read.require("profile", _parse_profile, default=Profile.PRODUCTION)
        is_production = profile is Profile.PRODUCTION
        redis_url = read.require(
            "redis_url", parse_redis_url, default=None if is_production else "redis://127.0.0.1:6379/0"
        )
        base_domain = read.require("base_domain", parse_domain, default="localhost")
        public_scheme = read.require(
            "public_scheme", parse_https if is_production else parse_scheme, default="https"
        )
        public_port = read.optional("public_port", parse_port)
        return cls(
            profile=profile,
            database_url=read.require(
                "database_url",
                parse_postgres_url,
                default=None if is_production else "postgresql://portal_app@127.0.0.1/portal",
            ),
            database_owner_url=read.optional("database_owner_url", parse_postgres_url),
            database_svc_url=read.optional("database_svc_url", parse_postgres_url),
            database_prepared=read.require("database_prepared", parse_flag, default=True),
            redis_url=redis_url,
            secret_keys=read.require(
                "secret_keys",
                parse_production_keys if is_production else parse_keys,
                default=None if is_production else ((profile.value, DEMO_SECRET),),
            ),
            base_domain=base_domain,
            console_host=read.require("console_host", parse_host, default=f"console.{base_domain}"),
            api_host=read.require("api_host", parse_host, default=f"api.{base_domain}"),
            hooks_host=read.require("hooks_host", parse_host, default=f"hooks.{base_domain}"),
            public_scheme=public_scheme,
            public_port=public_port,
            realtime_urls=read.require(
                "realtime_url",
                parse_secure_realtime_urls if public_scheme == "https" else parse_realtime_urls,
                default=(_build_authority(_SOCKET_SCHEMES[public_scheme], "{host}", public_port),),
            ),
            host=read.require("host", parse_bind_address, default="127.0.0.1"),
            port=read.require("port", parse_port, default=8000),
            metrics_host=read.require("metrics_host", parse_bind_address, default="127.0.0.1"),
            metrics_port=read.require("metrics_port", parse_port, default=9100),
            trusted_proxies=read.require("trusted_proxies", parse_networks, default=()),
            pool_size=read.require("pool_size", whole_number_parser(1, 500), default=10),
            log_level=read.require("log_level", parse_log_level, default="info"),
            page_limit_per_minute=read.require(
                "page_limit_per_minute", whole_number_parser(1, 1_000_000), default=240
            ),
            sign_in_limit_per_minute=read.require(
                "sign_in_limit_per_minute", whole_number_parser(1, 1_000_000), default=60
            ),
            jobs_redis_url=read.require("jobs_redis_url", parse_redis_url, default=redis_url),
            job_queues=read.require("job_queues", parse_queues, default=()),
            job_slots=read.require("job_slots", whole_number_parser(1, 64), default=4),
            job_lease_s=read.require("job_lease_s", whole_number_parser(1, 3600), default=30),
            job_redispatch_s=read.require("job_redispatch_s", whole_number_parser(1, 3600), default=30),
            blobs_url=read.require("blobs_url", parse_blobs_url, default=".portal/blobs"),
            chromium=read.optional("chromium", str),
            chromium_sandbox=read.require("chromium_sandbox", parse_flag, default=True),
            smtp_url=read.optional("smtp_url", parse_smtp_url),
            mail_from=read.require("mail_from", parse_sender, default=f"no-reply@{base_domain}"),
            stripe=read_stripe_settings(read, is_production=is_production),
            warnings=(*_warn_about_unknown(environ), *warn_without_key(_find_set(environ))),
        )

    @property
    def reserved_hosts(self) -> frozenset[str]:
        """Hosts that no workspace may have."""
        return frozenset({self.console_host, self.api_host, self.hooks_host})

    def build_public_url(self, host: str, path: str) -> str:
        """Return the absolute URL of a path on one of our hosts, as it is written into mails and links."""
        return _build_authority(self.public_scheme, host, self.public_port) + path

    def build_origin(self, host: str) -> str:
        """Return the origin of the pages on one of our hosts, as browsers send it: without the scheme's own port."""
        is_default = self.public_port == _DEFAULT_PORTS[self.public_scheme]
        return _build_authority(self.public_scheme, host, None if is_default else self.public_port)

    def build_realtime_urls(self, host: str) -> tuple[str, ...]:
        """Return the addresses of the hubs for the pages on one of our hosts."""
        return tuple(url.replace("{host}", host) for url in self.realtime_urls)

    def require_owner_url(self) -> str:
        """Return the url of the owning role; raises Invalid("settings.invalid") if it is not set."""
        return _require_url("database_owner_url", self.database_owner_url)

    def require_svc_url(self) -> str:
        """Return the url of the service role; raises Invalid("settings.invalid") if it is not set."""
        return _require_url("database_svc_url", self.database_svc_url)


def list_variables() -> tuple[str, ...]:
    """Return the names of the variables, in the order of the fields."""
    return (
        *(
            PREFIX + each.metadata.get(_VARIABLE, each.name).upper()
            for each in fields(Settings)
            if each.name not in {"stripe", "warnings"}
        ),
        *STRIPE_VARIABLES,
    )


def select_environment(names: Iterable[str]) -> dict[str, str]:
    """Return the given variables of this process's environment, for a child process."""
    return {name: os.environ[name] for name in names if name in os.environ}


def _build_authority(scheme: str, host: str, port: int | None) -> str:
    return f"{scheme}://{host}" if port is None else f"{scheme}://{host}:{port}"


def _require_url(name: str, url: str | None) -> str:
    if url is None:
        raise make_invalid_setting(name, "is not set; this command needs the database in that role")
    return url


def _find_set(environ: Mapping[str, str]) -> set[str]:
    return {name for name, value in environ.items() if value.strip()}


def _warn_about_unknown(environ: Mapping[str, str]) -> tuple[str, ...]:
    known = list_variables()
    warnings: list[str] = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            names = [each.removeprefix(PREFIX) for each in known]
            matches = difflib.get_close_matches(name.removeprefix(PREFIX), names, n=1)
            hint = f" Did you mean {PREFIX}{matches[0]}?" if matches else ""
            warnings.append(f"{name} is not a setting and was ignored.{hint}")
    return tuple(warnings)


def _parse_profile(text: str) -> Profile:
    try:
        return Profile(text)
    except ValueError:
        raise ValueError("must be production, demo or test") from None
