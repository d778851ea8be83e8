"""Links: made, opened, shown, rotated, revoked, expired; and that every miss is the same miss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kernel.clock import FixedClock, SystemClock
from kernel.errors import Conflict, Invalid, Missing
from kernel.ids import WorkspaceId, new_id, new_token
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, execute, fetch_one
from kernel.store.pool import Pool
from tenants.customers.actions import add_contact
from tenants.ids import LinkId
from tenants.invoices import actions, portal_access, queries
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.values import LinkState, LinkWithToken, OpenedInvoice
from tenants.workspaces.queries import load_data_key
from tests.fakes.payments import set_paid
from tests.fakes.sample_workspaces import SampleWorkspace, euros

CLOCK = SystemClock()
EXPIRE_IN = "UPDATE link SET expires_at = clock_timestamp() + $2 WHERE link_id = $1"


async def issue_link(sample_workspace: SampleWorkspace) -> LinkWithToken:
    invoice_id = await sample_workspace.issue_invoice()
    async with sample_workspace.database.scope(sample_workspace.workspace_id):
        return await actions.issue_link(invoice_id, sealer=sample_workspace.sealer, clock=CLOCK)


async def open_link(
    sample_workspace: SampleWorkspace, token: str, sealer: Sealer | None = None
) -> OpenedInvoice:
    access = await portal_access.open_link(
        sample_workspace.database,
        sample_workspace.workspace_id,
        token,
        sealer=sealer or sample_workspace.sealer,
    )
    return access.invoice


async def try_open_link(
    sample_workspace: SampleWorkspace, token: str, sealer: Sealer | None = None
) -> OpenedInvoice | None:
    try:
        return await open_link(sample_workspace, token, sealer)
    except Missing:
        return None


@asynccontextmanager
async def record_statements(database: Database) -> AsyncIterator[list[str]]:
    """Record all that is sent to Postgres by a database with one connection."""
    sent: list[str] = []
    connection: Any = await database._pool.acquire()
    database._pool.release(connection, reusable=True)
    with connection.query_logger(lambda record: sent.append(record.query)):
        yield sent
        # The driver tells its listeners in the loop's next turn.
        await asyncio.sleep(0)


async def test_a_link_opens_its_invoice(acme: SampleWorkspace) -> None:
    customer_id = await acme.create_customer(locale="en-GB")
    invoice_id = await acme.issue_invoice(customer_id)
    async with acme.database.scope(acme.workspace_id):
        link = await actions.issue_link(invoice_id, sealer=acme.sealer, clock=CLOCK)
        await set_paid(invoice_id, euros("19"), clock=CLOCK)
        summary = await queries.load_invoice(invoice_id)
    found = await try_open_link(acme, link.token)
    assert found is not None
    assert found == OpenedInvoice(
        invoice_id=invoice_id,
        link_id=link.link_id,
        customer_id=customer_id,
        contact_id=None,
        number="INV-00001",
        status=InvoiceStatus.ISSUED,
        total=euros("119"),
        paid=euros("19"),
        held=euros("0"),
        processing=euros("0"),
        is_disputed=False,
        issue_date=summary.issue_date or found.issue_date,
        due_date=summary.due_date,
        version=1,
        customer_name="Buyer AG",
        locale="en-GB",
        changed_at=found.changed_at,
    )


async def test_the_recipients_language_comes_before_the_customers(acme: SampleWorkspace) -> None:
    customer_id = await acme.create_customer(locale="en-GB")
    invoice_id = await acme.issue_invoice(customer_id)
    async with acme.database.scope(acme.workspace_id):
        ana = await add_contact(customer_id, email="ana@buyer.example", locale="pt-PT", clock=CLOCK)
        tom = await add_contact(customer_id, email="tom@buyer.example", clock=CLOCK)
        links = [
            await actions.issue_link(
                invoice_id, contact_id=person.contact_id, sealer=acme.sealer, clock=CLOCK
            )
            for person in (ana, tom)
        ]
    found = [await try_open_link(acme, link.token) for link in links]
    assert [one and (one.contact_id, one.locale) for one in found] == [
        (ana.contact_id, "pt-PT"),
        (tom.contact_id, "en-GB"),
    ]


async def test_without_any_language_the_workspaces_is_meant(acme: SampleWorkspace) -> None:
    found = await try_open_link(acme, (await issue_link(acme)).token)
    assert found is not None
    assert found.locale is None


async def test_opening_is_one_round_trip_whatever_comes_of_it(
    acme: SampleWorkspace, rival: SampleWorkspace, settings: Settings
) -> None:
    tokens = await create_tokens(acme, rival)
    counts = {}
    database = await Database.open(settings.database_url, size=1)
    # Once for each connection the driver asks what kind of array the argument is.
    await portal_access.open_link(database, acme.workspace_id, tokens["good"], sealer=acme.sealer)
    for kind, token in tokens.items():
        async with record_statements(database) as sent:
            try:
                await portal_access.open_link(database, acme.workspace_id, token, sealer=acme.sealer)
                outcome = ["opened"]
            except Missing:
                outcome = []
        counts[kind] = (*sent, *outcome)
    await database.close()
    statement = counts["good"][0]
    assert counts == {
        "good": (statement, "opened"),
        "unknown": (statement,),
        "expired": (statement,),
        "revoked": (statement,),
        "foreign": (statement,),
        "draft": (statement,),
        "malformed": (),
    }


async def create_tokens(acme: SampleWorkspace, rival: SampleWorkspace) -> dict[str, str]:
    good, expired, revoked, foreign = [await issue_link(one) for one in (acme, acme, acme, rival)]
    draft_id = await acme.create_draft()
    async with acme.database.scope(acme.workspace_id):
        await execute(EXPIRE_IN, expired.link_id, timedelta(0))
        await actions.revoke_link(revoked.link_id, clock=CLOCK)
        draft = await actions.issue_link(draft_id, sealer=acme.sealer, clock=CLOCK)
    unknown = new_token()
    return {
        "good": good.token,
        "unknown": unknown,
        "expired": expired.token,
        "revoked": revoked.token,
        "foreign": foreign.token,
        "draft": draft.token,
        "malformed": unknown[:-1] + ("0" if unknown[-1] != "0" else "1"),
    }


async def test_every_miss_is_the_same_and_only_the_good_one_opens(
    acme: SampleWorkspace, rival: SampleWorkspace
) -> None:
    tokens = await create_tokens(acme, rival)
    outcomes: dict[str, object] = {}
    for kind, token in tokens.items():
        try:
            outcomes[kind] = (await open_link(acme, token)).number
        except Missing as error:
            outcomes[kind] = (error.code, error.message, error.data)
    miss: tuple[object, ...] = ("link.not_found", "This link opens nothing.", {})
    assert outcomes == dict.fromkeys(tokens, miss) | {"good": "INV-00001"}
    assert await try_open_link(rival, tokens["foreign"]) is not None


@pytest.mark.parametrize("token", ["", "x", "é" * 24, "../../etc/passwd", "0" * 23 + "1", "\x00" * 24])
async def test_a_malformed_token_never_reaches_the_database(token: str, sealer: Sealer) -> None:
    # There is no such server: any statement would raise Unavailable instead.
    nowhere = Database(Pool("postgresql:///none?host=/nowhere", size=1, name="nowhere"), "nowhere")
    with pytest.raises(Missing) as caught:
        await portal_access.open_link(nowhere, WorkspaceId(new_id()), token, sealer=sealer)
    assert caught.value.code == "link.not_found"


async def test_expiry_is_read_from_the_databases_clock(acme: SampleWorkspace) -> None:
    link = await issue_link(acme)
    for distance, alive in ((timedelta(seconds=2), True), (timedelta(microseconds=-1), False)):
        async with acme.database.scope(acme.workspace_id):
            await execute(EXPIRE_IN, link.link_id, distance)
        assert (await try_open_link(acme, link.token) is not None) is alive


async def test_a_drafts_link_opens_once_it_is_issued(acme: SampleWorkspace) -> None:
    draft = await acme.create_draft()
    async with acme.database.scope(acme.workspace_id):
        link = await actions.issue_link(draft, sealer=acme.sealer, clock=CLOCK)
    assert await try_open_link(acme, link.token) is None
    async with acme.database.scope(acme.workspace_id):
        await actions.issue(draft, clock=CLOCK)
    assert await try_open_link(acme, link.token) is not None


@pytest.mark.parametrize("ending", ["void", "write_off"])
async def test_an_invoice_that_ended_still_opens_and_says_so(acme: SampleWorkspace, ending: str) -> None:
    link = await issue_link(acme)
    found = await open_link(acme, link.token)
    async with acme.database.scope(acme.workspace_id):
        await getattr(actions, ending)(found.invoice_id, clock=CLOCK)
    after = await try_open_link(acme, link.token)
    assert after is not None
    assert after.status.value == {"void": "void", "write_off": "written_off"}[ending]
    assert after.changed_at > found.changed_at


async def test_a_later_link_does_not_end_earlier_ones(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        links = [await actions.issue_link(invoice_id, sealer=acme.sealer, clock=CLOCK) for _ in range(3)]
    assert all([await try_open_link(acme, link.token) for link in links])


async def test_rotating_ends_one_link_and_keeps_the_others(acme: SampleWorkspace) -> None:
    customer_id = await acme.create_customer()
    invoice_id = await acme.issue_invoice(customer_id)
    async with acme.database.scope(acme.workspace_id):
        ana = await add_contact(customer_id, email="ana@buyer.example", clock=CLOCK)
        other = await actions.issue_link(invoice_id, sealer=acme.sealer, clock=CLOCK)
        old = await actions.issue_link(invoice_id, contact_id=ana.contact_id, sealer=acme.sealer, clock=CLOCK)
        new = await actions.rotate_link(old.link_id, sealer=acme.sealer, clock=CLOCK)
        with pytest.raises(Conflict) as caught:
            await actions.rotate_link(old.link_id, sealer=acme.sealer, clock=CLOCK)
        listed = {line.link_id: (line.state, line.recipient) for line in await queries.list_links(invoice_id)}
    opened = [await try_open_link(acme, link.token) is not None for link in (other, old, new)]
    assert opened == [True, False, True]
    assert listed == {
        other.link_id: (LinkState.OPEN, ""),
        old.link_id: (LinkState.REVOKED, "ana@buyer.example"),
        new.link_id: (LinkState.OPEN, "ana@buyer.example"),
    }
    assert caught.value.code == "link.revoked"


async def test_revoking_twice_keeps_the_first_moment(acme: SampleWorkspace) -> None:
    link = await issue_link(acme)
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with acme.database.scope(acme.workspace_id):
        await actions.revoke_link(link.link_id, clock=clock)
        clock.advance(timedelta(days=1))
        await actions.revoke_link(link.link_id, clock=clock)
        found = await fetch_one("SELECT revoked_at FROM link WHERE link_id = $1", link.link_id)
    assert found["revoked_at"] == datetime(2026, 1, 1, tzinfo=UTC)


async def test_showing_a_link_prolongs_it_to_ten_days_at_least(acme: SampleWorkspace) -> None:
    link = await issue_link(acme)
    opened = await open_link(acme, link.token)
    async with acme.database.scope(acme.workspace_id):
        early = await actions.show_link(link.link_id, sealer=acme.sealer, clock=CLOCK)
        await execute(EXPIRE_IN, link.link_id, timedelta(hours=1))
        moment = FixedClock(CLOCK.now())
        late = await actions.show_link(link.link_id, sealer=acme.sealer, clock=moment)
        (line,) = await queries.list_links(opened.invoice_id)
    assert (early.token, late.token) == (link.token, link.token)
    assert early.expires_at == link.expires_at
    assert late.expires_at == line.expires_at == moment.now() + timedelta(days=10)
    assert line.last_shown_at == moment.now()


@pytest.mark.parametrize("how", ["expired", "revoked"])
async def test_looking_at_an_ended_link_does_not_bring_it_back(acme: SampleWorkspace, how: str) -> None:
    link = await issue_link(acme)
    async with acme.database.scope(acme.workspace_id):
        if how == "expired":
            await execute(EXPIRE_IN, link.link_id, timedelta(0))
        else:
            await actions.revoke_link(link.link_id, clock=CLOCK)
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Conflict) as caught:
            await actions.show_link(link.link_id, sealer=acme.sealer, clock=CLOCK)
    assert caught.value.code == "link.ended"
    assert await try_open_link(acme, link.token) is None


async def test_an_expired_link_is_listed_as_such_and_can_be_rotated(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        link = await actions.issue_link(invoice_id, sealer=acme.sealer, clock=CLOCK)
        await execute(EXPIRE_IN, link.link_id, timedelta(seconds=-1))
        (line,) = await queries.list_links(invoice_id)
        new = await actions.rotate_link(link.link_id, sealer=acme.sealer, clock=CLOCK)
    assert line.state is LinkState.EXPIRED
    assert await try_open_link(acme, new.token) is not None


async def test_a_link_is_for_a_contact_of_this_customer(acme: SampleWorkspace) -> None:
    ours, theirs = await acme.create_customer("One"), await acme.create_customer("Two")
    invoice_id = await acme.issue_invoice(ours)
    async with acme.database.scope(acme.workspace_id):
        stranger = await add_contact(theirs, email="x@two.example", clock=CLOCK)
        with pytest.raises(Missing) as caught:
            await actions.issue_link(
                invoice_id, contact_id=stranger.contact_id, sealer=acme.sealer, clock=CLOCK
            )
    assert caught.value.code == "contact.not_found"


async def test_an_unknown_link_is_missing_to_members(acme: SampleWorkspace) -> None:
    async with acme.database.scope(acme.workspace_id):
        for action in (actions.show_link, actions.rotate_link):
            with pytest.raises(Missing):
                await action(LinkId(new_id()), sealer=acme.sealer, clock=CLOCK)
        with pytest.raises(Missing):
            await actions.revoke_link(LinkId(new_id()), clock=CLOCK)


async def test_the_database_never_holds_a_token_in_the_clear(acme: SampleWorkspace) -> None:
    link = await issue_link(acme)
    async with acme.database.scope(acme.workspace_id):
        row = await fetch_one("SELECT token_hash, token_sealed, link::text AS whole FROM link")
    assert link.token.encode() not in row["token_sealed"]
    assert link.token not in row["whole"]
    assert link.token.encode().hex() not in row["whole"]
    assert link.token not in repr(link)


async def test_a_sealed_token_that_was_moved_to_another_link_does_not_open(acme: SampleWorkspace) -> None:
    one, two = await issue_link(acme), await issue_link(acme)
    async with acme.database.scope(acme.workspace_id):
        row = await fetch_one("SELECT token_sealed FROM link WHERE link_id = $1", one.link_id)
        await execute(
            "UPDATE link SET token_sealed = $2 WHERE link_id = $1", two.link_id, row["token_sealed"]
        )
        with pytest.raises(Invalid) as caught:
            await actions.show_link(two.link_id, sealer=acme.sealer, clock=CLOCK)
    assert caught.value.code == "seal.broken"


async def test_links_survive_a_change_of_the_secret(acme: SampleWorkspace) -> None:
    old = Sealer([("old", bytes(range(32)))])
    both = Sealer([("new", bytes(range(32, 64))), ("old", bytes(range(32)))])
    invoice_id = await acme.issue_invoice()
    async with acme.database.scope(acme.workspace_id):
        key = old.wrap(await load_data_key(acme.sealer), acme.workspace_id)
        await execute("UPDATE workspace SET data_key = $2 WHERE workspace_id = $1", acme.workspace_id, key)
        link = await actions.issue_link(invoice_id, sealer=old, clock=CLOCK)
        newer = await actions.issue_link(invoice_id, sealer=both, clock=CLOCK)
        assert (await actions.show_link(link.link_id, sealer=both, clock=CLOCK)).token == link.token
    assert await try_open_link(acme, link.token, both) is not None
    assert await try_open_link(acme, newer.token, both) is not None
    assert await try_open_link(acme, newer.token, old) is None
