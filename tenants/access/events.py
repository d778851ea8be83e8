"""What happened to authenticators and sessions. Addresses are personal data: events hold ids."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from tenants.activity.events import Event


class AuthenticatorEnrolled(Event, frozen=True, kw_only=True):
    """A subject confirmed an authenticator with a first code."""

    kind: ClassVar[str] = "authenticator.enrolled"

    authenticator_id: UUID


class AuthenticatorRemoved(Event, frozen=True, kw_only=True):
    """An authenticator and its recovery codes were deleted."""

    kind: ClassVar[str] = "authenticator.removed"

    authenticator_id: UUID


class RecoveryCodesReplaced(Event, frozen=True, kw_only=True):
    """A subject got new recovery codes; the old ones are no longer valid."""

    kind: ClassVar[str] = "recovery_codes.replaced"

    authenticator_id: UUID


class SessionRevoked(Event, frozen=True, kw_only=True):
    """A session was ended by somebody else than its own browser."""

    kind: ClassVar[str] = "session.revoked"

    session_id: UUID
