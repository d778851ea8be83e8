"""The payload of every kind of event as it is stored: years later it must still be read.

A field that is added here needs a default; none is ever removed or renamed.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

import msgspec
import pytest

import tenants
from tenants.activity.events import Event, encode

ID, OTHER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
CONTACT = f'{{"contact_id":"{ID}","customer_id":"{OTHER}"}}'
DOMAIN = f'{{"domain_id":"{ID}","host":"pay.acme.example"}}'
LINK = f'"link_id":"{ID}","invoice_id":"{OTHER}"'
COMMENT = f'"invoice_id":"{ID}","comment_id":"{OTHER}"'
AUTHORITY = '"changes":{"write_totp":{"before":false,"after":true}}'
ACCOUNT = f'{{"connection_id":"{ID}","account_id":"acct_1"}}'
DATES = '"issue_date":"2026-03-16","due_date":null'
PAYLOADS = {
    "action.refused": '{"action":"portal link revoke","error_code":"link.not_found"}',
    "comment.deleted": f'{{{COMMENT},"deleted_by":"staff"}}',
    "comment.edited": f"{{{COMMENT}}}",
    "comment.posted": f'{{{COMMENT},"side":"customer","proofs":["link","totp"]}}',
    "authenticator.enrolled": f'{{"authenticator_id":"{ID}"}}',
    "authenticator.removed": f'{{"authenticator_id":"{ID}"}}',
    "contact.added": CONTACT,
    "contact.removed": CONTACT,
    "customer.created": f'{{"customer_id":"{ID}"}}',
    "customer.updated": f'{{"customer_id":"{ID}","fields":["name","email"]}}',
    "customer.write_authority_changed": f'{{"customer_id":"{ID}",{AUTHORITY}}}',
    "dispute.changed": f'{{"invoice_id":"{ID}","dispute_id":"{OTHER}","before":null,"after":"open"}}',
    "domain.claim_withdrawn": DOMAIN,
    "domain.claimed": DOMAIN,
    "domain.primary_changed": f'{{"domain_id":"{ID}","before":null,"after":"pay.acme.example"}}',
    "domain.purged": DOMAIN,
    "domain.released": DOMAIN,
    "domain.state_changed": (
        f'{{"domain_id":"{ID}","host":"pay.acme.example","before":"verified","after":"active"}}'
    ),
    "domain.verified": DOMAIN,
    "invoice.draft_created": (
        f'{{"invoice_id":"{ID}","customer_id":"{OTHER}","currency":"EUR","total_minor":11900}}'
    ),
    "invoice.draft_discarded": f'{{"invoice_id":"{ID}"}}',
    "invoice.draft_updated": f'{{"invoice_id":"{ID}","currency":"EUR","total_minor":11900}}',
    "invoice.imported": (
        f'{{"invoice_id":"{ID}","customer_id":"{OTHER}","number":"A-7","version":1,"currency":"EUR",'
        f'"total_minor":11900,{DATES}}}'
    ),
    "invoice.issued": (
        f'{{"invoice_id":"{ID}","customer_id":"{OTHER}","number":"INV-00001","series":"invoices","version":1,'
        f'"currency":"EUR","total_minor":11900,{DATES}}}'
    ),
    "invoice.paid_amount_changed": (
        f'{{"invoice_id":"{ID}","currency":"EUR","changes":{{"status":{{"before":"issued","after":"paid"}}}}}}'
    ),
    "invoice.sent": f'{{"invoice_id":"{ID}","contact_id":"{OTHER}","link_id":"{ID}"}}',
    "invoice.version_added": (
        f'{{"invoice_id":"{ID}","version":2,"currency":"EUR",'
        '"changes":{"total_minor":{"before":11900,"after":23800}}}'
    ),
    "invoice.voided": f'{{"invoice_id":"{ID}"}}',
    "invoice.write_authority_changed": f'{{"invoice_id":"{ID}",{AUTHORITY}}}',
    "invoice.written_off": f'{{"invoice_id":"{ID}","currency":"EUR","outstanding_minor":11900}}',
    "ledger.entry_added": (
        f'{{"invoice_id":"{ID}","entry_id":"{OTHER}","entry_kind":"charge","source_id":"ch_1","currency":"EUR",'
        f'"amount_minor":11900,"attempt_id":"{ID}","is_late":false}}'
    ),
    "link.issued": f'{{{LINK},"contact_id":null,"expires_at":"2026-03-16T09:30:00Z","replaces":null}}',
    "link.revoked": f"{{{LINK}}}",
    "link.shown": f'{{{LINK},"expires_at":"2026-03-16T09:30:00Z"}}',
    "note.deleted": f"{{{COMMENT}}}",
    "note.edited": f"{{{COMMENT}}}",
    "note.posted": f"{{{COMMENT}}}",
    "number_series.changed": '{"series":"invoices","changes":{"prefix":{"before":null,"after":"RE-"}}}',
    "thread.muted": f'{{"invoice_id":"{ID}"}}',
    "thread.reopened": f'{{"invoice_id":"{ID}"}}',
    "thread.resolved": f'{{"invoice_id":"{ID}"}}',
    "thread.unmuted": f'{{"invoice_id":"{ID}"}}',
    "refund.ended": f'{{"invoice_id":"{ID}","refund_id":"{OTHER}","state":"failed","failure":"lost_or_stolen_card"}}',
    "refund.requested": (
        f'{{"invoice_id":"{ID}","refund_id":"{OTHER}","attempt_id":"{ID}","currency":"EUR","amount_minor":100}}'
    ),
    "recovery_codes.replaced": f'{{"authenticator_id":"{ID}"}}',
    "session.revoked": f'{{"session_id":"{ID}"}}',
    "stripe.account_changed": (
        f'{{"connection_id":"{ID}","changes":{{"application_fee_bp":{{"before":0,"after":150}}}}}}'
    ),
    "stripe.account_connected": ACCOUNT,
    "stripe.account_created": ACCOUNT,
    "stripe.account_disconnected": ACCOUNT,
    "stripe.account_revoked": ACCOUNT,
    "stripe.onboarding_started": f'{{"connection_id":"{ID}","is_live":true}}',
    "workspace.streams_reset": '{"streams":3}',
    "workspace.bank_details_changed": '{"is_set":true}',
    "workspace.payment_settings_changed": '{"changes":{"livemode":{"before":true,"after":false}}}',
    "workspace.brand_changed": '{"changes":{"name":{"before":"Acme","after":"Acme & Co."}}}',
    "workspace.contact_email_changed": '{"is_set":true}',
    "workspace.created": (
        '{"slug":"acme","host":"acme.portal.example","locale":"de-DE","time_zone":"Europe/Berlin",'
        '"currency":"EUR"}'
    ),
    "workspace.logo_changed": '{"before":null,"after":"0a"}',
    "workspace.logo_fetch_requested": f'{{"job_id":"{ID}"}}',
    "workspace.region_changed": '{"changes":{"locale":{"before":"de-DE","after":"de-AT"}}}',
    "workspace.terms_changed": '{"changes":{"payment_days":{"before":14,"after":30}}}',
    "workspace.write_authority_changed": f"{{{AUTHORITY}}}",
}


def find_subclasses(event: type[Event]) -> Iterator[type[Event]]:
    for subclass in event.__subclasses__():
        yield subclass
        yield from find_subclasses(subclass)


def find_events() -> list[type[Event]]:
    """Return every event of the product; tests may declare others."""
    for module in pkgutil.walk_packages(tenants.__path__, "tenants."):
        if module.name.endswith(".events"):
            import_module(module.name)
    return [
        event
        for event in find_subclasses(Event)
        if event.__module__.startswith("tenants.") and not event.__name__.startswith("_")
    ]


def test_every_kind_of_event_is_here_once() -> None:
    assert sorted(event.kind for event in find_events()) == sorted(PAYLOADS)


@pytest.mark.parametrize("kind", PAYLOADS)
def test_a_stored_payload_is_read_and_written_as_it_was(kind: str) -> None:
    (event_type,) = (event for event in find_events() if event.kind == kind)
    event = msgspec.json.decode(PAYLOADS[kind], type=event_type, strict=True)
    assert encode(event) == PAYLOADS[kind]
