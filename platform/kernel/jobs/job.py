"""The type of jobs: payload, queue, attempts and time limit."""

from __future__ import annotations

from typing import ClassVar, TypeVar

import msgspec

from kernel.errors import Invalid

DEFAULT_QUEUE = "default"

_J = TypeVar("_J", bound="Job")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A task to be executed later. A subclass sets its kind; its fields are the payload, stored as JSON.

    A field is added with a default and never changes its meaning: jobs outlive the release that wrote them.
    """

    kind: ClassVar[str]
    """Unique in the product, such as "invoices.record_view"."""
    queue: ClassVar[str] = DEFAULT_QUEUE
    max_attempts: ClassVar[int] = 8
    time_limit_s: ClassVar[float] = 60.0
    """How long one attempt may take, in seconds."""
    backoff_s: ClassVar[float] = 5.0
    """Seconds before the second attempt, doubled before each further one, jittered by half."""

    def dedupe_key(self) -> str | None:
        """Return the key that only one live job of this kind may have; with None jobs do not coalesce."""
        return None


def encode_job(job: Job) -> str:
    """Return the payload that is stored."""
    return msgspec.json.encode(job).decode()


def decode_job(job_type: type[_J], payload: str) -> _J:
    """Return the job of a stored payload; raises Invalid("job.payload")."""
    try:
        return msgspec.json.decode(payload, type=job_type)
    except msgspec.ValidationError as error:
        message = f"This is not a payload of {job_type.kind}: {error}"
        raise Invalid("job.payload", message, job=job_type.kind) from error
