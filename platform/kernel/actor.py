"""The actor of a change: the unit of work names it and the audit log stores it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """The kind of an actor; the values are stored and never change their meaning."""

    MEMBER = "member"
    CONTACT = "contact"
    LINK_HOLDER = "link_holder"
    SYSTEM_JOB = "system_job"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change, and through which link or session. All fields are stored: none may hold a secret.

    The request id is not part of it: the log context holds it (`logs.bind(request=...)`), in jobs too.
    """

    kind: ActorKind
    id: str
    """Id of the member, contact, link or job; for an operator the name of the operating system's user."""
    name: str = ""
    """A display name: a name or e-mail address, or the kind of a job."""
    link_id: str = ""
    """Id of the link that opened the page."""
    session_id: str = ""
    """Id of the session's row, never the value of the cookie."""
    address_prefix: str = ""
    """The network of the client's address, such as 203.0.113.0/24; the full address is not stored."""
