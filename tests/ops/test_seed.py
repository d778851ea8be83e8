"""The demo's data: one invoice for each way to write, and a contact whose authenticator is known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pyotp.totp import TOTP

from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from kernel.store.roles import Urls
from ops.seed import seed
from tenants.access.actions import check_totp
from tenants.access.values import Subject, SubjectKind
from tenants.invoices.portal_access import open_link
from tenants.workspaces.queries import find_workspace_by_host
from tests.conftest import OPERATOR

WRITE_AUTHORITY = {
    "write-link": ("link", False),
    "write-otp": ("otp", False),
    "write-customer": ("customer", False),
    "write-otp-totp": ("otp", True),
    "write-customer-totp": ("customer", True),
    "write-closed": ("closed", False),
}


async def test_seeding_again_adds_nothing_but_a_new_authenticator(
    scratch: Callable[..., Awaitable[Urls]], settings: Settings
) -> None:
    database = await Database.open((await scratch(migrated=True)).app, size=2, name="seed", actor=OPERATOR)
    try:
        first, again = [await seed(database, settings, lambda _text: None) for _ in range(2)]
        assert [row["number"] for row in again.invoices] == [row["number"] for row in first.invoices]
        assert again.workspaces == first.workspaces
        acme = await find_workspace_by_host(database, f"acme.{settings.base_domain}")
        assert acme is not None
        workspace_id, sealer = acme.workspace.workspace_id, Sealer(settings.secret_keys)
        found = {}
        for invoice in again.invoices:
            for tag in WRITE_AUTHORITY.keys() & set(invoice["tags"]):
                token = invoice["url"].rpartition("/")[2]
                authority = (await open_link(database, workspace_id, token, sealer=sealer)).authority
                found[tag] = (authority.mode.value, authority.requires_totp)
        assert found == WRITE_AUTHORITY
        (contact,) = again.contacts
        code = TOTP(contact["totp_secret"]).at(SystemClock().now())
        await check_totp(database, workspace_id, Subject(SubjectKind.ADDRESS, contact["email"]), code, sealer)
    finally:
        await database.close()
