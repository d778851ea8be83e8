"""How long a link lives: the workspace's policy, and the promise made to whoever was just shown it."""

from __future__ import annotations

import datetime as dt
from typing import Final

from kernel.clock import zone

#: A link that was shown to a member today can be sent today: it lives at least this long from then on.
LEAST: Final = dt.timedelta(days=10)


def expiry(*, shown_at: dt.datetime, due: dt.date | None, link_days: int, time_zone: str) -> dt.datetime:
    """Return when a link that is shown now ends: `link_days` after the due day, at midnight of the zone.

    Never less than 10 days after it was shown. Without a due day it counts from the day it is shown.
    """
    where = zone(time_zone)
    counted_from = due if due is not None else shown_at.astimezone(where).date()
    last_day = counted_from + dt.timedelta(days=link_days)
    midnight = dt.datetime.combine(last_day + dt.timedelta(days=1), dt.time.min, tzinfo=where)
    return max(midnight.astimezone(dt.UTC), shown_at + LEAST)


def prolonged(expires_at: dt.datetime, *, shown_at: dt.datetime) -> dt.datetime:
    """Return when a link ends after it has been shown once more."""
    return max(expires_at, shown_at + LEAST)
