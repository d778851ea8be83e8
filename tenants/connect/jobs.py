"""Jobs on connected accounts."""

from __future__ import annotations

from typing import ClassVar

from kernel.jobs import Job
from tenants.workspaces.jobs import RegisterPaymentDomain

__all__ = ["RefreshAccount", "RegisterPaymentDomain"]


class RefreshAccount(Job, frozen=True, kw_only=True):
    """Read at Stripe whether the workspace's account may take card payments."""

    kind: ClassVar[str] = "connect.refresh_account"
    queue: ClassVar[str] = "payments"

    def dedupe_key(self) -> str:
        """Return a constant: a workspace has one account."""
        return "current"
