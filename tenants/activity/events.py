"""The base class of all events, and the events of the audit log itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened in a workspace. A subclass names its kind; its fields are the payload, stored as JSON.

    A field is added with a default and never changes its meaning: events are kept for years. No field may hold
    a token, a code or another secret, or personal data that a customer may ask to have deleted: ids, not names.
    """

    kind: ClassVar[str]
    """Unique in the product: the noun and what happened to it, such as "invoice.issued"."""
    audit_only: ClassVar[bool] = False
    """Whether the event is shown in the audit log only, because it changed nothing."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A value before and after an event."""

    before: str | int | bool | None
    after: str | int | bool | None


def find_changes(
    before: Mapping[str, str | int | bool | None], after: Mapping[str, str | int | bool | None]
) -> dict[str, Change]:
    """Return what differs, by the names in `after`; a name that `before` does not have was None."""
    return {
        name: Change(before=before.get(name), after=value)
        for name, value in after.items()
        if value != before.get(name)
    }


class ActionRefused(Event, frozen=True, kw_only=True):
    """An action was refused."""

    kind: ClassVar[str] = "action.refused"
    audit_only: ClassVar[bool] = True

    action: str
    """The name of the action, such as "portal link revoke"."""
    error_code: str
    """The stable code of the error."""


def encode(event: Event) -> str:
    """Return the payload as it is stored."""
    return msgspec.json.encode(event).decode()
