"""When a link expires: by the workspace's policy, and at the earliest some days after it was shown."""

from __future__ import annotations

import datetime as dt
from typing import Final

from kernel.clock import find_zone

#: A link stays valid for at least this long after it was shown to a member, who may then send it.
MIN_LIFETIME: Final = dt.timedelta(days=10)


def compute_expiry(
    *, shown_at: dt.datetime, due: dt.date | None, link_days: int, time_zone: str
) -> dt.datetime:
    """Return when a link that is shown now expires: `link_days` after the due day, at midnight of the zone.

    At the earliest 10 days after it was shown. Without a due day the days count from the day it is shown.
    """
    zone_info = find_zone(time_zone)
    first_day = due if due is not None else shown_at.astimezone(zone_info).date()
    last_day = first_day + dt.timedelta(days=link_days)
    midnight = dt.datetime.combine(last_day + dt.timedelta(days=1), dt.time.min, tzinfo=zone_info)
    return max(midnight.astimezone(dt.UTC), shown_at + MIN_LIFETIME)


def extend_expiry(expires_at: dt.datetime, *, shown_at: dt.datetime) -> dt.datetime:
    """Return when a link expires after it has been shown again."""
    return max(expires_at, shown_at + MIN_LIFETIME)
