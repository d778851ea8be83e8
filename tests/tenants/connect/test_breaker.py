"""The breaker of an account: opens after failures in a row, then lets one request try."""

from __future__ import annotations

from datetime import timedelta

from tenants.connect.breaker import Breaker


class Seconds:
    """A clock that the test moves by whole seconds."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now * 1_000_000_000


def open_breaker(seconds: Seconds) -> Breaker:
    breaker = Breaker(limit=3, open_for=timedelta(seconds=10), read_ns=seconds)
    for _ in range(3):
        assert breaker.allows("acct_1")
        breaker.record_failure("acct_1")
    return breaker


def test_failures_in_a_row_open_it_for_that_account_alone() -> None:
    breaker = open_breaker(Seconds())
    assert not breaker.allows("acct_1")
    assert breaker.allows("acct_2")


def test_a_success_between_failures_starts_the_count_again() -> None:
    breaker = Breaker(limit=2, read_ns=Seconds())
    for _ in range(3):
        breaker.record_failure("acct_1")
        breaker.record_success("acct_1")
    assert breaker.allows("acct_1")


def test_after_its_time_one_request_tries_and_the_others_wait_for_it() -> None:
    seconds = Seconds()
    breaker = open_breaker(seconds)
    seconds.now = 10
    assert [breaker.allows("acct_1") for _ in range(3)] == [True, False, False]
    breaker.record_success("acct_1")
    assert [breaker.allows("acct_1") for _ in range(3)] == [True, True, True]


def test_a_trial_that_fails_opens_it_again_and_a_trial_that_vanishes_is_repeated() -> None:
    seconds = Seconds()
    breaker = open_breaker(seconds)
    seconds.now = 10
    assert breaker.allows("acct_1")
    breaker.record_failure("acct_1")
    seconds.now = 19
    assert not breaker.allows("acct_1")
    seconds.now = 20
    assert breaker.allows("acct_1")
    seconds.now = 30
    assert breaker.allows("acct_1")


def test_only_accounts_that_fail_are_remembered_and_not_without_end() -> None:
    breaker = Breaker(limit=1, read_ns=Seconds())
    for number in range(1500):
        breaker.record_failure(f"acct_{number}")
    is_open = [not breaker.allows(f"acct_{number}") for number in range(1500)]
    assert is_open == [False] * 500 + [True] * 1000
