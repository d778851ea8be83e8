"""Which function does which kind of job, and which queues carry it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kernel.errors import Conflict
from kernel.jobs import Job
from workers.actors.attempt import Attempt, Hopeless

__all__ = ["Function", "Handler", "Handlers", "Hopeless"]

_J = TypeVar("_J", bound=Job)
Function = Callable[[Any, Attempt], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Handler:
    """A kind of job with its function."""

    job_type: type[Job]
    function: Function


@dataclass(slots=True)
class Handlers:
    """The kinds of job that a worker knows; only composition roots register."""

    _by_kind: dict[str, Handler] = field(default_factory=dict)
    _queues: dict[str, None] = field(default_factory=dict)
    _patient: set[str] = field(default_factory=set)

    def register(
        self,
        job_type: type[_J],
        function: Callable[[_J, Attempt], Awaitable[None]],
        *,
        queue: str | None = None,
    ) -> None:
        """Let `function(payload, attempt)` do the jobs of a type.

        `queue`: one more queue that they may be enqueued in, which comes after all that are some type's own.
        Raises Conflict("job.kind_twice").
        """
        if job_type.kind in self._by_kind:
            message = f"Two functions want to do jobs of the kind {job_type.kind}."
            raise Conflict("job.kind_twice", message, job=job_type.kind)
        self._by_kind[job_type.kind] = Handler(job_type, function)
        self._queues |= dict.fromkeys([job_type.queue] + ([queue] if queue else []))
        self._patient |= {queue} if queue else set()

    def find(self, kind: str) -> Handler | None:
        """Return what does a kind of job; None when this release does not know it."""
        return self._by_kind.get(kind)

    @property
    def queues(self) -> tuple[str, ...]:
        """All queues in which jobs of known kinds wait."""
        return tuple(self._queues)

    @property
    def patient(self) -> frozenset[str]:
        """Those of the queues whose jobs are begun only where none of another queue waits."""
        return frozenset(self._patient)
