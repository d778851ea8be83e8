"""The realtime streams of a workspace as a whole."""

from __future__ import annotations

from kernel import live
from tenants.activity.actions import emit
from tenants.workspaces.events import StreamsReset


async def reset_streams() -> int:
    """Make all readers of the workspace start anew; returns how many streams there are.

    For the operator who has restored the database to an earlier moment: what readers have seen since then is gone, and
    other events will get its places.
    """
    streams = await live.change_epochs()
    if streams:
        await emit(StreamsReset(streams=streams))
    return streams
