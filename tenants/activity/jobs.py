"""What must happen later to events."""

from __future__ import annotations

from typing import ClassVar

from kernel.jobs import Job


class PruneEvents(Job, frozen=True, kw_only=True):
    """Remove the workspace's events that are older than the retention."""

    kind: ClassVar[str] = "activity.prune_events"

    def dedupe_key(self) -> str:
        """Return the same for all: one at a time is enough for a workspace."""
        return "all"
