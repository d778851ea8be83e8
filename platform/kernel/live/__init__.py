"""Realtime streams: events that readers follow by contiguous counters."""

from kernel.live.cursor import Cursor
from kernel.live.log import (
    Audience,
    Heads,
    LiveEvent,
    NewEvent,
    Place,
    append,
    append_many,
    create_stream,
    delete_stream,
    load_heads,
    read_events,
)

__all__ = [
    "Audience",
    "Cursor",
    "Heads",
    "LiveEvent",
    "NewEvent",
    "Place",
    "append",
    "append_many",
    "create_stream",
    "delete_stream",
    "load_heads",
    "read_events",
]
