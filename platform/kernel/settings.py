"""The environment, read once into frozen settings that are passed on; nothing else reads it."""

from __future__ import annotations

import binascii
import difflib
import os
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field, fields
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Final, Self, TypeVar
from urllib.parse import urlsplit

from kernel.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

PREFIX: Final = "PORTAL_"
SECRET_BYTES: Final = 32
# Known to everybody who can read this file, hence refused where anything is worth protecting.
DEMO_SECRET: Final = b"invoice-portal: not a secret key"
_LOG_LEVELS: Final = ("debug", "info", "warning", "error")
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_QUEUE: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_LARGEST_PORT: Final = 65535

_T = TypeVar("_T")


class Profile(StrEnum):
    """How careful to be: only demo and test accept plain http and the well-known secret."""

    PRODUCTION = "production"
    DEMO = "demo"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a process is told from outside. Each field is read from PORTAL_<NAME IN CAPITALS>."""

    profile: Profile
    database_url: str = field(repr=False)
    """Postgres as role portal_app: all that gateway, hub and workers need."""
    database_owner_url: str | None = field(repr=False)
    """Postgres as role portal_owner: migrations only."""
    database_svc_url: str | None = field(repr=False)
    """Postgres as role portal_svc: relay, scheduler, metrics, backfills."""
    database_prepared: bool
    """Whether statements stay prepared; not behind a PgBouncer in transaction mode that keeps none for us."""
    redis_url: str = field(repr=False)
    secret_keys: tuple[tuple[str, bytes], ...] = field(repr=False)
    """(key id, 32 bytes), the current one first; the others still open what they sealed."""
    base_domain: str
    """Workspaces without a domain of their own live at <slug>.<base_domain>."""
    public_scheme: str
    public_port: int | None
    """Port in links; None where it is the scheme's own."""
    host: str
    port: int
    """Where the gateway serves pages."""
    metrics_host: str
    metrics_port: int
    """The internal port of each process: metrics and probes."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    """Networks whose X-Forwarded-For and X-Request-Id are believed, and whose connections are not limited."""
    pool_size: int
    """Connections to Postgres per process."""
    log_level: str
    page_limit_per_minute: int
    """Requests a minute for one client address."""
    jobs_redis_url: str = field(repr=False)
    """Redis of the job queues; the one of the rate limits where none is given."""
    job_queues: tuple[str, ...]
    """Queues that a worker serves; none given: all that it has handlers for."""
    job_slots: int
    """Jobs that one worker runs at a time."""
    job_lease_s: int
    """Seconds after which a job whose worker was not heard of is given to another."""
    job_redispatch_s: int
    """Seconds after which a job that no worker took is sent again: Redis may have lost it."""
    blobs_url: str
    """Where PDFs and other large bytes are: a folder, or s3://bucket/prefix."""
    chromium: str | None
    """The Chromium that prints, by name or path; None takes the one on PATH."""
    chromium_sandbox: bool
    """Whether Chromium must have its own sandbox; root never has it."""
    warnings: tuple[str, ...] = ()
    """What is odd but does not stop the process; to be logged at start."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read settings; Invalid("settings.invalid") names the variable (`data["variable"]`) and the cure.

        An empty variable counts as not set. Under demo and test everything has a default.
        """
        read = _Reader(environ)
        profile = read.value("profile", _profile, default=Profile.PRODUCTION)
        safe = profile is Profile.PRODUCTION
        redis_url = read.value("redis_url", _redis, default=None if safe else "redis://127.0.0.1:6379/0")
        return cls(
            profile=profile,
            database_url=read.value(
                "database_url",
                _postgres,
                default=None if safe else "postgresql://portal_app@127.0.0.1/portal",
            ),
            database_owner_url=read.optional("database_owner_url", _postgres),
            database_svc_url=read.optional("database_svc_url", _postgres),
            database_prepared=read.value("database_prepared", _flag, default=True),
            redis_url=redis_url,
            secret_keys=read.value(
                "secret_keys",
                _production_keys if safe else _keys,
                default=None if safe else ((profile.value, DEMO_SECRET),),
            ),
            base_domain=read.value("base_domain", _domain, default="localhost"),
            public_scheme=read.value("public_scheme", _https if safe else _scheme, default="https"),
            public_port=read.optional("public_port", _port),
            host=read.value("host", _bind, default="127.0.0.1"),
            port=read.value("port", _port, default=8000),
            metrics_host=read.value("metrics_host", _bind, default="127.0.0.1"),
            metrics_port=read.value("metrics_port", _port, default=9100),
            trusted_proxies=read.value("trusted_proxies", _networks, default=()),
            pool_size=read.value("pool_size", _between(1, 500), default=10),
            log_level=read.value("log_level", _log_level, default="info"),
            page_limit_per_minute=read.value("page_limit_per_minute", _between(1, 1_000_000), default=240),
            jobs_redis_url=read.value("jobs_redis_url", _redis, default=redis_url),
            job_queues=read.value("job_queues", _queues, default=()),
            job_slots=read.value("job_slots", _between(1, 64), default=4),
            job_lease_s=read.value("job_lease_s", _between(1, 3600), default=30),
            job_redispatch_s=read.value("job_redispatch_s", _between(1, 3600), default=30),
            blobs_url=read.value("blobs_url", _blobs, default=".portal/blobs"),
            chromium=read.optional("chromium", str),
            chromium_sandbox=read.value("chromium_sandbox", _flag, default=True),
            warnings=_unknown(environ),
        )

    def public_url(self, host: str, path: str) -> str:
        """Return the absolute URL of a path on one of our hosts, as it is written into mails and links."""
        port = "" if self.public_port is None else f":{self.public_port}"
        return f"{self.public_scheme}://{host}{port}{path}"

    def owner_url(self) -> str:
        """Return the url of the owning role; Invalid("settings.invalid") where it was not given."""
        return _given("database_owner_url", self.database_owner_url)

    def svc_url(self) -> str:
        """Return the url of the service role; Invalid("settings.invalid") where it was not given."""
        return _given("database_svc_url", self.database_svc_url)


