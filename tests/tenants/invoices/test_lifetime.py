"""How long links live: by the due day, in the workspace's zone, and never too short to be sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.invoices.lifetime import MIN_LIFETIME, compute_expiry, extend_expiry

NOON = datetime(2026, 3, 16, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "ends"),
    [
        ("UTC", datetime(2026, 5, 1, 0, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 4, 30, 22, tzinfo=UTC)),
        ("America/Los_Angeles", datetime(2026, 5, 1, 7, tzinfo=UTC)),
    ],
)
def test_it_ends_with_the_last_day_where_the_workspace_is(zone: str, ends: datetime) -> None:
    due = date(2026, 3, 31)
    assert compute_expiry(shown_at=NOON, due=due, link_days=30, time_zone=zone) == ends


def test_a_link_to_an_old_invoice_lives_ten_days() -> None:
    ends = compute_expiry(shown_at=NOON, due=date(2016, 1, 1), link_days=30, time_zone="UTC")
    assert ends == NOON + timedelta(days=10)


def test_without_a_due_day_it_counts_from_the_day_it_is_shown_there() -> None:
    shown_at = datetime(2026, 3, 16, 23, 30, tzinfo=UTC)  # the 17th in Tokyo, until 15:00 UTC
    ends = compute_expiry(shown_at=shown_at, due=None, link_days=30, time_zone="Asia/Tokyo")
    assert ends == datetime(2026, 4, 16, 15, tzinfo=UTC)


@given(
    shown_at=st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    due=st.none() | st.dates(date(2000, 1, 1), date(2090, 1, 1)),
    link_days=st.integers(0, 3650),
    later=st.timedeltas(timedelta(0), timedelta(days=4000)),
)
def test_it_is_never_less_than_ten_days_after_it_was_last_shown(
    shown_at: datetime, due: date | None, link_days: int, later: timedelta
) -> None:
    ends = compute_expiry(shown_at=shown_at, due=due, link_days=link_days, time_zone="Pacific/Chatham")
    assert ends >= shown_at + MIN_LIFETIME
    longer = extend_expiry(ends, shown_at=shown_at + later)
    assert longer >= max(ends, shown_at + later + MIN_LIFETIME)
