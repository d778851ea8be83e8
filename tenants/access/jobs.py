"""Jobs on codes and sessions."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from kernel.jobs import Job


class SendCode(Job, frozen=True, kw_only=True):
    """Make the code that was asked for, and send it, if the address gets one."""

    kind: ClassVar[str] = "access.send_code"
    queue: ClassVar[str] = "mail"
    # A person waits, and the code ends after 10 minutes: the delays are short, about 4 minutes all together.
    backoff_s: ClassVar[int] = 2
    max_attempts: ClassVar[int] = 8

    code_id: UUID


class PurgeProofs(Job, frozen=True, kw_only=True):
    """Delete expired codes, sessions that ended long ago and authenticators that were never confirmed."""

    kind: ClassVar[str] = "access.purge_proofs"

    def dedupe_key(self) -> str:
        """Return a constant: a workspace has one such job at a time."""
        return "all"
