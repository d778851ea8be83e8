"""Reads of workspaces: by host, slug and id, with their domains and brand images."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Final

from kernel.errors import Missing
from kernel.ids import WorkspaceId
from kernel.seals import DataKey, Sealer
from kernel.store import Database, current_workspace, fetch_one
from tenants.ids import DomainId
from tenants.workspaces.authority import WriteAuthority, read_authority
from tenants.workspaces.domains import DomainState
from tenants.workspaces.mail_sender import BuildUrl, MailSender, build_mail_sender
from tenants.workspaces.profile import (
    BankDetails,
    LogoRef,
    PaymentSettings,
    ResolvedHost,
    WorkspaceProfile,
)
from tenants.workspaces.tables import BrandAsset, PortalDomain, Workspace

_SELECT_BY_HOST: Final = "SELECT * FROM portal_workspace_by_host($1)"
_SELECT_PROFILE: Final = """
SELECT w.workspace_id, w.slug, w.name, w.locale, w.time_zone, w.currency, w.brand_colour, w.contact_line,
       w.logo_sha256, a.width AS logo_width, a.height AS logo_height, w.payment_days, w.link_days
FROM workspace w
LEFT JOIN brand_asset a ON a.workspace_id = w.workspace_id AND a.sha256 = w.logo_sha256
WHERE w.workspace_id = $1
"""


@dataclass(frozen=True, slots=True)
class WorkspaceSummary:
    """One workspace in the operators' list."""

    workspace_id: WorkspaceId
    slug: str
    name: str
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Domain:
    """A portal domain as its workspace sees it.

    A TXT record `_portal-verify.<host>` with `verify_token` verifies it.
    """

    domain_id: DomainId
    host: str
    state: DomainState
    is_primary: bool
    verify_token: str


@dataclass(frozen=True, slots=True)
class BrandImage:
    """An image ready to be served; its name is the hash of its bytes."""

    content_type: str
    data: bytes = field(repr=False)


async def find_workspace_by_host(database: Database, host: str) -> ResolvedHost | None:
    """Return the workspace of a canonical host; None if no workspace is served there.

    One round trip, outside any unit of work, through the definer function of the same name.
    Raises Unavailable as `Database.fetch_autocommit` does.
    """
    row = await database.fetch_autocommit(_SELECT_BY_HOST, host)
    if row is None:
        return None
    return ResolvedHost(row["host"], row["primary_host"] or row["host"], _read_profile(row))


async def load_profile() -> WorkspaceProfile:
    """Return the bound workspace; Missing("workspace.not_found") if it was never created."""
    row = await fetch_one(_SELECT_PROFILE, current_workspace())
    if row is None:
        raise missing_workspace()
    return _read_profile(row)


async def load_write_authority() -> WriteAuthority:
    """Return who may write comments where neither the customer nor the invoice says otherwise.

    Missing("workspace.not_found").
    """
    row = (
        await Workspace.select(Workspace.write_mode, Workspace.write_totp, Workspace.otp_policy)
        .where(Workspace.workspace_id == current_workspace())
        .first()
    )
    authority = None if row is None else read_authority(row)
    if authority is None:
        raise missing_workspace()
    return authority


async def load_payment_settings() -> PaymentSettings:
    """Return how the bound workspace is paid; Missing("workspace.not_found")."""
    row = (
        await Workspace.select(
            Workspace.livemode,
            Workspace.takes_part_payments,
            Workspace.bank_holder,
            Workspace.bank_account,
            Workspace.bank_bic,
            Workspace.bank_name,
        )
        .where(Workspace.workspace_id == current_workspace())
        .first()
    )
    if row is None:
        raise missing_workspace()
    bank = BankDetails(row["bank_holder"], row["bank_account"], row["bank_bic"], row["bank_name"])
    return PaymentSettings(row["livemode"], row["takes_part_payments"], bank)


async def list_domains() -> tuple[Domain, ...]:
    """Return the bound workspace's domains, the primary one first."""
    rows = (
        await PortalDomain.select()
        .where(PortalDomain.workspace_id == current_workspace())
        .order_by(PortalDomain.is_primary, ascending=False)
        .order_by(PortalDomain.host)
    )
    return tuple(read_domain(row) for row in rows)


