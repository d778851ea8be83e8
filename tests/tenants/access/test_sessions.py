"""Sessions: what opens them, what ends them, and what their list shows."""

from __future__ import annotations

import dataclasses
import datetime as dt
from ipaddress import ip_network
from uuid import UUID

import pytest

from kernel.errors import Missing
from kernel.ids import new_secret
from kernel.live.wake import Revocation, decode_message
from kernel.settings import Settings
from kernel.store import Database, execute, fetch, fetch_value
from tenants.access import actions, queries
from tenants.access.values import NewSession, Session, Subject, SubjectKind
from tenants.customers.actions import remove_contact
from tenants.customers.queries import list_contacts
from tenants.ids import InvoiceId
from tenants.invoices.portal_access import open_own_invoice
from tests.fakes.proofs import Visitor, own
from tests.fakes.sample_workspaces import SampleWorkspace

AGE = """
UPDATE session SET created_at = created_at - $2::interval, used_at = used_at - $2::interval,
                   expires_at = expires_at - $2::interval, totp_proven_at = totp_proven_at - $2::interval
WHERE session_id = $1
"""


async def find(ana: Visitor, session: NewSession) -> Session | None:
    """Return what the cookie opens."""
    workspace = ana.workspace
    return await queries.find_session(
        workspace.database, workspace.workspace_id, session.value, workspace.sealer
    )


async def do(ana: Visitor, sql: str, *arguments: object) -> None:
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        await execute(sql, *arguments)


async def list_ids(ana: Visitor) -> list[object]:
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        return [each.session_id for each in await queries.list_sessions(own(ana.address))]


async def test_the_cookie_opens_the_session_and_its_hash_is_all_that_is_stored(ana: Visitor) -> None:
    session = await ana.sign_in()
    found = await find(ana, session)
    assert found is not None
    assert (found.session_id, found.subject) == (session.session_id, own(ana.address))
    assert found.browser_hash == ana.browser
    assert (found.email_proven_at is None, found.totp_proven_at, found.has_authenticator) == (
        False,
        None,
        False,
    )
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        rows = await fetch("SELECT t::text AS row FROM session t")
    assert not any(session.value in row["row"] for row in rows)


async def test_a_cookie_opens_nothing_in_another_workspace(ana: Visitor, rival: SampleWorkspace) -> None:
    session = await ana.sign_in()
    assert await find(dataclasses.replace(ana, workspace=rival), session) is None


@pytest.mark.parametrize("value", ["", "s" + "A" * 43, "a" * 44, "s\x00"])
async def test_an_unknown_cookie_opens_nothing(ana: Visitor, value: str) -> None:
    session = await ana.sign_in()
    assert await find(ana, NewSession(session.session_id, value)) is None


async def test_signing_in_again_in_the_same_browser_ends_the_earlier_session(ana: Visitor) -> None:
    earlier, later = await ana.sign_in(), await ana.sign_in()
    assert await find(ana, earlier) is None
    assert await list_ids(ana) == [later.session_id]


async def test_another_address_in_the_same_browser_ends_the_earlier_session_too(ana: Visitor) -> None:
    earlier = await ana.sign_in()
    await dataclasses.replace(ana, address="ben@buyer.example").sign_in()
    assert await find(ana, earlier) is None


async def test_whoever_signs_out_follows_no_invoice_by_the_session_before_either(
    ana: Visitor, settings: Settings
) -> None:
    ended: list[UUID] = []

    async def record(_channel: str, message: bytes) -> None:
        if isinstance(decoded := decode_message(message), Revocation):
            ended.append(decoded.viewer)

    database = await Database.open(settings.database_url, size=2, publish=record)
    ana = dataclasses.replace(ana, workspace=dataclasses.replace(ana.workspace, database=database))
    elsewhere = dataclasses.replace(ana, browser=new_secret())
    first, second, _ = await ana.sign_in(), await ana.sign_in(), await elsewhere.sign_in()
    # A ticket of the first one goes on, because its page gets the next one by the second.
    assert ended == []
    async with database.scope(ana.workspace.workspace_id):
        await actions.end_session(second.session_id)
    await database.close()
    assert set(ended) == {first.session_id, second.session_id}


async def test_a_session_ends_when_it_was_not_used_for_two_weeks(ana: Visitor) -> None:
    session = await ana.sign_in()
    await do(ana, AGE, session.session_id, dt.timedelta(days=13, hours=23))
    assert await find(ana, session) is not None
    await do(ana, AGE, session.session_id, dt.timedelta(hours=1))
    assert await find(ana, session) is None
    assert await list_ids(ana) == []


async def test_a_session_ends_after_90_days_however_much_it_is_used(ana: Visitor) -> None:
    session = await ana.sign_in()
    for _ in range(9):
        await do(ana, AGE, session.session_id, dt.timedelta(days=10) - dt.timedelta(minutes=1))
        async with ana.workspace.database.scope(ana.workspace.workspace_id):
            await actions.renew_session(session.session_id)
        assert await find(ana, session) is not None
    await do(ana, AGE, session.session_id, dt.timedelta(minutes=9))
    assert await find(ana, session) is None


async def test_the_use_of_a_session_is_stored_hourly_and_never_revives_one(ana: Visitor) -> None:
    session = await ana.sign_in()
    before = await find(ana, session)
    assert before is not None
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        await actions.renew_session(session.session_id)
    assert await find(ana, session) == before
    assert not before.needs_renewal(before.used_at + dt.timedelta(minutes=59))
    assert before.needs_renewal(before.used_at + dt.timedelta(hours=1))
    await do(ana, AGE, session.session_id, dt.timedelta(hours=2))
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        await actions.renew_session(session.session_id)
    renewed = await find(ana, session)
    assert renewed is not None
    assert renewed.used_at >= before.used_at
    await do(ana, AGE, session.session_id, dt.timedelta(days=15))
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        await actions.renew_session(session.session_id)
    assert await find(ana, session) is None


