"""What must happen later to workspaces."""

from __future__ import annotations

from typing import ClassVar

from kernel.jobs import Job


class ForgetReleasedDomains(Job, frozen=True, kw_only=True):
    """Forget the workspace's tombstones of domains that it released long ago."""

    kind: ClassVar[str] = "workspaces.forget_released_domains"

    def dedupe_key(self) -> str:
        """One at a time is enough for a workspace."""
        return "all"
