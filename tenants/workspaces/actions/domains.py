"""Claim, verify, serve and release the domains of a workspace's portal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import asyncpg
from piccolo.columns.combination import And

from kernel.clock import Clock
from kernel.errors import Conflict, Invalid, Missing
from kernel.ids import new_id, new_secret
from kernel.jobs import enqueue
from kernel.store import current_workspace, savepoint
from tenants.activity.actions import emit
from tenants.ids import DomainId
from tenants.workspaces import domains, queries
from tenants.workspaces.domains import RESERVATION_DAYS, DomainState
from tenants.workspaces.events import (
    DomainClaimed,
    DomainClaimWithdrawn,
    DomainPurged,
    DomainReleased,
    DomainStateChanged,
    DomainVerified,
    PrimaryDomainChanged,
)
from tenants.workspaces.jobs import RegisterPaymentDomain
from tenants.workspaces.tables import PortalDomain


async def claim_domain(
    host: str, *, base_domain: str, reserved_hosts: Collection[str], clock: Clock
) -> queries.Domain:
    """Record a claim to a host, and return the domain with the token that verifies it.

    Several workspaces may claim one host; the first to verify it gets it. A released one can be claimed again. Invalid
    (`domain.name`, `domain.reserved`), Conflict("domain.exists") for one that is in use here already.
    """
    name = domains.check_custom_host(domains.parse_host(host), base_domain, reserved_hosts)
    workspace_id = current_workspace()
    found = (
        await PortalDomain.select()
        .where(PortalDomain.workspace_id == workspace_id, PortalDomain.host == name)
        .lock_rows("UPDATE")
        .first()
    )
    if found is not None and found["state"] == DomainState.CLAIMED:
        return queries.read_domain(found)
    if found is not None and found["state"] != DomainState.RELEASED:
        raise _domain_exists(name)
    if found is not None:
        await PortalDomain.delete().where(_has_id(found["domain_id"]))
    claimed = PortalDomain(
        workspace_id=workspace_id,
        domain_id=new_id(),
        host=name,
        state=DomainState.CLAIMED.value,
        verify_token=new_secret(16).hex(),
        claimed_at=clock.now(),
    )
    try:
        async with savepoint():
            await PortalDomain.insert(claimed)
    except asyncpg.UniqueViolationError as error:  # a concurrent claim of this workspace
        raise _domain_exists(name) from error
    await emit(DomainClaimed(domain_id=claimed.domain_id, host=name))
    return queries.read_domain(claimed.to_dict())


async def verify_domain(domain_id: DomainId, *, txt_records: Collection[str], clock: Clock) -> queries.Domain:
    """Verify a claimed domain by the TXT records found at `_portal-verify.<host>`.

    Look them up before the unit of work is opened. Invalid("domain.verification_failed") if the token is not among
    them, Conflict (`domain.taken` if another workspace has verified it, or released it within 30 days,
    `domain.state`), Missing("domain.not_found").
    """
    row = await _lock(domain_id)
    state = domains.check_transition(DomainState(row.state), DomainState.VERIFIED)
    if row.verify_token not in {text.strip().strip('"') for text in txt_records}:
        message = f"The TXT record _portal-verify.{row.host} does not hold the token."
        raise Invalid("domain.verification_failed", message, host=row.host)
    now = clock.now()
    try:
        async with savepoint():
            changed = (
                await PortalDomain.update(
                    {
                        PortalDomain.state: state.value,
                        PortalDomain.verified_at: now,
                        PortalDomain.checked_at: now,
                    }
                )
                .where(_has_id(domain_id))
                .returning(*PortalDomain.all_columns())
            )
    except asyncpg.UniqueViolationError as error:
        raise Conflict("domain.taken", f"{row.host} belongs to another workspace.", host=row.host) from error
    await emit(DomainVerified(domain_id=domain_id, host=row.host))
    return queries.read_domain(changed[0])


async def set_domain_state(domain_id: DomainId, wanted: DomainState, *, clock: Clock) -> queries.Domain:
    """Move a verified domain to issuing, active or degraded, by the state of its certificate or the daily check.

    Conflict("domain.state") for a transition that `domains.TRANSITIONS` does not have, or that has an action of
    its own (claim, verify, release); Missing("domain.not_found").
    """
    row = await _lock(domain_id)
    state = domains.check_transition(DomainState(row.state), wanted)
    if state in {DomainState.CLAIMED, DomainState.VERIFIED, DomainState.RELEASED}:
        message = f"A domain becomes {state.value} by its own action."
        raise Conflict("domain.state", message, wanted=state.value)
    changed = (
        await PortalDomain.update({PortalDomain.state: state.value, PortalDomain.checked_at: clock.now()})
        .where(_has_id(domain_id))
        .returning(*PortalDomain.all_columns())
    )
    if state is DomainState.ACTIVE:
        await enqueue(RegisterPaymentDomain(host=row.host))
    await emit(DomainStateChanged(domain_id=domain_id, host=row.host, before=row.state, after=state.value))
    return queries.read_domain(changed[0])


async def set_primary_domain(domain_id: DomainId) -> queries.Domain:
    """Use this domain in absolute links; the others are still served.

    Conflict("domain.state") for one that is not served, Missing("domain.not_found").
    """
    row = await _lock(domain_id)
    if DomainState(row.state) not in domains.SERVED:
        raise Conflict("domain.state", f"{row.host} is not active.", current=row.state)
    if row.is_primary:
        return queries.read_domain(row.to_dict())
    before = (
        await PortalDomain.update({PortalDomain.is_primary: False})
        .where(PortalDomain.workspace_id == current_workspace(), PortalDomain.is_primary.eq(value=True))
        .returning(PortalDomain.host)
    )
    changed = (
        await PortalDomain.update({PortalDomain.is_primary: True})
        .where(_has_id(domain_id))
        .returning(*PortalDomain.all_columns())
    )
    await emit(
        PrimaryDomainChanged(
            domain_id=domain_id, before=before[0]["host"] if before else None, after=row.host
        )
    )
    return queries.read_domain(changed[0])


async def release_domain(domain_id: DomainId, *, clock: Clock) -> None:
    """Stop serving a domain; no other workspace can verify it for 30 days. One that is only claimed is deleted.

    Conflict("domain.primary") for the one that absolute links name, Missing("domain.not_found").
    """
    row = await _lock(domain_id)
    if row.is_primary:
        raise Conflict("domain.primary", "Make another domain the primary one first.", host=row.host)
    if row.state == DomainState.CLAIMED:
        await PortalDomain.delete().where(_has_id(domain_id))
        await emit(DomainClaimWithdrawn(domain_id=domain_id, host=row.host))
        return
    state = domains.check_transition(DomainState(row.state), DomainState.RELEASED)
    await PortalDomain.update({PortalDomain.state: state.value, PortalDomain.released_at: clock.now()}).where(
        _has_id(domain_id)
    )
    await emit(DomainReleased(domain_id=domain_id, host=row.host))


async def purge_released_domains(*, clock: Clock) -> int:
    """Delete the workspace's domains that were released more than 30 days ago; returns how many."""
    purged = (
        await PortalDomain.delete()
        .where(
            PortalDomain.workspace_id == current_workspace(),
            PortalDomain.state == DomainState.RELEASED.value,
            PortalDomain.released_at < clock.now() - dt.timedelta(days=RESERVATION_DAYS),
        )
        .returning(PortalDomain.domain_id, PortalDomain.host)
    )
    for row in purged:
        await emit(DomainPurged(domain_id=row["domain_id"], host=row["host"]))
    return len(purged)


def _domain_exists(host: str) -> Conflict:
    return Conflict("domain.exists", f"{host} is one of this workspace's domains already.", host=host)


def _has_id(domain_id: DomainId) -> And:
    return (PortalDomain.workspace_id == current_workspace()) & (PortalDomain.domain_id == domain_id)


async def _lock(domain_id: DomainId) -> PortalDomain:
    row = await PortalDomain.objects().where(_has_id(domain_id)).lock_rows("UPDATE").first()
    if row is None:
        raise Missing("domain.not_found", "There is no such domain.")
    return row
