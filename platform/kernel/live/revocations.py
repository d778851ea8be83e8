"""What was revoked a short time ago: tickets that were issued before may still be valid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.live.ticket import TICKET_LIFE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from kernel.clock import Clock


class Revocations:
    """The viewers that were revoked within the life of a ticket."""

    def __init__(self, clock: Clock) -> None:
        """Remember nothing yet: a process that starts learns of later revocations only."""
        self._clock = clock
        self._ends: dict[UUID, datetime] = {}

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._ends)

    def add(self, viewer: UUID) -> None:
        """Remember a viewer until no ticket of it is valid."""
        now = self._clock.now()
        # In the order of their ends: all tickets live equally long.
        while self._ends and self._ends[next(iter(self._ends))] <= now:
            del self._ends[next(iter(self._ends))]
        self._ends.pop(viewer, None)
        self._ends[viewer] = now + TICKET_LIFE

    def cover(self, viewers: Iterable[UUID]) -> bool:
        """Tell whether one of these was revoked."""
        return any(viewer in self._ends and self._ends[viewer] > self._clock.now() for viewer in viewers)
