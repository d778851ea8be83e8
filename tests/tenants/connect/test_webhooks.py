"""What counts as a delivery of Stripe, and what is read of it."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import Any, get_args

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Invalid
from tenants.connect.inbox.values import EventScope, EventSubject, VerifiedEvent
from tenants.connect.webhooks import (
    ACCOUNT_EVENTS,
    PAYMENT_EVENTS,
    TOLERANCE_S,
    check_signature,
    read_event,
    read_listed_event,
    verify,
)
from tests.fakes.stripe_deliveries import CONNECT_SECRET, build_event, build_thin_event, encode, sign

NOW = dt.datetime(2026, 3, 16, 9, 30, tzinfo=dt.UTC)
ACCOUNT = "acct_1Sea"
SECOND = dt.timedelta(seconds=1)
TOLERANCE = dt.timedelta(seconds=TOLERANCE_S)
BODY = encode(build_event(ACCOUNT, NOW, id="evt_1", intent_id="pi_1"))


def check(body: bytes, signature: str | None, *keys: str, now: dt.datetime = NOW) -> None:
    check_signature(body, signature, secrets=keys or (CONNECT_SECRET,), now=now)


def refusal(body: bytes, signature: str | None, *keys: str, now: dt.datetime = NOW) -> str:
    with pytest.raises(Invalid) as caught:
        check(body, signature, *keys, now=now)
    return caught.value.code


def read(event: dict[str, Any], scope: EventScope = EventScope.CONNECT) -> VerifiedEvent:
    return read_event(encode(event), scope=scope)


def test_what_the_sdk_signs_is_accepted_here() -> None:
    text = BODY.decode()
    header = stripe.WebhookSignature.generate_signature_header(text, CONNECT_SECRET, int(NOW.timestamp()))
    check(BODY, header)


def test_while_secrets_rotate_each_of_both_sides_lists_may_match() -> None:
    check(BODY, sign(BODY, NOW, "whsec_old"), "whsec_new", "whsec_old")
    check(BODY, sign(BODY, NOW, "whsec_new", "whsec_old"), "whsec_old")


def test_a_secret_that_was_taken_off_the_list_signs_nothing_any_more() -> None:
    assert refusal(BODY, sign(BODY, NOW, "whsec_old"), "whsec_new") == "webhook.signature"


def test_without_secrets_nothing_is_accepted_not_even_what_an_empty_secret_signed() -> None:
    with pytest.raises(Invalid, match=r"webhook\.signature"):
        check_signature(BODY, sign(BODY, NOW, ""), secrets=(), now=NOW)


@pytest.mark.parametrize(
    ("age", "code"),
    [
        (TOLERANCE, None),
        (TOLERANCE + SECOND, "webhook.old"),
        (-TOLERANCE, None),
        (-TOLERANCE - SECOND, "webhook.future"),
        (dt.timedelta(days=-3650), "webhook.future"),
    ],
)
def test_a_signature_is_good_for_five_minutes_on_either_side_of_our_clock(
    age: dt.timedelta, code: str | None
) -> None:
    signature = sign(BODY, NOW - age, CONNECT_SECRET)
    if code is None:
        check(BODY, signature)
    else:
        assert refusal(BODY, signature) == code


def test_one_changed_byte_or_another_time_breaks_the_signature() -> None:
    signature = sign(BODY, NOW, CONNECT_SECRET)
    assert refusal(BODY + b" ", signature) == "webhook.signature"
    assert refusal(BODY, signature.replace("t=1", "t=2", 1)) == "webhook.signature"


GOOD = sign(BODY, NOW, CONNECT_SECRET)
MAC = GOOD.partition("v1=")[2]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=",
        "nonsense",
        f"v1={MAC}",
        f"t={int(NOW.timestamp())}",
        f"t={int(NOW.timestamp())},v0={MAC}",
        f"t=-5,v1={MAC}",
        f"t=١٢٣,v1={MAC}",
        f"t=1e9,v1={MAC}",
        f"t={'9' * 5000},v1={MAC}",
        f"{GOOD},t=1",
        GOOD + ",v1=0" * 100,
        GOOD.replace("v1", "v1é"),
        "\x80\xff",
    ],
)
def test_a_malformed_header_is_refused_as_such(header: str | None) -> None:
    assert refusal(BODY, header) == "webhook.header"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b"\xff\xfe",
        BODY.replace(b"payment_intent.succeeded", b"payment_intent.\xff"),
        BODY.replace(b'"event"', b'"customer"'),
        b"[" * 100_000,
        b'{"a":' * 50_000,
        encode(build_event(ACCOUNT, NOW, id="evt_\x00")),
        encode(build_event(ACCOUNT, NOW, id="evt_1\n")),
        encode(build_event(ACCOUNT, NOW, id="")),
        encode(build_event(ACCOUNT, NOW, type="x" * 300)),
        encode(build_event(ACCOUNT, NOW, created=10**30)),
        encode(build_event(ACCOUNT, NOW, created=-1)),
        encode(build_event(ACCOUNT, NOW, livemode="yes")),
        encode(build_event("'; DROP TABLE job; --", NOW)),
        encode(build_thin_event(ACCOUNT, NOW, created="yesterday")),
    ],
    ids=range(19),
)
def test_a_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        verify(
            body,
            sign(body, NOW, CONNECT_SECRET),
            scope=EventScope.CONNECT,
            secrets=(CONNECT_SECRET,),
            now=NOW,
        )
    assert caught.value.code == "webhook.body"


@given(st.binary(max_size=200), st.text(max_size=80), st.binary(max_size=60))
def test_whatever_comes_is_refused_with_an_error_of_ours(body: bytes, header: str, tail: bytes) -> None:
    cases = ((body, header), (BODY, GOOD[:20] + header), (body, sign(body, NOW, CONNECT_SECRET)))
    for content, signature in (*cases, (BODY[:-1] + tail, sign(BODY[:-1] + tail, NOW, CONNECT_SECRET))):
        with contextlib.suppress(Invalid):
            verify(content, signature, scope=EventScope.CONNECT, secrets=(CONNECT_SECRET,), now=NOW)


def test_of_an_event_of_a_payment_only_what_it_is_about_is_read() -> None:
    event = build_event(ACCOUNT, NOW, id="evt_7")
    event["data"]["object"] |= {"id": "pi_7", "status": "succeeded", "metadata": {"workspace_id": "other"}}
    assert read(event) == VerifiedEvent(
        scope=EventScope.CONNECT,
        event_id="evt_7",
        kind="payment_intent.succeeded",
        account_id=ACCOUNT,
        is_live=False,
        occurred_at=NOW,
        subject=EventSubject.PAYMENT,
        intent_id="pi_7",
    )


@pytest.mark.parametrize("intent", ["pi_7", {"object": "payment_intent", "id": "pi_7", "amount": 5}])
@pytest.mark.parametrize(
    ("kind", "found"),
    [("charge.refunded", "charge"), ("refund.failed", "refund"), ("charge.dispute.created", "dispute")],
)
def test_charges_refunds_and_disputes_lead_to_their_payment(kind: str, found: str, intent: Any) -> None:
    event = build_event(ACCOUNT, NOW, type=kind)
    event["data"]["object"] = {"object": found, "id": "x_1", "payment_intent": intent}
    assert (read(event).subject, read(event).intent_id) == (EventSubject.PAYMENT, "pi_7")


def test_a_charge_without_an_intent_is_nothing_of_ours() -> None:
    event = build_event(ACCOUNT, NOW, type="charge.refunded")
    event["data"]["object"] = {"object": "charge", "id": "ch_1", "payment_intent": None}
    assert read(event).subject is EventSubject.NONE


def test_a_type_that_is_not_subscribed_to_leads_to_nothing() -> None:
    assert read(build_event(ACCOUNT, NOW, type="payment_intent.teleported")).subject is EventSubject.NONE


def test_an_event_of_the_other_scope_leads_to_nothing() -> None:
    assert read(build_event(ACCOUNT, NOW), EventScope.ACCOUNT).subject is EventSubject.NONE
    assert read(build_event(None, NOW)).subject is EventSubject.NONE
    assert read(build_thin_event(ACCOUNT, NOW)).subject is EventSubject.NONE


def test_a_disconnection_is_about_the_account() -> None:
    event = build_event(ACCOUNT, NOW, type="account.application.deauthorized")
    event["data"]["object"] = {"object": "application", "id": "ca_1"}
    assert (read(event).subject, read(event).account_id) == (EventSubject.ACCOUNT, ACCOUNT)


def test_a_thin_event_is_about_its_related_account() -> None:
    event = read(build_thin_event(ACCOUNT, NOW), EventScope.ACCOUNT)
    assert (event.subject, event.account_id, event.occurred_at) == (EventSubject.ACCOUNT, ACCOUNT, NOW)


def test_a_thin_event_about_something_else_leads_to_nothing() -> None:
    event = build_thin_event(ACCOUNT, NOW)
    event["related_object"] = {"id": "person_1", "type": "v2.core.account_person", "url": "/v2"}
    assert read(event, EventScope.ACCOUNT).subject is EventSubject.NONE


def test_every_type_that_is_used_is_one_that_the_sdk_knows() -> None:
    enabled = stripe.params.WebhookEndpointCreateParams.__annotations__["enabled_events"]
    assert set(get_args(get_args(enabled)[0])) >= PAYMENT_EVENTS | ACCOUNT_EVENTS


def test_an_event_of_stripes_list_is_read_like_a_delivered_one() -> None:
    event = build_event(None, NOW, id="evt_7")
    assert read_listed_event(event, ACCOUNT) == read(event | {"account": ACCOUNT})


def test_what_is_no_event_in_the_list_is_refused() -> None:
    with pytest.raises(Invalid, match=r"webhook\.body"):
        read_listed_event({"object": "customer"}, ACCOUNT)
