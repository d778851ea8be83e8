"""Connecting an account step by step, with requests to Stripe between the units of work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from kernel.clock import Clock
from kernel.errors import Conflict, Denied, Invalid, Missing, Unavailable
from kernel.ids import WorkspaceId, new_token
from tenants.connect import actions, queries
from tenants.connect.accounts import create_account, create_account_link, read_account
from tenants.connect.values import Business
from tenants.workspaces.queries import load_contact_email, load_profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from kernel.actor import Actor
    from kernel.seals import Sealer
    from kernel.store import Database
    from tenants.connect.client import StripeApi
    from tenants.connect.values import Connection

RETURN_PATH: Final = "/connect/return/"
REFRESH_PATH: Final = "/connect/expired"


_REGION: Final = re.compile(r"[A-Z]{2}")


async def start_onboarding(
    database: Database,
    api: StripeApi,
    workspace_id: WorkspaceId,
    *,
    is_live: bool,
    build_console_url: Callable[[str], str],
    sealer: Sealer,
    country: str = "",
    email: str = "",
) -> str:
    """Return the address of Stripe's pages for the workspace's account, which is created by the first call.

    Repeated after an error, or to go on later, it leads to the same account, also where the values have
    changed: while it is unknown whether an account was created, Stripe is told the same again. `build_console_url`
    makes an absolute URL of a path. `country`, an ISO 3166 code, and `email` are the business's; by default the region
    of the workspace's locale, and its address. Invalid (`connect.country`, `connect.email`) without them, Conflict and
    Missing as `actions.begin_onboarding` and `actions.set_account`, errors of Stripe as `errors.translate`.
    """
    token = new_token()
    async with database.scope(workspace_id):
        profile = await load_profile()
        business = Business(
            profile.name, country or _find_region(profile.locale), email or await load_contact_email()
        )
        _check_business(business)
        connection = await actions.begin_onboarding(is_live=is_live, token=token, sealer=sealer)
        if not connection.account_id:
            business = await actions.keep_business(connection.connection_id, business)
    account_id = connection.account_id
    if not account_id:
        try:
            account_id = await create_account(api, connection.connection_id, workspace_id, business)
        except (Invalid, Denied, Missing, Conflict):
            async with database.scope(workspace_id):
                await actions.forget_business(connection.connection_id)
            raise
        async with database.scope(workspace_id):
            await actions.set_account(connection.connection_id, account_id)
    return await create_account_link(
        api,
        account_id,
        return_url=build_console_url(RETURN_PATH + token),
        refresh_url=build_console_url(REFRESH_PATH),
    )


async def complete_onboarding(
    database: Database, api: StripeApi, token: str, *, actor: Actor, sealer: Sealer, clock: Clock
) -> Connection:
    """Use up the link back from Stripe's pages, and return the connection as Stripe shows it now.

    If Stripe does not answer, it is the connection as it was; a job reads it later. Missing("connect.link_not_found").
    """
    workspace_id = await queries.find_onboarding_workspace(database, token, sealer=sealer)
    if workspace_id is None:
        raise Missing("connect.link_not_found", "This link from Stripe does not work, or was used before.")
    async with database.scope(workspace_id, actor=actor):
        await actions.use_onboarding(token, sealer=sealer)
        connection = await queries.load_connection()
    try:
        return await refresh_account(
            database, api, workspace_id, connection.account_id, actor=actor, clock=clock
        )
    except Unavailable:
        return connection


async def refresh_account(
    database: Database,
    api: StripeApi,
    workspace_id: WorkspaceId,
    account_id: str,
    *,
    actor: Actor | None = None,
    clock: Clock,
) -> Connection:
    """Read an account at Stripe and note it, or that Stripe refuses it to us; returns the connection.

    Raises as `accounts.read_account` and `actions.record_account`.
    """
    read_at = clock.now()
    snapshot = await read_account(api, account_id)
    async with database.scope(workspace_id, actor=actor):
        if snapshot is not None:
            return await actions.record_account(snapshot, read_at=read_at)
        await actions.revoke_account(account_id)
        return await queries.load_connection()


def _check_business(business: Business) -> None:
    if not _REGION.fullmatch(business.country):
        raise Invalid("connect.country", "Stripe needs the country of the business, such as DE.")
    if not business.email:
        raise Invalid("connect.email", "Stripe needs an e-mail address of the business.")


def _find_region(locale: str) -> str:
    """Return the country in a locale (BCP 47), or ""."""
    return next((part for part in locale.split("-")[1:] if _REGION.fullmatch(part)), "")
