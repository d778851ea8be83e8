"""The states of an attempt: success is final, the end of an attempt is one but for success, and time is limited."""

from __future__ import annotations

import datetime as dt
from itertools import product

import pytest

from tenants.payments.processor import ProviderStatus
from tenants.payments.states import (
    ACTIVE,
    TIMINGS,
    AttemptState,
    derive_state,
    find_next_check,
    find_time_limit,
)

MINUTE = dt.timedelta(minutes=1)
ALL = list(product(AttemptState, ProviderStatus, (False, True)))


@pytest.mark.parametrize(("current", "status", "has_failure"), ALL)
def test_success_absorbs_and_what_has_ended_can_only_still_succeed(
    current: AttemptState, status: ProviderStatus, *, has_failure: bool
) -> None:
    state = derive_state(current, status, has_failure=has_failure)
    if current is AttemptState.SUCCEEDED or status is ProviderStatus.SUCCEEDED:
        assert state is AttemptState.SUCCEEDED
    elif current not in ACTIVE:
        assert state is current
    else:
        assert (state in ACTIVE) == (status is not ProviderStatus.CANCELED)


@pytest.mark.parametrize(("current", "status", "has_failure"), ALL)
def test_the_same_picture_again_changes_nothing(
    current: AttemptState, status: ProviderStatus, *, has_failure: bool
) -> None:
    once = derive_state(current, status, has_failure=has_failure)
    assert derive_state(once, status, has_failure=has_failure) is once


@pytest.mark.parametrize(
    ("current", "status", "has_failure", "expected"),
    [
        ("confirming", "unconfirmed", False, "confirming"),
        ("confirming", "unconfirmed", True, "open"),
        ("requires_action", "unconfirmed", True, "open"),
        ("processing", "unconfirmed", True, "open"),
        ("confirming", "requires_action", False, "requires_action"),
        ("requires_action", "processing", False, "processing"),
        ("open", "canceled", True, "failed"),
        ("open", "canceled", False, "canceled"),
    ],
)
def test_what_the_provider_says_leads_to(
    current: str, status: str, expected: str, *, has_failure: bool
) -> None:
    state = derive_state(AttemptState(current), ProviderStatus(status), has_failure=has_failure)
    assert state.value == expected


@pytest.mark.parametrize(
    ("state", "is_redirect", "minutes"),
    [
        ("reserved", False, 2),
        ("open", False, 15),
        ("confirming", False, 15),
        ("requires_action", False, 15),
        ("requires_action", True, 60),
        ("processing", False, None),
        ("succeeded", False, None),
        ("canceled", False, None),
    ],
)
def test_how_long_an_attempt_may_stay(state: str, minutes: int | None, *, is_redirect: bool) -> None:
    limit = find_time_limit(AttemptState(state), is_redirect=is_redirect, timings=TIMINGS)
    assert limit == (None if minutes is None else minutes * MINUTE)


@pytest.mark.parametrize(
    ("age", "expires_in", "delay"),
    [
        (0, 2, 1),
        (1, 1, 1),
        (1, 14, 4),
        (5, 10, 10),
        (5, None, 25),
        (30, None, 150),
        (180, None, 24 * 60),
        (5000, None, 24 * 60),
        (3, 0, 2),
        (3, -5, 2),
        (16, -1, 10),
        (5000, -1, 10),
    ],
)
def test_when_an_attempt_is_checked_next(age: int, expires_in: int | None, delay: int) -> None:
    left = None if expires_in is None else expires_in * MINUTE
    assert find_next_check(age * MINUTE, left, TIMINGS) == delay * MINUTE


def test_what_the_provider_does_not_show_is_not_asked_for_more_often_because_it_has_expired() -> None:
    assert find_next_check(16 * MINUTE, -MINUTE, TIMINGS, is_unreachable=True) == 14 * MINUTE
