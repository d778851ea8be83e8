"""A reader of an invoice's events as the browser is one, over both transports; and one without the gate.

It changes its transport as it likes: the next one is opened while the other still delivers, as browsers do, so that
both may deliver the same event. The gate takes each once and in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from random import Random
from typing import Any, Protocol
from uuid import UUID

from kernel.live import Cursor

HELLO_TIMEOUT_S = 2.5
OVERLAP_S = (0.05, 0.8)
PAUSE_S = (0.05, 0.4)


class End(Enum):
    """Why a transport has ended."""

    LOST = auto()
    """Closed or failed: resume from the cursor."""
    GAP = auto()
    """Something is missing: resume from the cursor."""
    RESET = auto()
    """The reader has begun anew at another cursor."""
    FINAL = auto()
    """Refused for good."""


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event as it arrived."""

    seq: int
    kind: str
    client_id: str | None


@dataclass(slots=True)
class EpochRecord:
    """What a reader applied of one epoch, in the order in which it did; `start` is where it began."""

    epoch: UUID
    start: int
    events: list[ReceivedEvent] = field(default_factory=list)


class Transport(Protocol):
    """Delivers events after the reader's cursor until it ends; calls `opened` as soon as it is sure to deliver."""

    @property
    def name(self) -> str:
        """What it is counted as."""
        ...

    async def follow(self, reader: Reader, opened: Callable[[], None]) -> End:
        """Deliver to the reader until it is over, or cancelled."""
        ...


class Reader:
    """Keeps what it applied, for each epoch.

    With the gate: ignore what is not after the cursor, apply what follows it, resume otherwise. Without: apply all.
    """

    def __init__(
        self,
        name: str,
        cursor: Cursor,
        transports: Sequence[Transport],
        *,
        random: Random,
        is_gated: bool = True,
    ) -> None:
        """Read from the cursor on when it is run."""
        self.name = name
        self.cursor = cursor
        self.is_gated = is_gated
        self.random = random
        self.records = [EpochRecord(cursor.epoch, cursor.seq)]
        #: How often something happened, by its name.
        self.counts: dict[str, int] = {}
        self.is_steady = False
        """Set at the end of a run: the reader keeps its transport as long as it works, one without the gate both."""
        self._transports = tuple(transports)
        self._away_s = 0.0
        # With what is set as soon as it delivers.
        self._links: dict[asyncio.Task[End], asyncio.Event] = {}

    @property
    def is_served_twice(self) -> bool:
        """Whether two transports deliver: without the gate the next event is applied twice."""
        return sum(opened.is_set() and not link.done() for link, opened in self._links.items()) > 1

    def count(self, what: str) -> None:
        """Count something that happened."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def take(self, epoch: UUID, event: dict[str, Any]) -> bool:
        """Apply an event that a transport of this epoch delivered; False when something before it is missing."""
        if epoch != self.cursor.epoch:
            # A transport of the epoch before, which is about to end.
            self.count("other epoch")
            return True
        seq = int(event["seq"])
        if self.is_gated and seq <= self.cursor.seq:
            self.count("repeated")
            return True
        if self.is_gated and seq != self.cursor.seq + 1:
            self.count("gap")
            return False
        self.records[-1].events.append(ReceivedEvent(seq, event["kind"], event["client_id"]))
        self.cursor = Cursor(epoch, seq)
        return True

    def is_behind(self, epoch: UUID, head: int) -> bool:
        """Tell whether a transport that has delivered all it had stands later than this reader."""
        return self.is_gated and epoch == self.cursor.epoch and head > self.cursor.seq

    def reset(self, asked: Cursor, epoch: UUID, head: int) -> None:
        """Begin anew, as a page that is loaded again; `asked` is the cursor that was refused."""
        if asked.epoch != self.cursor.epoch:
            return  # the other transport has said it before
        self.count("reset")
        self.cursor = Cursor(epoch, head)
        self.records.append(EpochRecord(epoch, head))

    def cut_off(self, away_s: float = 0.0) -> None:
        """End what delivers now, and come back after so many seconds."""
        self._away_s = away_s
        for link in list(self._links):
            link.cancel()

    async def run(self) -> None:
        """Read until cancelled, over one transport after the other."""
        try:
            while True:
                await self._follow_next()
        finally:
            for link in self._links:
                link.cancel()
            await asyncio.gather(*self._links, return_exceptions=True)

    async def _follow_next(self) -> None:
        """Open another transport, then end the one before it; return when it has ended or it is time for a change."""
        away_s, self._away_s = self._away_s, 0.0
        await asyncio.sleep(away_s)
        transport = self.random.choice(self._transports)
        opened = asyncio.Event()
        link = asyncio.create_task(transport.follow(self, opened.set))
        self._links[link] = opened
        is_open = await _wait_for_opening(link, opened)
        self.count(f"{transport.name} opened" if is_open else f"{transport.name} failed")
        if self.is_gated and not is_open:
            # The other one stays until another has been opened.
            await self._end(link)
            await asyncio.sleep(self.random.uniform(*PAUSE_S))
            return
        await asyncio.sleep(self.random.uniform(*OVERLAP_S))
        for other in [each for each in self._links if each is not link]:
            if self.is_gated or not self.is_steady or other.done():
                await self._end(other)
        life = None if self.is_steady else self.random.expovariate(1 / 2.5)
        done, _ = await asyncio.wait({link}, timeout=life)
        if done:
            await self._end(link)
            await asyncio.sleep(self.random.uniform(*PAUSE_S))

    async def _end(self, link: asyncio.Task[End]) -> None:
        link.cancel()
        del self._links[link]
        await asyncio.wait({link})
        self.count(f"end {'cancelled' if link.cancelled() else link.result().name.lower()}")


async def _wait_for_opening(link: asyncio.Task[End], opened: asyncio.Event) -> bool:
    opening = asyncio.create_task(opened.wait())
    try:
        await asyncio.wait({link, opening}, timeout=HELLO_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        return opened.is_set()
    finally:
        opening.cancel()
