"""The life of a connection: set up, connected, restricted, revoked, let in again, disconnected."""

from __future__ import annotations

import datetime as dt

import pytest

from kernel.errors import Conflict, Invalid, Missing
from kernel.ids import new_token
from kernel.store import Database, execute, fetch, fetch_value
from tenants.connect import actions, queries
from tenants.connect.values import (
    AccountSnapshot,
    CardCapability,
    Connection,
    ConnectionState,
    PaymentDomain,
    PaymentDomainState,
)
from tenants.workspaces import actions as workspaces
from tenants.workspaces.actions import set_payment_settings
from tenants.workspaces.domains import DomainState
from tests.fakes.sample_workspaces import SampleWorkspace
from tests.fakes.stripe_accounts import READ_AT, begin, build_snapshot, connect

FIND = "SELECT portal_find_stripe_workspace($1, $2, '')"
MINUTE = dt.timedelta(minutes=1)


async def record(
    workspace: SampleWorkspace, snapshot: AccountSnapshot, read_at: dt.datetime = READ_AT
) -> Connection:
    async with workspace.database.scope(workspace.workspace_id):
        return await actions.record_account(snapshot, read_at=read_at)


async def find_workspace(database: Database, account_id: str, *, is_live: bool = False) -> object:
    async with database.unbound():
        return await fetch_value(FIND, account_id, is_live)


async def test_an_account_takes_cards_once_stripe_has_said_so(acme: SampleWorkspace) -> None:
    account_id = (await begin(acme)).account_id
    async with acme.database.scope(acme.workspace_id):
        assert await queries.find_account() is None
    await record(acme, build_snapshot(account_id, CardCapability.RESTRICTED, "document"))
    async with acme.database.scope(acme.workspace_id):
        account = await queries.find_account()
    assert account is not None
    assert (account.is_active, account.takes_cards) == (False, False)
    await record(acme, build_snapshot(account_id, CardCapability.PENDING), READ_AT + MINUTE)
    async with acme.database.scope(acme.workspace_id):
        account = await queries.find_account()
    assert account is not None
    assert (account.is_active, account.takes_cards, account.checked_at) == (True, False, READ_AT + MINUTE)
    await record(acme, build_snapshot(account_id), READ_AT + 2 * MINUTE)
    async with acme.database.scope(acme.workspace_id):
        account = await queries.find_account()
    assert account is not None
    assert (account.account_id, account.is_active, account.takes_cards) == (account_id, True, True)


async def test_a_connected_account_stays_connected_while_stripe_restricts_it(acme: SampleWorkspace) -> None:
    account_id = (await connect(acme)).account_id
    found = await record(
        acme, build_snapshot(account_id, CardCapability.RESTRICTED, "document"), READ_AT + MINUTE
    )
    assert (found.state, found.requirements) == (ConnectionState.ACTIVE, ("document",))


async def test_an_older_picture_of_the_account_changes_nothing(acme: SampleWorkspace) -> None:
    account_id = (await connect(acme)).account_id
    found = await record(acme, build_snapshot(account_id, CardCapability.RESTRICTED), READ_AT - MINUTE)
    assert found.card_capability is CardCapability.ACTIVE


async def test_a_revoked_account_is_inactive_until_stripe_lets_us_in_again(acme: SampleWorkspace) -> None:
    account_id = (await connect(acme)).account_id
    async with acme.database.scope(acme.workspace_id):
        assert await actions.revoke_account(account_id)
        account = await queries.find_account()
    assert account is not None
    assert not account.is_active
    found = await record(acme, build_snapshot(account_id), READ_AT + MINUTE)
    assert found.state is ConnectionState.ACTIVE


async def test_events_of_an_account_lead_to_its_workspace_in_its_mode_alone(
    acme: SampleWorkspace, database: Database
) -> None:
    account_id = (await connect(acme)).account_id
    assert await find_workspace(database, account_id) == acme.workspace_id
    assert await find_workspace(database, account_id, is_live=True) is None
    assert await find_workspace(database, "acct_unknown") is None


async def test_refunds_of_a_disconnected_account_still_lead_to_its_workspace(
    acme: SampleWorkspace, rival: SampleWorkspace, database: Database
) -> None:
    account_id = (await connect(acme)).account_id
    async with acme.database.scope(acme.workspace_id):
        await actions.disconnect()
        assert await queries.find_account() is None
        assert [each.account_id for each in await queries.list_connections()] == [account_id]
    assert await find_workspace(database, account_id) == acme.workspace_id
    # Another workspace connects it: it is now whom the account pays.
    async with rival.database.scope(rival.workspace_id):
        theirs = await actions.begin_onboarding(is_live=False, token=new_token(), sealer=rival.sealer)
        await actions.set_account(theirs.connection_id, account_id)
    assert await find_workspace(database, account_id) == rival.workspace_id


async def test_an_account_belongs_to_one_workspace(acme: SampleWorkspace, rival: SampleWorkspace) -> None:
    account_id = (await connect(acme)).account_id
    with pytest.raises(Conflict) as caught:
        async with rival.database.scope(rival.workspace_id):
            theirs = await actions.begin_onboarding(is_live=False, token=new_token(), sealer=rival.sealer)
            await actions.set_account(theirs.connection_id, account_id)
    assert caught.value.code == "connect.account_taken"


