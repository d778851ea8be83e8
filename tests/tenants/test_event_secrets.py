"""No event holds a secret: every type by the names of its fields, and what is stored after many actions."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import pytest

import tenants.activity.events
from kernel.errors import Denied
from kernel.ids import new_id
from kernel.store import Database, fetch
from tenants.activity.actions import audit_refusal
from tenants.activity.events import Event
from tenants.customers.actions import add_contact
from tenants.invoices.actions import issue_link, revoke_link, rotate_link, show_link
from tenants.workspaces.actions import claim_domain, request_logo_fetch
from tests.fakes.sample_workspaces import BASE_DOMAIN, SampleWorkspace

SECRET_NAMES = re.compile(r"token|secret|passw|cookie|key|otp|recovery|iban|(?<!error_)code$")
# A token of 24 letters and digits on its own, as kernel.ids.new_token makes them.
TOKEN = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{24}(?![0-9A-Za-z])")
STORED = """
SELECT payload::text || context::text || actor_id AS text FROM event WHERE workspace_id = $1
UNION ALL SELECT payload::text || context::text || actor_id FROM event_draft WHERE workspace_id = $1
"""


def find_event_types(base: type[Event] = Event) -> Iterator[type[Event]]:
    for each in base.__subclasses__():
        yield each
        yield from find_event_types(each)


def test_no_field_of_an_event_is_named_like_a_secret() -> None:
    assert tenants.activity.events.ActionRefused in set(find_event_types())
    found = {
        f"{each.kind}.{field.name}"
        for each in find_event_types()
        for field in msgspec.structs.fields(each)
        if SECRET_NAMES.search(field.name)
    }
    assert found == set()


@pytest.mark.parametrize("name", ["token", "link_token", "otp_code", "code", "iban", "data_key"])
def test_the_search_for_names_finds_them(name: str) -> None:
    assert SECRET_NAMES.search(name)


async def test_nothing_secret_is_stored_after_many_actions(acme: SampleWorkspace, svc: Database) -> None:
    customer_id = await acme.create_customer()
    invoice_id = await acme.issue_invoice(customer_id)
    secrets: list[str] = []
    async with acme.database.scope(acme.workspace_id):
        contact = await add_contact(
            customer_id, email="ada@example.com", name="Ada", locale=None, clock=acme.clock
        )
        link = await issue_link(
            invoice_id, contact_id=contact.contact_id, sealer=acme.sealer, clock=acme.clock
        )
        shown = await show_link(link.link_id, sealer=acme.sealer, clock=acme.clock)
        rotated = await rotate_link(link.link_id, sealer=acme.sealer, clock=acme.clock)
        await revoke_link(rotated.link_id, clock=acme.clock)
        secrets += [link.token, shown.token, rotated.token]
        host = f"pay-{new_id().hex[:8]}.example.com"
        await claim_domain(host, base_domain=BASE_DOMAIN, reserved_hosts=(), clock=acme.clock)
        await request_logo_fetch("https://example.com/logo.png?signature=s3cr3t-of-the-url")
        secrets.append("s3cr3t-of-the-url")
        for row in await fetch("SELECT verify_token FROM portal_domain"):
            secrets.append(row["verify_token"])
        for row in await fetch("SELECT data_key FROM workspace"):
            secrets.append(row["data_key"].hex())
    refused = Denied("link.refused", f"The link {link.token} is refused.", token=link.token)
    await audit_refusal(acme.database, acme.workspace_id, refused, action="link.open")
    async with svc.unbound():
        stored = [row["text"] for row in await fetch(STORED, acme.workspace_id)]
    assert stored
    for text in stored:
        assert not any(secret in text for secret in secrets)
        assert not TOKEN.search(text)