async def test_proving_an_authenticator_gives_the_session_a_new_cookie(ana: Visitor) -> None:
    await ana.enrol()
    session = await ana.sign_in()
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        elevated = await actions.prove_totp(session.session_id, sealer=ana.workspace.sealer)
    assert await find(ana, session) is None
    found = await find(ana, elevated)
    assert found is not None
    assert (found.session_id, found.browser_hash) == (session.session_id, ana.browser)
    assert found.totp_proven_at is not None


async def test_an_ended_session_cannot_be_elevated(ana: Visitor) -> None:
    session = await ana.sign_in()
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        await actions.end_session(session.session_id)
        await actions.end_session(session.session_id)
        with pytest.raises(Missing):
            await actions.prove_totp(session.session_id, sealer=ana.workspace.sealer)
    assert await find(ana, session) is None


async def test_a_person_sees_and_ends_their_sessions_in_all_browsers_but_nobody_elses(ana: Visitor) -> None:
    here, there = await ana.sign_in(), await dataclasses.replace(ana, browser=new_secret()).sign_in()
    eve = dataclasses.replace(ana, address="eve@buyer.example", browser=new_secret())
    foreign = await eve.sign_in()
    assert await list_ids(ana) == [there.session_id, here.session_id]
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        with pytest.raises(Missing) as caught:
            await actions.revoke_session(foreign.session_id, own(ana.address))
        assert caught.value.code == "session.not_found"
        await actions.revoke_session(there.session_id, own(ana.address))
    assert await list_ids(ana) == [here.session_id]
    assert await find(ana, there) is None
    assert await find(eve, foreign) is not None


async def test_all_other_sessions_end_at_once(ana: Visitor) -> None:
    browsers = [dataclasses.replace(ana, browser=new_secret()) for _ in range(3)]
    sessions = [await each.sign_in() for each in browsers]
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        assert await actions.revoke_other_sessions(own(ana.address), keep=sessions[1].session_id) == 2
        assert await actions.revoke_other_sessions(own(ana.address), keep=sessions[1].session_id) == 0
    assert await list_ids(ana) == [sessions[1].session_id]
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        assert await actions.revoke_other_sessions(own(ana.address), keep=None) == 1
    assert await list_ids(ana) == []


async def test_the_list_shows_the_browser_and_the_network_but_no_whole_address(ana: Visitor) -> None:
    code_id = await ana.check_code(await ana.get_code())
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        await actions.create_session(
            code_id,
            sealer=ana.workspace.sealer,
            user_agent="Firefox " + "x" * 600,
            address_prefix=ip_network("203.0.113.0/24"),
        )
        (shown,) = await queries.list_sessions(own(ana.address))
    assert (shown.user_agent[:8], len(shown.user_agent)) == ("Firefox ", 500)
    assert (shown.address_prefix, shown.has_totp) == ("203.0.113.0/24", False)


async def test_a_members_session_is_not_that_of_the_address(ana: Visitor) -> None:
    member = Subject(SubjectKind.MEMBER, "b3f6e1f0")
    code_id = await ana.check_code(await ana.get_code())
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        session = await actions.create_session(code_id, sealer=ana.workspace.sealer, subject=member)
        assert await queries.list_sessions(own(ana.address)) == ()
        assert [each.session_id for each in await queries.list_sessions(member)] == [session.session_id]


async def open_own(ana: Visitor, invoice_id: InvoiceId, session: NewSession) -> object:
    workspace = ana.workspace
    return await open_own_invoice(
        workspace.database,
        workspace.workspace_id,
        invoice_id,
        sealer=workspace.sealer,
        session=session.value,
    )


async def test_a_contacts_session_opens_the_customers_invoice_until_it_ends_or_the_contact_is_removed(
    ana: Visitor,
) -> None:
    workspace, customer_id = ana.workspace, await ana.become_contact()
    invoice_id = await workspace.issue_invoice(customer_id)
    session = await ana.sign_in()
    await open_own(ana, invoice_id, session)
    async with workspace.database.scope(workspace.workspace_id):
        await actions.end_session(session.session_id)
    with pytest.raises(Missing):
        await open_own(ana, invoice_id, session)
    session = await ana.sign_in()
    await open_own(ana, invoice_id, session)
    async with workspace.database.scope(workspace.workspace_id):
        (contact,) = await list_contacts(customer_id)
        await remove_contact(contact.contact_id)
    with pytest.raises(Missing):
        await open_own(ana, invoice_id, session)


async def test_whoever_has_an_authenticator_opens_an_invoice_without_a_link_only_with_it(
    ana: Visitor,
) -> None:
    workspace, customer_id = ana.workspace, await ana.become_contact()
    invoice_id, session = await workspace.issue_invoice(customer_id), await ana.sign_in()
    await open_own(ana, invoice_id, session)
    await ana.enrol()
    with pytest.raises(Missing):
        await open_own(ana, invoice_id, session)
    async with workspace.database.scope(workspace.workspace_id):
        elevated = await actions.prove_totp(session.session_id, sealer=workspace.sealer)
    await open_own(ana, invoice_id, elevated)
    async with workspace.database.scope(workspace.workspace_id):
        assert await fetch_value("SELECT count(*) FROM session WHERE totp_proven_at IS NOT NULL") == 1
