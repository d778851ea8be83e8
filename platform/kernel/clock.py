"""Where the time comes from: one port, the system's clock and one that tests and the sandbox turn."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kernel.errors import Invalid


class Clock(Protocol):
    """Tells the moment, always aware and in UTC."""

    def now(self) -> datetime:
        """Return this moment in UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return this moment in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is advanced."""

    def __init__(self, start: datetime) -> None:
        """Start at an aware moment of any zone; a naive one is a ValueError."""
        if start.tzinfo is None:
            raise ValueError("a clock starts at an aware datetime")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the moment it stands at, in UTC."""
        return self._now

    def advance(self, step: timedelta) -> None:
        """Turn it on by `step`; back, when it is negative."""
        self._now += step


def find_zone(name: str) -> ZoneInfo:
    """Return the zone of an IANA name ("Europe/Berlin"); Invalid("zone.unknown") when there is none."""
    try:
        return ZoneInfo(name)
    # An empty, absolute or overlong name, or the name of a folder, is not a ZoneInfoNotFoundError.
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid("zone.unknown", f"There is no time zone called {name!r}.", zone=name) from error


def today(clock: Clock, zone_name: str) -> date:
    """Return the calendar day it is now in a zone; Invalid("zone.unknown") for an unknown zone."""
    return clock.now().astimezone(find_zone(zone_name)).date()
