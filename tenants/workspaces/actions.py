"""What members and operators do to a workspace; each function is one intention inside a unit of work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

import asyncpg
from piccolo.columns import Column
from piccolo.columns.combination import And

from kernel.addresses import checked_url
from kernel.clock import Clock
from kernel.errors import Conflict, Invalid, Missing
from kernel.ids import new_id, secret_bytes
from kernel.jobs import EnqueuedJob, enqueue
from kernel.seals import Sealer
from kernel.store import current_workspace, execute, fetch_one, savepoint
from tenants.activity.actions import create_event_head
from tenants.ids import DomainId
from tenants.workspaces import domains, queries
from tenants.workspaces import profile as values
from tenants.workspaces.domains import TOMBSTONE_DAYS, DomainState
from tenants.workspaces.jobs import FetchLogo
from tenants.workspaces.profile import LogoImage, LogoRef, NewWorkspace, WorkspaceProfile
from tenants.workspaces.tables import PortalDomain, Workspace

_LOCK_HOST: Final = "SELECT * FROM portal_domain WHERE workspace_id = $1 AND host = $2 FOR UPDATE"
_KEEP_ASSET: Final = """
INSERT INTO brand_asset (workspace_id, sha256, content_type, width, height, data, created_at)
VALUES ($1, $2, 'image/png', $3, $4, $5, $6) ON CONFLICT DO NOTHING
"""
_SHOW: Final = "UPDATE workspace SET logo_sha256 = $2, awaited_logo = NULL WHERE workspace_id = $1"
_AWAIT: Final = "UPDATE workspace SET awaited_logo = $2 WHERE workspace_id = $1"
_AWAITED: Final = "SELECT FROM workspace WHERE workspace_id = $1 AND awaited_logo = $2 FOR UPDATE"
_PURGE: Final = "DELETE FROM portal_domain WHERE state = 'released' AND released_at < $1"


async def create_workspace(
    new: NewWorkspace, *, base_domain: str, reserved_hosts: Collection[str], sealer: Sealer, clock: Clock
) -> WorkspaceProfile:
    """Create the bound workspace (scope a fresh `WorkspaceId(new_id())`) and its host <slug>.<base_domain>.

    That host is active and primary at once: names beneath the base domain are ours to give, except
    `reserved_hosts` (Settings.reserved_hosts). Raises Invalid
    (`workspace.slug`, `workspace.slug_reserved`, `workspace.name`, `workspace.colour`,
    `workspace.contact_line`, `locale.unknown`, `zone.unknown`, `currency.unknown`) and
    Conflict("workspace.slug_taken").
    """
    workspace_id = current_workspace()
    now = clock.now()
    slug = domains.check_slug(new.slug)
    host = domains.check_workspace_host(slug, base_domain, reserved_hosts)
    row = Workspace(
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
        cname_label=secret_bytes(10).hex(),
        data_key=sealer.wrap(sealer.new_data_key(), workspace_id),
        created_at=now,
    )
    domain = PortalDomain(
        workspace_id=workspace_id,
        domain_id=new_id(),
        host=host,
        state=DomainState.ACTIVE.value,
        is_primary=True,
        verify_token=secret_bytes(16).hex(),
        claimed_at=now,
        verified_at=now,
    )
    try:
        async with savepoint():
            await Workspace.insert(row)
            await PortalDomain.insert(domain)
            await create_event_head()
    except asyncpg.UniqueViolationError as error:
        raise Conflict("workspace.slug_taken", f"The name {slug} is taken.", slug=slug) from error
    return await queries.profile()


async def set_brand(
    *, name: str | None = None, colour: str | None = None, contact_line: str | None = None
) -> WorkspaceProfile:
    """Change how the workspace presents itself; None leaves as it is.

    Invalid (`workspace.name`, `workspace.colour`, `workspace.contact_line`), Missing("workspace.not_found").
    """
    return await _change(
        {
            "name": None if name is None else values.check_name(name),
            "brand_colour": None if colour is None else values.check_colour(colour),
            "contact_line": None if contact_line is None else values.check_contact_line(contact_line),
        }
    )


async def set_region(
    *, locale: str | None = None, time_zone: str | None = None, currency: str | None = None
) -> WorkspaceProfile:
    """Change language, time zone and default currency; None leaves as it is. Issued invoices keep theirs.

    Invalid (`locale.unknown`, `zone.unknown`, `currency.unknown`), Missing("workspace.not_found").
    """
    return await _change(
        {
            "locale": None if locale is None else values.check_locale(locale),
            "time_zone": None if time_zone is None else values.check_time_zone(time_zone),
            "currency": None if currency is None else values.check_currency(currency),
        }
    )


async def set_terms(*, payment_days: int | None = None, link_days: int | None = None) -> WorkspaceProfile:
    """Change after how many days invoices are due, and how many more their links live; None leaves as it is.

    For what is issued from now on. Invalid("workspace.days"), Missing("workspace.not_found").
    """
    return await _change(
        {
            "payment_days": None if payment_days is None else values.check_days(payment_days, 365),
            "link_days": None if link_days is None else values.check_days(link_days, 3650),
        }
    )


async def set_logo(image: LogoImage, *, clock: Clock) -> LogoRef:
    """Make an image that `logo.reencode` has drawn the workspace's logo.

    Earlier logos stay: their names stand in pages that are still open. Missing("workspace.not_found").
    """
    await queries.profile()
    return await _shown(image, clock)


async def fetch_logo(url: str) -> EnqueuedJob:
    """Have the picture of a URL fetched and made the logo; Invalid("url.refused").

    Until then the logo stays as it is, and for ever where the URL leads to no picture: then the job is dead and
    says why. Whatever is chosen after it, by URL, file or none, counts instead.
    """
    await queries.profile()
    added = await enqueue(FetchLogo(url=checked_url(url)))
    await execute(_AWAIT, current_workspace(), added.job_id)
    return added


async def keep_fetched_logo(image: LogoImage, job_id: UUID, *, clock: Clock) -> LogoRef | None:
    """Make the picture that a job has fetched the logo; None when something else was chosen meanwhile.

    Missing("workspace.not_found").
    """
    await queries.profile()
    if await fetch_one(_AWAITED, current_workspace(), job_id) is None:
        return None
    return await _shown(image, clock)


async def remove_logo() -> WorkspaceProfile:
    """Show the workspace's name instead of a logo; Missing("workspace.not_found")."""
    await execute(_SHOW, current_workspace(), None)
    return await queries.profile()


