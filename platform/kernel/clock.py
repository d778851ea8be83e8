"""The source of time: the system's clock, and a fixed one for tests and sandboxes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kernel.errors import Invalid


class Clock(Protocol):
    """Returns the current time, always aware and in UTC."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        ...


class SystemClock:
    """The system's clock."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock whose time changes only by `advance`."""

    def __init__(self, start: datetime) -> None:
        """Start at an aware time in any zone; ValueError for a naive one."""
        if start.tzinfo is None:
            raise ValueError("a clock starts at an aware datetime")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the set time in UTC."""
        return self._now

    def advance(self, step: timedelta) -> None:
        """Add `step`, which may be negative."""
        self._now += step


def find_zone(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name ("Europe/Berlin"); raises Invalid("zone.unknown")."""
    try:
        return ZoneInfo(name)
    # An empty, absolute or overlong name, or the name of a folder, is not a ZoneInfoNotFoundError.
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid("zone.unknown", f"There is no time zone called {name!r}.", zone=name) from error


def today(clock: Clock, zone_name: str) -> date:
    """Return the current date in a time zone; raises Invalid("zone.unknown")."""
    return clock.now().astimezone(find_zone(zone_name)).date()