async def test_a_host_cannot_be_noted_for_anothers_connection(
    acme: SampleWorkspace, rival: SampleWorkspace
) -> None:
    theirs = await connect(acme)
    domain = PaymentDomain("pay.rival.example", "pmd_1", PaymentDomainState.ACTIVE)
    with pytest.raises(Exception, match="violates foreign key constraint"):
        async with rival.database.scope(rival.workspace_id):
            await actions.record_payment_domain(theirs.connection_id, domain)
    async with rival.database.scope(rival.workspace_id):
        with pytest.raises(Conflict):
            await actions.set_account(theirs.connection_id, "acct_stolen")


async def test_setting_up_again_goes_on_with_the_same_account(acme: SampleWorkspace) -> None:
    first, second = await begin(acme), await begin(acme)
    assert (first.connection_id, first.account_id) == (second.connection_id, second.account_id)


@pytest.mark.parametrize(("is_live", "code"), [(False, "already_connected"), (True, "other_mode")])
async def test_what_is_connected_is_not_set_up_again(
    acme: SampleWorkspace, *, is_live: bool, code: str
) -> None:
    await connect(acme)
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Conflict) as caught:
            await actions.begin_onboarding(is_live=is_live, token=new_token(), sealer=acme.sealer)
    assert caught.value.code == f"connect.{code}"


@pytest.mark.parametrize(("is_live", "words"), [(True, "moves real money"), (False, "is for tests")])
async def test_nothing_is_set_up_with_a_key_of_the_other_mode_than_the_workspaces(
    acme: SampleWorkspace, *, is_live: bool, words: str
) -> None:
    async with acme.database.scope(acme.workspace_id):
        await set_payment_settings(is_live=not is_live)
        with pytest.raises(Conflict, match=words) as caught:
            await actions.begin_onboarding(is_live=is_live, token=new_token(), sealer=acme.sealer)
        assert await queries.find_connection() is None
    assert caught.value.code == "connect.workspace_mode"


async def test_an_account_of_the_other_mode_is_refused(acme: SampleWorkspace) -> None:
    account_id = (await begin(acme)).account_id
    snapshot = AccountSnapshot(account_id, True, CardCapability.ACTIVE, ())
    with pytest.raises(Conflict) as caught:
        await record(acme, snapshot)
    assert caught.value.code == "connect.other_mode"


async def test_the_link_back_works_once_and_not_for_ever(acme: SampleWorkspace, database: Database) -> None:
    token, late = new_token(), new_token()
    connection = await begin(acme, token)
    assert await queries.find_onboarding_workspace(database, token, sealer=acme.sealer) == acme.workspace_id
    async with acme.database.scope(acme.workspace_id):
        assert await actions.use_onboarding(token, sealer=acme.sealer) == connection.connection_id
        with pytest.raises(Missing):
            await actions.use_onboarding(token, sealer=acme.sealer)
    await begin(acme, late)
    async with acme.database.scope(acme.workspace_id):
        await execute("UPDATE stripe_onboarding SET expires_at = now() - interval '1 s'")
        with pytest.raises(Missing):
            await actions.use_onboarding(late, sealer=acme.sealer)
    for text in (token, late, new_token(), "x", ""):
        assert await queries.find_onboarding_workspace(database, text, sealer=acme.sealer) is None


async def test_hosts_are_made_known_when_the_account_becomes_active(acme: SampleWorkspace) -> None:
    account_id = (await begin(acme)).account_id
    queued = "SELECT payload ->> 'host' AS host FROM job WHERE kind = 'connect.register_payment_domain'"
    async with acme.database.scope(acme.workspace_id):
        assert await fetch(queued) == []
        await actions.record_account(build_snapshot(account_id), read_at=READ_AT)
        assert [row["host"] for row in await fetch(queued)] == [acme.host]


async def test_a_host_that_becomes_active_later_is_made_known_too(acme: SampleWorkspace) -> None:
    host = f"pay.{acme.slug}.example"
    queued = (
        "SELECT count(*) FROM job WHERE kind = 'connect.register_payment_domain' AND payload ->> 'host' = $1"
    )
    async with acme.database.scope(acme.workspace_id):
        domain = await workspaces.claim_domain(
            host, base_domain="localhost", reserved_hosts=(), clock=acme.clock
        )
        await workspaces.verify_domain(domain.domain_id, txt_records=[domain.verify_token], clock=acme.clock)
        assert await fetch_value(queued, host) == 0
        await workspaces.set_domain_state(domain.domain_id, DomainState.ACTIVE, clock=acme.clock)
        assert await fetch_value(queued, host) == 1


async def test_the_watermark_of_events_never_goes_back(acme: SampleWorkspace) -> None:
    connection = await connect(acme)
    async with acme.database.scope(acme.workspace_id):
        for until in (READ_AT, READ_AT + MINUTE, READ_AT):
            await actions.advance_watermark(connection.connection_id, until)
        assert (await queries.load_connection()).events_watermark == READ_AT + MINUTE


@pytest.mark.parametrize("fee_bp", [-1, 5001])
async def test_a_fee_beyond_its_bounds_is_refused(acme: SampleWorkspace, fee_bp: int) -> None:
    await connect(acme)
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Invalid):
            await actions.set_application_fee(fee_bp)
        await actions.set_application_fee(5000)
        account = await queries.find_account()
    assert account is not None
    assert account.application_fee_bp == 5000
