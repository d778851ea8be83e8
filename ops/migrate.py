"""Brings a database to this release: roles and database by an administrator, then structure and policies."""

import hmac
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from kernel.errors import Invalid
from kernel.settings import Settings
from kernel.store.migrations import Migration
from kernel.store.roles import APP, OWNER, SVC, Passwords, Urls, provision
from tenants import schema


@dataclass(frozen=True, slots=True)
class Prepared:
    """A database that is ready for this release, and what it took."""

    urls: Urls
    applied: tuple[Migration, ...]


async def prepare(admin_url: str, database: str) -> Prepared:
    """Make roles and database where they are missing, and migrate; idempotent, for demo and trial installations.

    Where the administrator has a password the roles get passwords too, derived from it, so that a later start
    with the same URL finds the same ones.
    """
    urls = await provision(admin_url, database, passwords=_derived(admin_url))
    return Prepared(urls, tuple(await schema.migrate(urls.owner)))


async def make_roles(admin_url: str, settings: Settings) -> None:
    """Make the three roles and the database that the settings' URLs name, with the passwords in them; idempotent.

    Invalid("settings.invalid") where a URL is missing, or names another role or another database than the rest.
    """
    urls = {OWNER: settings.owner_url(), APP: settings.database_url, SVC: settings.svc_url()}
    database = _database_of(urls[OWNER])
    passwords = {}
    for role, url in urls.items():
        parts = urlsplit(url)
        if parts.username != role or _database_of(url) != database:
            words = f"The URL of {role} must name that role and the same database as the others."
            raise Invalid("settings.invalid", words, role=role, database=database)
        passwords[role] = unquote(parts.password) if parts.password else None
    given = Passwords(owner=passwords[OWNER], app=passwords[APP], svc=passwords[SVC])
    await provision(admin_url, database, passwords=given)


def _database_of(url: str) -> str:
    return unquote(urlsplit(url).path.lstrip("/"))


def _derived(admin_url: str) -> Passwords:
    password = urlsplit(admin_url).password
    if not password:
        return Passwords()
    secret = unquote(password).encode()
    owner, app, svc = (hmac.digest(secret, role.encode(), "sha256").hex() for role in (OWNER, APP, SVC))
    return Passwords(owner=owner, app=app, svc=svc)
