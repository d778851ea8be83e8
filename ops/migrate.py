"""Prepares a database for this release: creates roles and database as an administrator, then migrates."""

import hmac
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from kernel.errors import Invalid
from kernel.settings import Settings
from kernel.store.migrations import Migration
from kernel.store.roles import APP, OWNER, SVC, Passwords, Urls, provision
from tenants import schema


@dataclass(frozen=True, slots=True)
class PreparedDatabase:
    """A database at this release, and the migrations that were applied."""

    urls: Urls
    applied: tuple[Migration, ...]


async def prepare_database(admin_url: str, database: str) -> PreparedDatabase:
    """Create missing roles and the database, and migrate; idempotent, for demo, tests and benchmarks.

    If the administrator has a password, the roles get passwords that are derived from it, so that a later start
    with the same URL gets the same ones.
    """
    urls = await provision(admin_url, database, passwords=_derive_passwords(admin_url))
    return PreparedDatabase(urls, tuple(await schema.migrate(urls.owner)))


async def create_roles(admin_url: str, settings: Settings) -> None:
    """Create the three roles and the database in the settings' URLs, with the passwords in them; idempotent.

    Invalid("settings.invalid") where a URL is missing, or names another role or another database than the rest.
    """
    urls = {OWNER: settings.require_owner_url(), APP: settings.database_url, SVC: settings.require_svc_url()}
    database = _read_database_name(urls[OWNER])
    passwords = {}
    for role, url in urls.items():
        parts = urlsplit(url)
        if parts.username != role or _read_database_name(url) != database:
            message = f"The URL of {role} must name that role and the same database as the others."
            raise Invalid("settings.invalid", message, role=role, database=database)
        passwords[role] = unquote(parts.password) if parts.password else None
    all_passwords = Passwords(owner=passwords[OWNER], app=passwords[APP], svc=passwords[SVC])
    await provision(admin_url, database, passwords=all_passwords)


def _read_database_name(url: str) -> str:
    return unquote(urlsplit(url).path.lstrip("/"))


def _derive_passwords(admin_url: str) -> Passwords:
    password = urlsplit(admin_url).password
    if not password:
        return Passwords()
    secret = unquote(password).encode()
    owner, app, svc = (hmac.digest(secret, role.encode(), "sha256").hex() for role in (OWNER, APP, SVC))
    return Passwords(owner=owner, app=app, svc=svc)