async def claim_domain(
    host: str, *, base_domain: str, reserved_hosts: Collection[str], clock: Clock
) -> queries.Domain:
    """Note that the workspace wants to use a host, and return what proves that it may.

    Anybody may claim any host; the proof decides. A released one can be claimed again. Invalid
    (`domain.name`, `domain.reserved`), Conflict("domain.exists") for one that is in use here already.
    """
    name = domains.check_foreign(domains.canonical_host(host), base_domain, reserved_hosts)
    workspace_id = current_workspace()
    found = await fetch_one(_LOCK_HOST, workspace_id, name)
    if found is not None and found["state"] == DomainState.CLAIMED:
        return queries.domain(found)
    if found is not None and found["state"] != DomainState.RELEASED:
        raise Conflict("domain.exists", f"{name} is one of this workspace's domains already.", host=name)
    if found is not None:
        await PortalDomain.delete().where(
            PortalDomain.workspace_id == workspace_id, PortalDomain.domain_id == found["domain_id"]
        )
    claimed = PortalDomain(
        workspace_id=workspace_id,
        domain_id=new_id(),
        host=name,
        state=DomainState.CLAIMED.value,
        verify_token=secret_bytes(16).hex(),
        claimed_at=clock.now(),
    )
    await PortalDomain.insert(claimed)
    return queries.domain(claimed.to_dict())


async def verify_domain(domain_id: DomainId, *, found_txt: Collection[str], clock: Clock) -> queries.Domain:
    """Take a claimed domain as the workspace's own, given the TXT records found at `_portal-verify.<host>`.

    Look them up before the unit of work is opened. Invalid("domain.unproven") if the token is not among
    them, Conflict (`domain.taken` if another workspace has proven it or released it within 30 days,
    `domain.state`), Missing("domain.not_found").
    """
    row = await _locked(domain_id)
    wanted = domains.step(DomainState(row.state), DomainState.VERIFIED)
    if row.verify_token not in {text.strip().strip('"') for text in found_txt}:
        words = f"The TXT record _portal-verify.{row.host} does not hold the token."
        raise Invalid("domain.unproven", words, host=row.host)
    now = clock.now()
    changes: dict[Column | str, Any] = {
        PortalDomain.state: wanted.value,
        PortalDomain.verified_at: now,
        PortalDomain.checked_at: now,
    }
    try:
        async with savepoint():
            await PortalDomain.update(changes).where(_is(domain_id))
    except asyncpg.UniqueViolationError as error:
        raise Conflict("domain.taken", f"{row.host} belongs to another workspace.", host=row.host) from error
    return queries.domain(await _row(domain_id))


