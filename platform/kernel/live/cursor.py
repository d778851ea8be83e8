"""A reader's place in a stream."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

import msgspec

from kernel.errors import Conflict

_LARGEST_SEQ: Final = 2**63 - 1
# int() takes signs, spaces, underlines and digits of other scripts as well.
_SEQ: Final = re.compile("[0-9]{1,19}")


class Cursor(msgspec.Struct, frozen=True):
    """The last event that a reader has seen, by the counter of its audience; 0 for none.

    After another `epoch` the counters mean other events: the reader starts anew.
    """

    epoch: UUID
    seq: int


def parse_seq(text: str) -> int:
    """Return a place in a log that a client names; ValueError for what is none."""
    if not _SEQ.fullmatch(text) or (seq := int(text)) > _LARGEST_SEQ:
        raise ValueError("not a place in a log")
    return seq


class ResetRequired(Conflict):
    """The reader must load its state again: its cursor is of another epoch, or ahead of the log."""

    def __init__(self, cursor: Cursor) -> None:
        message = "The log is another one: load its present state, and follow from there."
        super().__init__("live.reset", message, epoch=str(cursor.epoch), head=cursor.seq)
        self.cursor = cursor
        """The log's present place."""
