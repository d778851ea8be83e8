"""Who acts: the author of every change, as the unit of work carries it and the audit log stores it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """What sort of actor it is; the stored values never change their meaning."""

    MEMBER = "member"
    CONTACT = "contact"
    LINK_HOLDER = "link_holder"
    SYSTEM_JOB = "system_job"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and through what. No field may hold a token, a code or any other secret: all are stored.

    The request id is not part of it: it is in the log context (`logs.bind(request=...)`), where jobs find it too.
    """

    kind: ActorKind
    id: str
    """Id of the member, contact, link or job; for an operator the name of the operating system's user."""
    name: str = ""
    """For people to read: a name or address, the kind of a job."""
    link_id: str = ""
    """The link through which a page was opened."""
    session_id: str = ""
    """The id of the session's row, never the reference in the cookie."""
    address_prefix: str = ""
    """The network of the client's address, such as 203.0.113.0/24: no single person's address is stored."""
