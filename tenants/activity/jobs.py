"""Jobs on events."""

from __future__ import annotations

from typing import ClassVar

from kernel.jobs import Job


class PruneEvents(Job, frozen=True, kw_only=True):
    """Remove the workspace's events that are older than the retention."""

    kind: ClassVar[str] = "activity.prune_events"

    def dedupe_key(self) -> str:
        """Return a constant: a workspace has one such job at a time."""
        return "all"
