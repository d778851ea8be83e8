"""Create workspaces; change their name, brand, language and terms."""

from __future__ import annotations

from collections.abc import Collection

import asyncpg

from kernel.clock import Clock
from kernel.errors import Conflict
from kernel.identifiers import check_email
from kernel.ids import new_id, new_secret
from kernel.seals import Sealer
from kernel.store import current_workspace, savepoint
from tenants.activity.actions import create_event_head, emit
from tenants.activity.events import find_changes
from tenants.workspaces import domains, queries
from tenants.workspaces import profile as values
from tenants.workspaces.actions.rows import lock_workspace
from tenants.workspaces.authority import WriteAuthority, build_columns
from tenants.workspaces.domains import DomainState
from tenants.workspaces.events import (
    BrandChanged,
    ContactEmailChanged,
    RegionChanged,
    TermsChanged,
    WorkspaceCreated,
    WriteAuthorityChanged,
)
from tenants.workspaces.profile import NewWorkspace, WorkspaceProfile
from tenants.workspaces.tables import PortalDomain, Workspace


async def create_workspace(
    new: NewWorkspace, *, base_domain: str, reserved_hosts: Collection[str], sealer: Sealer, clock: Clock
) -> WorkspaceProfile:
    """Create the bound workspace (scope a fresh `WorkspaceId(new_id())`) and its host <slug>.<base_domain>.

    That host is active and primary at once: the portal assigns names beneath the base domain, except
    `reserved_hosts` (Settings.reserved_hosts). Raises Invalid
    (`workspace.slug`, `workspace.slug_reserved`, `workspace.name`, `workspace.colour`,
    `workspace.contact_line`, `locale.unknown`, `zone.unknown`, `currency.unknown`) and
    Conflict("workspace.slug_taken").
    """
    slug = domains.check_slug(new.slug)
    host = domains.check_workspace_host(slug, base_domain, reserved_hosts)
    row, domain = _build_rows(new, slug, host, sealer=sealer, clock=clock)
    try:
        async with savepoint():
            await Workspace.insert(row)
            await PortalDomain.insert(domain)
            await create_event_head()
    except asyncpg.UniqueViolationError as error:
        raise Conflict("workspace.slug_taken", f"The name {slug} is taken.", slug=slug) from error
    profile = await queries.load_profile()
    await emit(
        WorkspaceCreated(
            slug=slug,
            host=host,
            locale=profile.locale,
            time_zone=profile.time_zone,
            currency=profile.currency,
        )
    )
    return profile


async def set_brand(
    *, name: str | None = None, colour: str | None = None, contact_line: str | None = None
) -> WorkspaceProfile:
    """Change how the workspace presents itself; None changes nothing.

    Invalid (`workspace.name`, `workspace.colour`, `workspace.contact_line`), Missing("workspace.not_found").
    """
    return await _update(
        {
            "name": None if name is None else values.check_name(name),
            "brand_colour": None if colour is None else values.check_colour(colour),
            "contact_line": None if contact_line is None else values.check_contact_line(contact_line),
        },
        BrandChanged,
    )


async def set_region(
    *, locale: str | None = None, time_zone: str | None = None, currency: str | None = None
) -> WorkspaceProfile:
    """Change language, time zone and default currency; None changes nothing. Issued invoices do not change.

    Invalid (`locale.unknown`, `zone.unknown`, `currency.unknown`), Missing("workspace.not_found").
    """
    return await _update(
        {
            "locale": None if locale is None else values.check_locale(locale),
            "time_zone": None if time_zone is None else values.check_time_zone(time_zone),
            "currency": None if currency is None else values.check_currency(currency),
        },
        RegionChanged,
    )


async def set_terms(*, payment_days: int | None = None, link_days: int | None = None) -> WorkspaceProfile:
    """Change after how many days invoices are due, and how many days later their links expire; None changes nothing.

    Applies to what is issued from now on. Invalid("workspace.days"), Missing("workspace.not_found").
    """
    return await _update(
        {
            "payment_days": None if payment_days is None else values.check_days(payment_days, 365),
            "link_days": None if link_days is None else values.check_days(link_days, 3650),
        },
        TermsChanged,
    )


async def set_write_authority(authority: WriteAuthority) -> None:
    """Set who may write comments, where neither the customer nor the invoice says otherwise.

    Missing("workspace.not_found").
    """
    changed = find_changes(await lock_workspace(), build_columns(authority))
    if changed:
        await Workspace.update({column: change.after for column, change in changed.items()}).where(
            Workspace.workspace_id == current_workspace()
        )
        await emit(WriteAuthorityChanged(changes=changed))


async def set_contact_email(email: str) -> str:
    """Change the address that is told of new comments, and to which mails are answered; "" for none. Returns it.

    Invalid("email.invalid"), Missing("workspace.not_found").
    """
    address = check_email(email) if email.strip() else ""
    row = await lock_workspace()
    if address != row["email"]:
        await Workspace.update({Workspace.email: address}).where(
            Workspace.workspace_id == current_workspace()
        )
        await emit(ContactEmailChanged(is_set=address != ""))
    return address


def _build_rows(
    new: NewWorkspace, slug: str, host: str, *, sealer: Sealer, clock: Clock
) -> tuple[Workspace, PortalDomain]:
    workspace_id, now = current_workspace(), clock.now()
    workspace = Workspace(
        workspace_id=workspace_id,
        slug=slug,
        name=values.check_name(new.name),
        locale=values.check_locale(new.locale),
        time_zone=values.check_time_zone(new.time_zone),
        currency=values.check_currency(new.currency),
        brand_colour=values.check_colour(new.brand_colour),
        contact_line=values.check_contact_line(new.contact_line),
        payment_days=values.PAYMENT_DAYS,
        link_days=values.LINK_DAYS,
        cname_label=new_secret(10).hex(),
        data_key=sealer.wrap(sealer.new_data_key(), workspace_id),
        created_at=now,
    )
    domain = PortalDomain(
        workspace_id=workspace_id,
        domain_id=new_id(),
        host=host,
        state=DomainState.ACTIVE.value,
        is_primary=True,
        verify_token=new_secret(16).hex(),
        claimed_at=now,
        verified_at=now,
    )
    return workspace, domain


async def _update(
    wanted: dict[str, str | int | None], event: type[BrandChanged | RegionChanged | TermsChanged]
) -> WorkspaceProfile:
    row = await lock_workspace()
    changed = find_changes(row, {column: value for column, value in wanted.items() if value is not None})
    if not changed:
        return await queries.load_profile()
    await Workspace.update({column: change.after for column, change in changed.items()}).where(
        Workspace.workspace_id == current_workspace()
    )
    profile = await queries.load_profile()
    await emit(event(changes=changed))
    return profile
