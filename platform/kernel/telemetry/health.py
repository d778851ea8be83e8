"""Liveness and readiness: named checks, whose result is cached for a second."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


@dataclass(frozen=True, slots=True)
class Check:
    """A condition of readiness.

    `name` is shown to clients of the internal port. `find_failure` returns what is wrong, or None; an
    exception is a failure too.
    """

    name: str
    find_failure: Callable[[], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Failure:
    """A check that failed, and why; the reason is for logs, not for clients."""

    name: str
    reason: str


class Health:
    """The state behind /healthz and /readyz. Pages work without Redis and Stripe, which are not checked."""

    def __init__(
        self,
        checks: Sequence[Check],
        *,
        cache_s: float = 1.0,
        deadline_s: float = 2.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Cache a result for `cache_s` seconds and allow each check `deadline_s` seconds."""
        self._checks = list(checks)
        self._cache_s = cache_s
        self._deadline_s = deadline_s
        self._monotonic = monotonic
        self._cached: tuple[float, list[Failure]] | None = None
        self._runs: SingleFlight[None, list[Failure]] = SingleFlight(cancel_abandoned=False)
        self._draining = False

    def is_live(self) -> bool:
        """Return True: the reply shows that the event loop runs, and a restart helps with nothing else."""
        return True

    def add_check(self, check: Check) -> None:
        """Add a check."""
        self._checks.append(check)

    def drain(self) -> None:
        """Report "not ready" from now on: the process finishes its work and ends."""
        self._draining = True

    async def find_failures(self) -> list[Failure]:
        """Return the checks that fail; none when the process is ready."""
        if self._draining:
            return [Failure("process", "is stopping")]
        if self._cached is not None and self._monotonic() - self._cached[0] < self._cache_s:
            return list(self._cached[1])
        return list(await self._runs.run(None, self._run_checks))

    async def _run_checks(self) -> list[Failure]:
        results = await asyncio.gather(*(self._run_check(check) for check in self._checks))
        failures = [failure for failure in results if failure is not None]
        self._cached = (self._monotonic(), failures)
        return failures

    async def _run_check(self, check: Check) -> Failure | None:
        try:
            async with asyncio.timeout(self._deadline_s):
                reason = await check.find_failure()
        except TimeoutError:
            reason = f"no result within {self._deadline_s:g} s"
        except Exception as error:  # noqa: BLE001  -- any error of a check is its failure
            reason = f"{type(error).__name__}: {error}"
        return None if reason is None else Failure(check.name, reason)
