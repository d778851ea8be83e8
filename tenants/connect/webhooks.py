"""Verifies what Stripe delivers: the signature over the raw body, its age, and the few fields that are read of it.

The SDK's own check accepts any time in the future and answers some bad input with exceptions of other types than its
documented one, so the signature (https://docs.stripe.com/webhooks#verify-manually) is checked here.
"""

from __future__ import annotations

import datetime as dt
import hmac
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from kernel.errors import Invalid
from tenants.connect.inbox.values import EventScope, EventSubject, VerifiedEvent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: How far from our clock the signed time may be, in seconds, in both directions.
TOLERANCE_S: Final = 300

#: What is subscribed to for connected accounts; each leads to a payment intent.
PAYMENT_EVENTS: Final = frozenset(
    {
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "charge.refunded",
        "charge.refund.updated",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    }
)
#: The same about the connected account itself.
ACCOUNT_EVENTS: Final = frozenset(
    {"account.updated", "account.application.deauthorized", "capability.updated"}
)
#: What is subscribed to for our own account: thin events about the accounts that are connected to it.
_OWN_ACCOUNT_PREFIX: Final = "v2.core.account"

_TIME: Final = re.compile(r"[0-9]{1,12}")
_MOST_SIGNATURES: Final = 16
_OBJECTS: Final = frozenset({"payment_intent", "charge", "refund", "dispute"})


class RefusalReason(StrEnum):
    """Why a delivery was refused; the suffix of the error's code."""

    HEADER = "header"
    """The signature's header is missing or malformed."""
    SIGNATURE = "signature"
    """None of the signatures is by one of the secrets over this body."""
    OLD = "old"
    FUTURE = "future"
    BODY = "body"
    """Signed, and yet no event."""


# Postgres cannot store every text that JSON can hold.
_Id = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,255}\Z")]
_Type = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9_.\[\]]{1,200}\Z")]
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=32_503_680_000)]


class _Reference(msgspec.Struct):
    id: _Id


class _Object(msgspec.Struct):
    object: str = ""
    id: _Id | None = None
    payment_intent: _Id | _Reference | None = None


class _Data(msgspec.Struct):
    object: _Object


class _Snapshot(msgspec.Struct, tag_field="object", tag="event"):
    id: _Id
    type: _Type
    created: _Seconds
    livemode: bool
    data: _Data
    account: _Id | None = None


class _RelatedObject(msgspec.Struct):
    id: _Id
    type: str


class _Thin(msgspec.Struct, tag_field="object", tag="v2.core.event"):
    id: _Id
    type: _Type
    created: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    livemode: bool
    related_object: _RelatedObject | None = None


def verify(
    body: bytes, signature: str | None, *, scope: EventScope, secrets: Sequence[str], now: dt.datetime
) -> VerifiedEvent:
    """Return the event of a delivery; Invalid("webhook.<RefusalReason>") for everything that is not one of Stripe's.

    `signature` is the header Stripe-Signature, `secrets` those of the destination: any one of them may have signed.
    """
    check_signature(body, signature, secrets=secrets, now=now)
    return read_event(body, scope=scope)


def check_signature(body: bytes, signature: str | None, *, secrets: Sequence[str], now: dt.datetime) -> None:
    """Raise Invalid("webhook.<RefusalReason>") unless one of the secrets signed this body less than 300 s from now."""
    signed_at, signatures = _read_header(signature)
    message = b"%s.%s" % (signed_at.encode(), body)
    expected = [hmac.digest(secret.encode(), message, "sha256").hex().encode() for secret in secrets]
    # Every pair is compared, so that the time does not say which secret is in use.
    matches = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in signatures]
    if not any(matches):
        raise _refuse(RefusalReason.SIGNATURE, "No signature is by a secret of this destination.")
    age_s = now.timestamp() - int(signed_at)
    if age_s > TOLERANCE_S:
        raise _refuse(RefusalReason.OLD, "The delivery was signed too long ago.")
    if age_s < -TOLERANCE_S:
        raise _refuse(RefusalReason.FUTURE, "The delivery was signed in the future.")


def read_event(body: bytes, *, scope: EventScope) -> VerifiedEvent:
    """Return the event in a body that is known to be Stripe's; Invalid("webhook.body")."""
    try:
        decoded = msgspec.json.decode(body.decode(), type=_Snapshot | _Thin)
    except (ValueError, RecursionError) as error:
        # The body may hold personal data: the error does not quote it.
        raise _refuse(RefusalReason.BODY, "The body is no event.") from error
    return _read_snapshot(decoded, scope) if isinstance(decoded, _Snapshot) else _read_thin(decoded, scope)


def read_listed_event(values: Mapping[str, object], account_id: str) -> VerifiedEvent:
    """Return an event of a connected account from Stripe's own list; Invalid("webhook.body")."""
    try:
        event = msgspec.convert({**values, "account": account_id}, _Snapshot)
    except ValueError as error:
        raise _refuse(RefusalReason.BODY, "The list has something that is no event.") from error
    return _read_snapshot(event, EventScope.CONNECT)


def _read_snapshot(event: _Snapshot, scope: EventScope) -> VerifiedEvent:
    subject, intent_id = EventSubject.NONE, ""
    if scope is EventScope.CONNECT and event.account is not None:
        if event.type in ACCOUNT_EVENTS:
            subject = EventSubject.ACCOUNT
        elif event.type in PAYMENT_EVENTS and event.data.object.object in _OBJECTS:
            # Without an intent the charge was not made by us: we make intents alone.
            intent_id = _find_intent(event.data.object)
            subject = EventSubject.PAYMENT if intent_id else EventSubject.NONE
    return VerifiedEvent(
        scope=scope,
        event_id=event.id,
        kind=event.type,
        account_id=event.account or "",
        is_live=event.livemode,
        occurred_at=dt.datetime.fromtimestamp(event.created, dt.UTC),
        subject=subject,
        intent_id=intent_id,
    )


def _find_intent(payload: _Object) -> str:
    if payload.object == "payment_intent":
        return payload.id or ""
    intent = payload.payment_intent
    return intent.id if isinstance(intent, _Reference) else intent or ""


def _read_thin(event: _Thin, scope: EventScope) -> VerifiedEvent:
    related = event.related_object
    is_about_account = (
        scope is EventScope.ACCOUNT
        and event.type.startswith(_OWN_ACCOUNT_PREFIX)
        and related is not None
        and related.type == "v2.core.account"
    )
    return VerifiedEvent(
        scope=scope,
        event_id=event.id,
        kind=event.type,
        account_id=related.id if related is not None and is_about_account else "",
        is_live=event.livemode,
        occurred_at=event.created,
        subject=EventSubject.ACCOUNT if is_about_account else EventSubject.NONE,
        intent_id="",
    )


def _read_header(signature: str | None) -> tuple[str, list[bytes]]:
    if not signature or not signature.isascii():
        raise _refuse(RefusalReason.HEADER, "There is no signature in ASCII.")
    times: list[str] = []
    signatures: list[bytes] = []
    for part in signature.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1":
            signatures.append(value.encode())
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or not 0 < len(signatures) <= _MOST_SIGNATURES:
        raise _refuse(RefusalReason.HEADER, "The signature has not the form t=…,v1=….")
    return times[0], signatures


def _refuse(reason: RefusalReason, message: str) -> Invalid:
    return Invalid(f"webhook.{reason}", message, reason=reason.value)
