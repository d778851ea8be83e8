"""A circuit breaker for each account: an account that fails is left alone for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from time import monotonic_ns
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# Only accounts that fail are kept; the oldest one is forgotten beyond this number.
_MAX_ACCOUNTS: Final = 1000


@dataclass(slots=True)
class _Failures:
    count: int = 0
    closes_at_ns: int = 0


class Breaker:
    """Counts consecutive failures of each account, in this process.

    After `limit` of them the account is open for a time, `open_for`, in which it is not asked. Then one request in
    each such period tries it, until one succeeds.
    """

    def __init__(
        self,
        *,
        limit: int = 5,
        open_for: timedelta = timedelta(seconds=20),
        read_ns: Callable[[], int] = monotonic_ns,
    ) -> None:
        self._limit = limit
        self._open_ns = open_for // timedelta(microseconds=1) * 1000
        self._read_ns = read_ns
        self._failing: dict[str, _Failures] = {}

    def allows(self, account_id: str) -> bool:
        """Tell whether the account may be asked now; the caller then reports a success or a failure."""
        failures = self._failing.get(account_id)
        if failures is None or failures.count < self._limit:
            return True
        now = self._read_ns()
        if now < failures.closes_at_ns:
            return False
        # One request tries; the others wait for its result, or for the end of another period.
        failures.closes_at_ns = now + self._open_ns
        return True

    def record_success(self, account_id: str) -> None:
        """Note that the account answered, be it with a refusal."""
        self._failing.pop(account_id, None)

    def record_failure(self, account_id: str) -> None:
        """Note that the account did not answer, or that Stripe had an error of its own."""
        failures = self._failing.pop(account_id, None) or _Failures()
        failures.count += 1
        if failures.count >= self._limit:
            failures.closes_at_ns = self._read_ns() + self._open_ns
        self._failing[account_id] = failures
        if len(self._failing) > _MAX_ACCOUNTS:
            del self._failing[next(iter(self._failing))]
