"""Readers of rooms that record what they get."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from kernel.live import Cursor, Entry

TIMEOUT_S = 20


@dataclass(eq=False, slots=True)
class RecordingFollower:
    """Keeps each call in order."""

    viewers: frozenset[UUID] = frozenset()
    entries: list[Entry] = field(default_factory=list)
    resets: list[Cursor] = field(default_factory=list)
    revocations: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def deliver(self, entry: Entry) -> None:
        """Record an event."""
        self.entries.append(entry)
        self.changed.set()

    def reset(self, cursor: Cursor) -> None:
        """Record the log's place."""
        self.resets.append(cursor)
        self.changed.set()

    def revoke(self) -> None:
        """Count."""
        self.revocations += 1
        self.changed.set()

    @property
    def seqs(self) -> list[int]:
        """The places of the events so far."""
        return [entry.seq for entry in self.entries]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events so far, where frames are JSON."""
        return [json.loads(entry.frame) for entry in self.entries]

    async def wait_for(self, count: int) -> None:
        """Wait until so many events have come."""
        async with asyncio.timeout(TIMEOUT_S):
            while len(self.entries) < count:
                self.changed.clear()
                await self.changed.wait()

    async def wait_for_end(self) -> None:
        """Wait until it was reset or revoked."""
        async with asyncio.timeout(TIMEOUT_S):
            while not self.resets and not self.revocations:
                self.changed.clear()
                await self.changed.wait()
