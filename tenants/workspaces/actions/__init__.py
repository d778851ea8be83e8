"""What members, operators and jobs do to a workspace: each function runs inside the caller's unit of work."""

from tenants.workspaces.actions.domains import (
    claim_domain,
    purge_released_domains,
    release_domain,
    set_domain_state,
    set_primary_domain,
    verify_domain,
)
from tenants.workspaces.actions.logo import remove_logo, request_logo_fetch, set_fetched_logo, set_logo
from tenants.workspaces.actions.payments import set_bank_details, set_payment_settings
from tenants.workspaces.actions.profile import (
    create_workspace,
    set_brand,
    set_contact_email,
    set_region,
    set_terms,
    set_write_authority,
)
from tenants.workspaces.actions.streams import reset_streams

__all__ = [
    "claim_domain",
    "create_workspace",
    "purge_released_domains",
    "release_domain",
    "remove_logo",
    "request_logo_fetch",
    "reset_streams",
    "set_bank_details",
    "set_brand",
    "set_contact_email",
    "set_domain_state",
    "set_fetched_logo",
    "set_logo",
    "set_payment_settings",
    "set_primary_domain",
    "set_region",
    "set_terms",
    "set_write_authority",
    "verify_domain",
]
