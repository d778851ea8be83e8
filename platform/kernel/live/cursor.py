"""A reader's place in a stream."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from kernel.errors import Conflict


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last event that a reader has seen, by the counter of its audience; 0 for none.

    After another `epoch` the counters mean other events: the reader starts anew.
    """

    epoch: UUID
    seq: int


class ResetRequired(Conflict):
    """The reader must load its state again: its cursor is of another epoch, or ahead of the log."""

    def __init__(self, cursor: Cursor) -> None:
        message = "The log is another one: load its present state, and follow from there."
        super().__init__("live.reset", message, epoch=str(cursor.epoch), head=cursor.seq)
        self.cursor = cursor
        """The log's present place."""
