"""A reader's place in a stream."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last event that a reader has seen, by the counter of its audience; 0 for none.

    After another `epoch` the counters mean other events: the reader starts anew.
    """

    epoch: UUID
    seq: int
