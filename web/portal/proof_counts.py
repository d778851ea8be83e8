"""Counts what visitors do with codes, by outcome."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from kernel.errors import Denied, Throttled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from kernel.telemetry.metrics import Metrics


class _Counter(Protocol):
    """A counter with one label, the outcome."""

    def labels(self, outcome: str, /) -> Any:
        """Return the counter of one outcome."""
        ...


class ProofCounts:
    """Counts, around the actions of `tenants.access`, how each call ended."""

    def __init__(self, metrics: Metrics) -> None:
        """Count in these metrics."""
        self._metrics = metrics

    def code_request(self) -> AbstractContextManager[None]:
        """Count a request for a code: accepted, or throttled."""
        return _count(self._metrics.code_requests, "accepted")

    def code_check(self) -> AbstractContextManager[None]:
        """Count a code that was entered: right, or why not."""
        return _count(self._metrics.code_checks, "right")

    def totp_check(self) -> AbstractContextManager[None]:
        """Count a code of an authenticator, or a recovery code, that was entered: right, or why not."""
        return _count(self._metrics.totp_checks, "right")


@contextmanager
def _count(counter: _Counter, done: str) -> Iterator[None]:
    try:
        yield
    except (Denied, Throttled) as error:
        # The reason in the stable code: "code.wrong" counts as wrong.
        counter.labels(error.code.rpartition(".")[2]).inc()
        raise
    counter.labels(done).inc()
