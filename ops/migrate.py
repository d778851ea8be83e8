"""Brings a database to this release: roles and database by an administrator, then structure and policies."""

import hmac
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

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


def _derived(admin_url: str) -> Passwords:
    password = urlsplit(admin_url).password
    if not password:
        return Passwords()
    secret = unquote(password).encode()
    owner, app, svc = (hmac.digest(secret, role.encode(), "sha256").hex() for role in (OWNER, APP, SVC))
    return Passwords(owner=owner, app=app, svc=svc)