async def set_domain_state(domain_id: DomainId, wanted: DomainState, *, clock: Clock) -> queries.Domain:
    """Move a proven domain on: issuing, active, degraded, as certificates and daily checks have it.

    Conflict("domain.state") for a step that is not one of `domains.TRANSITIONS`, or that has an action of
    its own (claim, verify, release); Missing("domain.not_found").
    """
    row = await _locked(domain_id)
    state = domains.step(DomainState(row.state), wanted)
    if state in {DomainState.CLAIMED, DomainState.VERIFIED, DomainState.RELEASED}:
        raise Conflict(
            "domain.state", f"A domain becomes {state.value} by its own action.", wanted=state.value
        )
    await PortalDomain.update({PortalDomain.state: state.value, PortalDomain.checked_at: clock.now()}).where(
        _is(domain_id)
    )
    return queries.domain(await _row(domain_id))


async def set_primary_domain(domain_id: DomainId) -> queries.Domain:
    """Let absolute links name this domain; the others keep working.

    Conflict("domain.state") for one that is not served, Missing("domain.not_found").
    """
    row = await _locked(domain_id)
    if DomainState(row.state) not in domains.SERVED:
        raise Conflict("domain.state", f"{row.host} is not active.", current=row.state)
    await PortalDomain.update({PortalDomain.is_primary: False}).where(
        PortalDomain.workspace_id == current_workspace(), PortalDomain.is_primary.eq(value=True)
    )
    await PortalDomain.update({PortalDomain.is_primary: True}).where(_is(domain_id))
    return queries.domain(await _row(domain_id))


async def release_domain(domain_id: DomainId, *, clock: Clock) -> None:
    """Give a domain up: it is served no more, and stays taken for 30 days. A mere claim is forgotten.

    Conflict("domain.primary") for the one absolute links name, Missing("domain.not_found").
    """
    row = await _locked(domain_id)
    if row.is_primary:
        raise Conflict("domain.primary", "Make another domain the primary one first.", host=row.host)
    if row.state == DomainState.CLAIMED:
        await PortalDomain.delete().where(_is(domain_id))
        return
    state = domains.step(DomainState(row.state), DomainState.RELEASED)
    await PortalDomain.update({PortalDomain.state: state.value, PortalDomain.released_at: clock.now()}).where(
        _is(domain_id)
    )


async def purge_released_domains(*, clock: Clock) -> int:
    """Forget tombstones older than 30 days: the bound workspace's, or as role svc all. Returns how many."""
    tag = await execute(_PURGE, clock.now() - dt.timedelta(days=TOMBSTONE_DAYS))
    return int(tag.rpartition(" ")[2])


async def _shown(image: LogoImage, clock: Clock) -> LogoRef:
    workspace_id = current_workspace()
    await execute(_KEEP_ASSET, workspace_id, image.sha256, image.width, image.height, image.png, clock.now())
    await execute(_SHOW, workspace_id, image.sha256)
    return LogoRef(image.sha256, image.width, image.height)


async def _change(changes: dict[str, str | int | None]) -> WorkspaceProfile:
    given: dict[Column | str, Any] = {column: value for column, value in changes.items() if value is not None}
    if given:
        await Workspace.update(given).where(Workspace.workspace_id == current_workspace())
    return await queries.profile()


def _is(domain_id: DomainId) -> And:
    return (PortalDomain.workspace_id == current_workspace()) & (PortalDomain.domain_id == domain_id)


async def _locked(domain_id: DomainId) -> PortalDomain:
    query = PortalDomain.objects().where(_is(domain_id)).lock_rows("UPDATE").first()
    row = await query
    if row is None:
        raise Missing("domain.not_found", "There is no such domain.")
    return row


async def _row(domain_id: DomainId) -> dict[str, object]:
    row = await PortalDomain.select().where(_is(domain_id)).first()
    if row is None:
        raise Missing("domain.not_found", "There is no such domain.")
    return row
