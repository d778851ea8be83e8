"""Jobs on workspaces."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from kernel.jobs import Job


class PurgeReleasedDomains(Job, frozen=True, kw_only=True):
    """Delete the domains that the workspace released more than 30 days ago."""

    kind: ClassVar[str] = "workspaces.purge_released_domains"

    def dedupe_key(self) -> str:
        """Return a constant: a workspace has one such job at a time."""
        return "all"


class FetchLogo(Job, frozen=True, kw_only=True):
    """Fetch the picture that a URL names and make it the workspace's logo."""

    kind: ClassVar[str] = "workspaces.fetch_logo"
    max_attempts: ClassVar[int] = 5
    backoff_s = 30

    url: str

    def dedupe_key(self) -> str:
        """Return the hash of the URL: one job at a time fetches it."""
        return hashlib.sha256(self.url.encode()).hexdigest()


class RegisterPaymentDomain(Job, frozen=True, kw_only=True):
    """Make a host known to the account that payments go to, if the workspace has one.

    Declared here because the change of a domain enqueues it; `tenants.connect` does it.
    """

    kind: ClassVar[str] = "connect.register_payment_domain"
    queue: ClassVar[str] = "payments"

    host: str

    def dedupe_key(self) -> str:
        """Return the host."""
        return self.host
