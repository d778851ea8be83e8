"""Moments are UTC, days belong to zones."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from kernel.clock import Clock, FixedClock, SystemClock, find_zone, today
from kernel.errors import Invalid


def test_the_system_clock_tells_utc() -> None:
    clock: Clock = SystemClock()
    before, moment, after = datetime.now(UTC), clock.now(), datetime.now(UTC)
    assert before <= moment <= after
    assert moment.utcoffset() == timedelta(0)


def test_a_fixed_clock_stands_still_until_it_is_advanced() -> None:
    clock = FixedClock(datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
    assert clock.now().tzinfo is UTC
    clock.advance(timedelta(minutes=90))
    assert clock.now() == datetime(2026, 3, 1, 11, 30, tzinfo=UTC)


def test_a_naive_start_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        FixedClock(datetime(2026, 3, 1))  # noqa: DTZ001 - the mistake under test


def test_one_moment_is_two_days_in_two_places() -> None:
    clock = FixedClock(datetime(2026, 12, 31, 23, 30, tzinfo=UTC))
    assert today(clock, "America/New_York") == date(2026, 12, 31)
    assert today(clock, "UTC") == date(2026, 12, 31)
    assert today(clock, "Europe/Berlin") == date(2027, 1, 1)
    assert today(clock, "Pacific/Kiritimati") == date(2027, 1, 1)


def test_summer_time_is_kept() -> None:
    clock = FixedClock(datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    assert today(clock, "Europe/Berlin") == date(2026, 7, 2)
    clock = FixedClock(datetime(2026, 1, 1, 22, 30, tzinfo=UTC))
    assert today(clock, "Europe/Berlin") == date(2026, 1, 1)


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "Europe", "../../etc/passwd", "/etc/passwd", "x" * 5000]
)
def test_what_is_no_zone_is_refused_and_reads_no_file(name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        find_zone(name)
    assert refusal.value.code == "zone.unknown"
