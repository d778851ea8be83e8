"""Realtime streams: events that readers follow by contiguous counters."""

from kernel.live.cursor import Cursor, ResetRequired, parse_seq
from kernel.live.log import (
    Audience,
    Heads,
    LiveEvent,
    NewEvent,
    Place,
    append,
    append_many,
    change_epochs,
    create_stream,
    delete_stream,
    load_heads,
    read_events,
)
from kernel.live.reader import LogKey
from kernel.live.room import Entry, Follower
from kernel.live.rooms import Rooms
from kernel.live.ticket import TICKET_LIFE, Ticket, Tickets
from kernel.live.wake import revoke_after_commit

__all__ = [
    "TICKET_LIFE",
    "Audience",
    "Cursor",
    "Entry",
    "Follower",
    "Heads",
    "LiveEvent",
    "LogKey",
    "NewEvent",
    "Place",
    "ResetRequired",
    "Rooms",
    "Ticket",
    "Tickets",
    "append",
    "append_many",
    "change_epochs",
    "create_stream",
    "delete_stream",
    "load_heads",
    "parse_seq",
    "read_events",
    "revoke_after_commit",
]
