"""What happened to a workspace, its brand and its domains."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from tenants.activity.events import Change, Event


class WorkspaceCreated(Event, frozen=True, kw_only=True):
    """The first event of every workspace."""

    kind: ClassVar[str] = "workspace.created"

    slug: str
    host: str
    locale: str
    time_zone: str
    currency: str


class BrandChanged(Event, frozen=True, kw_only=True):
    """Name, colour or contact line changed."""

    kind: ClassVar[str] = "workspace.brand_changed"

    changes: dict[str, Change]


class RegionChanged(Event, frozen=True, kw_only=True):
    """Language, time zone or default currency changed."""

    kind: ClassVar[str] = "workspace.region_changed"

    changes: dict[str, Change]


class TermsChanged(Event, frozen=True, kw_only=True):
    """The days until invoices are due, or until their links expire, changed."""

    kind: ClassVar[str] = "workspace.terms_changed"

    changes: dict[str, Change]


class WriteAuthorityChanged(Event, frozen=True, kw_only=True):
    """Who may write comments changed, where neither the customer nor the invoice says otherwise."""

    kind: ClassVar[str] = "workspace.write_authority_changed"

    changes: dict[str, Change]


class PaymentSettingsChanged(Event, frozen=True, kw_only=True):
    """Whether payments are real ones, or whether invoices may be paid in parts, changed."""

    kind: ClassVar[str] = "workspace.payment_settings_changed"

    changes: dict[str, Change]


class BankDetailsChanged(Event, frozen=True, kw_only=True):
    """The account to which customers transfer money changed; it is not repeated here."""

    kind: ClassVar[str] = "workspace.bank_details_changed"

    is_set: bool
    """Whether there is one now."""


class ContactEmailChanged(Event, frozen=True, kw_only=True):
    """The address that is told of new comments changed; it is not repeated here."""

    kind: ClassVar[str] = "workspace.contact_email_changed"

    is_set: bool
    """Whether there is one now."""


class LogoChanged(Event, frozen=True, kw_only=True):
    """A logo was set, replaced or removed, or a fetch that would have replaced it was superseded."""

    kind: ClassVar[str] = "workspace.logo_changed"

    before: str | None
    """SHA-256 of the image, in hex."""
    after: str | None


class LogoFetchRequested(Event, frozen=True, kw_only=True):
    """A job is to fetch a logo. Its URL is not repeated here: it may hold a secret."""

    kind: ClassVar[str] = "workspace.logo_fetch_requested"

    job_id: UUID


class _DomainEvent(Event, frozen=True, kw_only=True):
    domain_id: UUID
    host: str


class DomainClaimed(_DomainEvent, frozen=True, kw_only=True):
    """The workspace claimed a domain."""

    kind: ClassVar[str] = "domain.claimed"


class DomainClaimWithdrawn(_DomainEvent, frozen=True, kw_only=True):
    """A domain that was never verified is no longer claimed."""

    kind: ClassVar[str] = "domain.claim_withdrawn"


class DomainVerified(_DomainEvent, frozen=True, kw_only=True):
    """The workspace proved that it controls a domain."""

    kind: ClassVar[str] = "domain.verified"


class DomainStateChanged(_DomainEvent, frozen=True, kw_only=True):
    """Certificates or the daily check moved a domain to another state."""

    kind: ClassVar[str] = "domain.state_changed"

    before: str
    after: str


class PrimaryDomainChanged(Event, frozen=True, kw_only=True):
    """Absolute links have another host."""

    kind: ClassVar[str] = "domain.primary_changed"

    domain_id: UUID
    before: str | None
    """The host that they had before."""
    after: str


class DomainReleased(_DomainEvent, frozen=True, kw_only=True):
    """A domain is no longer served."""

    kind: ClassVar[str] = "domain.released"


class DomainPurged(_DomainEvent, frozen=True, kw_only=True):
    """A released domain was deleted: any workspace can verify it again."""

    kind: ClassVar[str] = "domain.purged"


class StreamsReset(Event, frozen=True, kw_only=True):
    """All readers of the realtime streams had to start anew, after a restore that took events away."""

    kind: ClassVar[str] = "workspace.streams_reset"
    audit_only: ClassVar[bool] = True

    streams: int
