"""The function and the queues of each kind of job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kernel.errors import Conflict
from kernel.jobs import Job
from workers.actors.attempt import Attempt

_J = TypeVar("_J", bound=Job)
Function = Callable[[Any, Attempt], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Handler:
    """A kind of job with its function."""

    job_type: type[Job]
    function: Function


@dataclass(slots=True)
class Handlers:
    """The kinds of job that a worker can run; `workers.worker.create_handlers` registers those of the product."""

    _by_kind: dict[str, Handler] = field(default_factory=dict)
    _queues: dict[str, None] = field(default_factory=dict)
    _low_priority_queues: set[str] = field(default_factory=set)

    def register(
        self,
        job_type: type[_J],
        function: Callable[[_J, Attempt], Awaitable[None]],
        *,
        queue: str | None = None,
    ) -> None:
        """Let `function(payload, attempt)` run the jobs of a type.

        `queue`: a second queue that they may be enqueued in, of low priority.
        Raises Conflict("job.duplicate_kind").
        """
        if job_type.kind in self._by_kind:
            message = f"Two functions are registered for jobs of the kind {job_type.kind}."
            raise Conflict("job.duplicate_kind", message, job=job_type.kind)
        self._by_kind[job_type.kind] = Handler(job_type, function)
        self._queues |= dict.fromkeys([job_type.queue] + ([queue] if queue else []))
        self._low_priority_queues |= {queue} if queue else set()

    def find(self, kind: str) -> Handler | None:
        """Return the handler of a kind of job; None when this release does not know it."""
        return self._by_kind.get(kind)

    @property
    def queues(self) -> tuple[str, ...]:
        """All queues of known kinds."""
        return tuple(self._queues)

    @property
    def low_priority_queues(self) -> frozenset[str]:
        """The queues whose jobs start only while none of another queue waits."""
        return frozenset(self._low_priority_queues)