async def load_primary_host() -> str:
    """Return the host that absolute links of the bound workspace name; Missing("domain.not_found")."""
    for found in await list_domains():
        if found.is_primary:
            return found.host
    raise Missing("domain.not_found", "The workspace has no primary domain.")


async def load_contact_email() -> str:
    """Return the address that is told of new comments, or ""; Missing("workspace.not_found")."""
    row = await Workspace.select(Workspace.email).where(Workspace.workspace_id == current_workspace()).first()
    if row is None:
        raise missing_workspace()
    return str(row["email"])


async def load_mail_sender(build_url: BuildUrl) -> MailSender:
    """Return the bound workspace as its mails show it; Missing("workspace.not_found", "domain.not_found")."""
    return build_mail_sender(
        await load_profile(),
        host=await load_primary_host(),
        email=await load_contact_email(),
        build_url=build_url,
    )


async def load_brand_image(sha256: str) -> BrandImage:
    """Return an image of the bound workspace by the hex hash of its bytes; Missing("brand.not_found")."""
    row = (
        await BrandAsset.select(BrandAsset.content_type, BrandAsset.data)
        .where(BrandAsset.workspace_id == current_workspace())
        .where(BrandAsset.sha256 == sha256)
        .first()
    )
    if row is None:
        raise Missing("brand.not_found", "There is no such image.")
    return BrandImage(row["content_type"], bytes(row["data"]))


async def load_data_key(sealer: Sealer) -> DataKey:
    """Return the unwrapped data key of the bound workspace, which seals its secrets.

    Missing("workspace.not_found"); Invalid("seal.broken") when the environment's keys do not open it.
    """
    workspace_id = current_workspace()
    row = await Workspace.select(Workspace.data_key).where(Workspace.workspace_id == workspace_id).first()
    if row is None:
        raise missing_workspace()
    return sealer.unwrap(bytes(row["data_key"]), workspace_id)


async def list_workspaces(*, limit: int = 100, after: str = "") -> tuple[WorkspaceSummary, ...]:
    """Return workspaces by slug, from the one after `after`; role svc only: operators' list.

    Bound to a workspace as role app it returns that workspace alone.
    """
    rows = (
        await Workspace.select(Workspace.workspace_id, Workspace.slug, Workspace.name, Workspace.created_at)
        .where(Workspace.slug > after)
        .order_by(Workspace.slug)
        .limit(limit)
    )
    return tuple(
        WorkspaceSummary(WorkspaceId(row["workspace_id"]), row["slug"], row["name"], row["created_at"])
        for row in rows
    )


async def find_workspace_by_slug(slug: str) -> WorkspaceId:
    """Return a workspace's id by its slug; role svc only. Missing("workspace.not_found")."""
    row = await Workspace.select(Workspace.workspace_id).where(Workspace.slug == slug).first()
    if row is None:
        raise Missing("workspace.not_found", f"There is no workspace {slug!r}.", slug=slug)
    return WorkspaceId(row["workspace_id"])


def read_domain(row: Any) -> Domain:
    """Return the value of a row of portal_domain."""
    return Domain(
        DomainId(row["domain_id"]),
        row["host"],
        DomainState(row["state"]),
        row["is_primary"],
        row["verify_token"],
    )


def missing_workspace() -> Missing:
    """Return the error for a workspace that was never created."""
    return Missing("workspace.not_found", "There is no such workspace.")


def _read_profile(row: Any) -> WorkspaceProfile:
    sha256 = row["logo_sha256"]
    logo = None if sha256 is None else LogoRef(sha256, row["logo_width"], row["logo_height"])
    return WorkspaceProfile(
        workspace_id=WorkspaceId(row["workspace_id"]),
        slug=row["slug"],
        name=row["name"],
        locale=row["locale"],
        time_zone=row["time_zone"],
        currency=row["currency"],
        brand_colour=row["brand_colour"],
        contact_line=row["contact_line"],
        logo=logo,
        payment_days=row["payment_days"],
        link_days=row["link_days"],
    )
