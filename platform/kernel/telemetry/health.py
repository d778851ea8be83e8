"""Liveness and readiness without a transport: named checks, run once for all who ask within a moment."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kernel.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


class Check(Protocol):
    """One thing a process needs before it may be given work."""

    @property
    def name(self) -> str:
        """A short word for it, shown to the one who asks: "database"."""
        ...

    async def failure(self) -> str | None:
        """Return what is wrong in plain words, None when nothing is; an exception counts as wrong."""
        ...


@dataclass(frozen=True, slots=True)
class Probe:
    """A check made of a name and a function."""

    name: str
    probe: Callable[[], Awaitable[str | None]]

    async def failure(self) -> str | None:
        """Return what the function says is wrong."""
        return await self.probe()


@dataclass(frozen=True, slots=True)
class Failure:
    """A check that failed, and why; the reason is for logs, not for strangers."""

    name: str
    reason: str


class Health:
    """Answers /healthz and /readyz. Never checks what the pages do without: no Redis, no Stripe."""

    def __init__(
        self,
        checks: Sequence[Check],
        *,
        cache_s: float = 1.0,
        deadline_s: float = 2.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep an answer for `cache_s` seconds and give each check `deadline_s` seconds."""
        self._checks = list(checks)
        self._cache_s = cache_s
        self._deadline_s = deadline_s
        self._monotonic = monotonic
        self._known: tuple[float, list[Failure]] | None = None
        self._runs: SingleFlight[None, list[Failure]] = SingleFlight(cancel_abandoned=False)
        self._draining = False

    def live(self) -> bool:
        """Tell that the event loop answers, which is all that a restart could cure."""
        return True

    def add(self, check: Check) -> None:
        """Ask this too from now on."""
        self._checks.append(check)

    def drain(self) -> None:
        """From now on say "not ready": the process finishes what it has and ends."""
        self._draining = True

    async def ready(self) -> list[Failure]:
        """Return what is wrong, nothing when the process may be given work."""
        if self._draining:
            return [Failure("process", "is stopping")]
        if self._known is not None and self._monotonic() - self._known[0] < self._cache_s:
            return list(self._known[1])
        return list(await self._runs.run(None, self._run))

    async def _run(self) -> list[Failure]:
        found = await asyncio.gather(*(self._ask(check) for check in self._checks))
        failures = [failure for failure in found if failure is not None]
        self._known = (self._monotonic(), failures)
        return failures

    async def _ask(self, check: Check) -> Failure | None:
        try:
            async with asyncio.timeout(self._deadline_s):
                reason = await check.failure()
        except TimeoutError:
            reason = f"no answer within {self._deadline_s:g} s"
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in a check is its answer
            reason = f"{type(error).__name__}: {error}"
        return None if reason is None else Failure(check.name, reason)
