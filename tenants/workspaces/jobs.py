"""What must happen later to workspaces."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from kernel.jobs import Job


class ForgetReleasedDomains(Job, frozen=True, kw_only=True):
    """Forget the workspace's tombstones of domains that it released long ago."""

    kind: ClassVar[str] = "workspaces.forget_released_domains"

    def dedupe_key(self) -> str:
        """One at a time is enough for a workspace."""
        return "all"


class FetchLogo(Job, frozen=True, kw_only=True):
    """Fetch the picture that a URL names and make it the workspace's logo."""

    kind: ClassVar[str] = "workspaces.fetch_logo"
    max_attempts: ClassVar[int] = 5
    backoff_s = 30

    url: str

    def dedupe_key(self) -> str:
        """The same URL need not be asked twice at once."""
        return hashlib.sha256(self.url.encode()).hexdigest()
