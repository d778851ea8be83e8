"""Rows of workspaces: the columns as Piccolo sees them; keys and constraints are in the migrations."""

from __future__ import annotations

from piccolo.columns import UUID, Boolean, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table

from kernel.store import ENGINE


class Workspace(Table, db=ENGINE, tablename="workspace"):
    """A tenant; row-level security shows it no other row."""

    workspace_id = UUID(primary_key=True)
    slug = Text()
    name = Text()
    locale = Text()
    time_zone = Text()
    currency = Text()
    brand_colour = Text()
    contact_line = Text(default="")
    logo_sha256 = Text(null=True, default=None)
    payment_days = Integer()
    link_days = Integer()
    cname_label = Text()
    data_key = Bytea()
    created_at = Timestamptz()
    awaited_logo = UUID(null=True, default=None)
    write_mode = Text(default="link")
    write_totp = Boolean(default=False)
    otp_policy = Text(default="any")
    email = Text(default="")
    livemode = Boolean(default=True)
    takes_part_payments = Boolean(default=False)
    bank_holder = Text(default="")
    bank_account = Text(default="")
    bank_bic = Text(default="")
    bank_name = Text(default="")


class BrandAsset(Table, db=ENGINE, tablename="brand_asset"):
    """An image of the workspace's brand, named by the hash of its bytes."""

    workspace_id = UUID()
    sha256 = Text(primary_key=True)
    content_type = Text()
    width = Integer()
    height = Integer()
    data = Bytea()
    created_at = Timestamptz()


class PortalDomain(Table, db=ENGINE, tablename="portal_domain"):
    """A host on which the workspace's pages are, or are to be, served."""

    workspace_id = UUID()
    domain_id = UUID(primary_key=True)
    host = Text()
    state = Text()
    is_primary = Boolean(default=False)
    verify_token = Text()
    claimed_at = Timestamptz()
    verified_at = Timestamptz(null=True, default=None)
    checked_at = Timestamptz(null=True, default=None)
    released_at = Timestamptz(null=True, default=None)