def variables() -> tuple[str, ...]:
    """Return the name of every variable that is read, in the order of the fields."""
    return tuple(PREFIX + each.name.upper() for each in fields(Settings) if each.name != "warnings")


def inherited(names: Iterable[str]) -> dict[str, str]:
    """Return those of this process's variables that a program which it starts may have."""
    return {name: os.environ[name] for name in names if name in os.environ}


class _Reader:
    """Takes values out of the environment and says which variable was wrong."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def optional(self, name: str, read: Callable[[str], _T]) -> _T | None:
        text = self._environ.get(PREFIX + name.upper(), "").strip()
        if not text:
            return None
        try:
            return read(text)
        except ValueError as error:
            # The value itself is not repeated: it may be a secret.
            raise _invalid(name, str(error)) from None

    def value(self, name: str, read: Callable[[str], _T], *, default: _T | None) -> _T:
        found = self.optional(name, read)
        if found is None:
            found = default
        if found is None:
            raise _invalid(name, "is not set; it has no default outside the demo and test profiles")
        return found


def _invalid(name: str, reason: str) -> Invalid:
    variable = PREFIX + name.upper()
    return Invalid("settings.invalid", f"{variable} {reason}.", variable=variable)


def _given(name: str, url: str | None) -> str:
    if url is None:
        raise _invalid(name, "is not set; this command needs the database in that role")
    return url


def _unknown(environ: Mapping[str, str]) -> tuple[str, ...]:
    known = variables()
    found: list[str] = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            short = [each.removeprefix(PREFIX) for each in known]
            near = difflib.get_close_matches(name.removeprefix(PREFIX), short, n=1)
            hint = f" Did you mean {PREFIX}{near[0]}?" if near else ""
            found.append(f"{name} is not a setting and was ignored.{hint}")
    return tuple(found)


# Each reader below returns the value of a stripped, non-empty text, or raises ValueError with the cure.


def _profile(text: str) -> Profile:
    try:
        return Profile(text)
    except ValueError:
        raise ValueError("must be production, demo or test") from None


def _postgres(text: str) -> str:
    if not _is_url(text, {"postgres", "postgresql"}):
        raise ValueError("must be a Postgres url: postgresql://user:password@host:5432/database")
    return text


def _redis(text: str) -> str:
    if not _is_url(text, {"redis", "rediss", "unix"}):
        raise ValueError("must be a Redis url: redis://host:6379/0, rediss://… or unix:///socket?db=0")
    return text


def _blobs(text: str) -> str:
    if "://" in text and urlsplit(text).scheme not in {"file", "s3"}:
        raise ValueError("must be a folder, or the url of an S3 store: s3://bucket/prefix")
    return text


def _is_url(text: str, schemes: set[str]) -> bool:
    """Tell whether it is a url of such a scheme whose ports are ports; Postgres takes several hosts at once."""
    parts = urlsplit(text)
    hosts = parts.netloc.rpartition("@")[2].split(",")
    ports = [host.rpartition("]")[2].partition(":")[2] for host in hosts]
    return parts.scheme in schemes and all(not port or _is_port(port) for port in ports)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= _LARGEST_PORT


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text == "true"


def _keys(text: str) -> tuple[tuple[str, bytes], ...]:
    cure = (
        "must be `id:key` separated by commas, the current one first; each key is 32 random bytes in"
        " base64url (make one with: openssl rand -base64 32 | tr '+/' '-_')"
    )
    found: dict[str, bytes] = {}
    for part in text.split(","):
        key_id, separator, encoded = part.strip().partition(":")
        try:
            key = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except (binascii.Error, ValueError):
            raise ValueError(cure) from None
        if not separator or not _KEY_ID.fullmatch(key_id) or len(key) != SECRET_BYTES:
            raise ValueError(cure)
        if key_id in found:
            raise ValueError(f"names the key {key_id} twice; give every key an id of its own")
        found[key_id] = key
    return tuple(found.items())


def _production_keys(text: str) -> tuple[tuple[str, bytes], ...]:
    keys = _keys(text)
    if any(key == DEMO_SECRET or len(set(key)) == 1 for _, key in keys):
        raise ValueError("holds a well-known key; make one with: openssl rand -base64 32 | tr '+/' '-_'")
    return keys


def _domain(text: str) -> str:
    name = text.lower().rstrip(".")
    labels = name.split(".")
    well_formed = all(
        label.replace("-", "").isalnum() and label.isascii() and label.strip("-") == label for label in labels
    )
    if not well_formed or labels[-1].isdigit():
        raise ValueError("must be a host name without scheme or port, such as pay.example.com")
    return name


def _scheme(text: str) -> str:
    if text not in {"http", "https"}:
        raise ValueError("must be https, or http in the demo and test profiles")
    return text


def _https(text: str) -> str:
    if text != "https":
        raise ValueError("must be https: plain http is for the demo and test profiles only")
    return text


def _bind(text: str) -> str:
    if any(character.isspace() or character in "/@" for character in text):
        raise ValueError("must be an address to listen on, such as 127.0.0.1, 0.0.0.0 or ::")
    return text


def _between(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


_port: Final = _between(1, _LARGEST_PORT)


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("must be networks separated by commas, such as 10.0.0.0/8,fd00::/8") from None


def _queues(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not all(_QUEUE.fullmatch(name) for name in names):
        raise ValueError("must be names of queues separated by commas, such as default,pdf")
    return names


def _log_level(text: str) -> str:
    level = text.lower()
    if level not in _LOG_LEVELS:
        raise ValueError(f"must be one of {', '.join(_LOG_LEVELS)}")
    return level
