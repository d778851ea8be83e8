"""Workspaces: created whole or not at all, changed piece by piece, with domains that prove themselves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from kernel.clock import FixedClock, SystemClock
from kernel.errors import Conflict, Invalid, Missing
from kernel.ids import WorkspaceId, new_id
from kernel.seals import Sealer
from kernel.store import Database, fetch_value
from tenants.ids import DomainId
from tenants.workspaces import actions, queries
from tenants.workspaces.domains import DomainState
from tenants.workspaces.logo import reencode
from tenants.workspaces.profile import LogoRef, NewWorkspace, WorkspaceProfile
from tests.fakes.sample_workspaces import BASE_DOMAIN, SampleWorkspace, build_jpeg
from tests.tenants.conftest import AddWorkspace

CLOCK = SystemClock()


async def create(database: Database, sealer: Sealer, new: NewWorkspace) -> WorkspaceProfile:
    async with database.scope(WorkspaceId(new_id())):
        return await actions.create_workspace(
            new, base_domain=BASE_DOMAIN, reserved_hosts=(), sealer=sealer, clock=CLOCK
        )


async def claim(sample_workspace: SampleWorkspace, host: str) -> queries.Domain:
    async with sample_workspace.database.scope(sample_workspace.workspace_id):
        return await actions.claim_domain(host, base_domain=BASE_DOMAIN, reserved_hosts=(), clock=CLOCK)


async def verify(sample_workspace: SampleWorkspace, host: str) -> queries.Domain:
    domain = await claim(sample_workspace, host)
    async with sample_workspace.database.scope(sample_workspace.workspace_id):
        return await actions.verify_domain(domain.domain_id, txt_records=[domain.verify_token], clock=CLOCK)


async def activate(sample_workspace: SampleWorkspace, host: str) -> queries.Domain:
    domain = await verify(sample_workspace, host)
    async with sample_workspace.database.scope(sample_workspace.workspace_id):
        return await actions.set_domain_state(domain.domain_id, DomainState.ACTIVE, clock=CLOCK)


async def test_a_new_workspace_is_served_at_its_slug_at_once(database: Database, sealer: Sealer) -> None:
    made = await create(
        database,
        sealer,
        NewWorkspace("nordlicht-1", " Nordlicht ", "de-DE", "Europe/Berlin", "EUR", "#AA3300"),
    )
    assert made == WorkspaceProfile(
        workspace_id=made.workspace_id,
        slug="nordlicht-1",
        name="Nordlicht",
        locale="de-DE",
        time_zone="Europe/Berlin",
        currency="EUR",
        brand_colour="#aa3300",
        contact_line="",
        logo=None,
        payment_days=14,
        link_days=30,
    )
    found = await queries.find_workspace_by_host(database, "nordlicht-1.localhost")
    assert found is not None
    assert (found.workspace, found.primary_host, found.is_primary) == (made, "nordlicht-1.localhost", True)


async def test_a_slug_is_given_once_and_the_loser_leaves_nothing(
    database: Database, sealer: Sealer, svc: Database
) -> None:
    await create(database, sealer, NewWorkspace("taken-slug", "First"))
    loser = WorkspaceId(new_id())
    async with database.scope(loser):
        with pytest.raises(Conflict) as caught:
            await actions.create_workspace(
                NewWorkspace("taken-slug", "Second"),
                base_domain=BASE_DOMAIN,
                reserved_hosts=(),
                sealer=sealer,
                clock=CLOCK,
            )
    assert caught.value.code == "workspace.slug_taken"
    async with svc.unbound():
        kept = await fetch_value("SELECT count(*) FROM portal_domain WHERE workspace_id = $1", loser)
    assert kept == 0


@pytest.mark.parametrize(
    ("new", "code"),
    [
        (NewWorkspace("www", "W"), "workspace.slug_reserved"),
        (NewWorkspace("console", "W"), "workspace.slug_reserved"),
        (NewWorkspace("Acme", "W"), "workspace.slug"),
        (NewWorkspace("-acme", "W"), "workspace.slug"),
        (NewWorkspace("a.b", "W"), "workspace.slug"),
        (NewWorkspace("xn--80ak6aa92e", "W"), "workspace.slug"),
        (NewWorkspace("a" * 64, "W"), "workspace.slug"),
        (NewWorkspace("fine", "  "), "workspace.name"),
        (NewWorkspace("fine", "two\nlines"), "workspace.name"),
        (NewWorkspace("fine", "W", locale="xx-XX"), "locale.unknown"),
        (NewWorkspace("fine", "W", locale="de_DE"), "locale.unknown"),
        (NewWorkspace("fine", "W", time_zone="Mars/Olympus"), "zone.unknown"),
        (NewWorkspace("fine", "W", currency="ZZZ"), "currency.unknown"),
        (NewWorkspace("fine", "W", brand_colour="red"), "workspace.colour"),
        (NewWorkspace("fine", "W", contact_line="x" * 201), "workspace.contact_line"),
    ],
)
async def test_what_cannot_be_a_workspace_is_refused_by_name(
    database: Database, sealer: Sealer, new: NewWorkspace, code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await create(database, sealer, new)
    assert caught.value.code == code


async def test_members_change_brand_region_and_terms_one_by_one(acme: SampleWorkspace) -> None:
    async with acme.database.scope(acme.workspace_id):
        await actions.set_brand(name="Acme & Söhne", contact_line="hallo@acme.example")
        await actions.set_region(time_zone="Asia/Tokyo")
        changed = await actions.set_terms(payment_days=0, link_days=90)
    assert (changed.name, changed.contact_line, changed.brand_colour) == (
        "Acme & Söhne",
        "hallo@acme.example",
        "#2f5bd7",
    )
    assert (changed.time_zone, changed.locale, changed.currency) == ("Asia/Tokyo", "de-DE", "EUR")
    assert (changed.payment_days, changed.link_days) == (0, 90)


async def test_a_change_that_is_refused_changes_nothing(acme: SampleWorkspace) -> None:
    async with acme.database.scope(acme.workspace_id):
        before = await queries.load_profile()
        with pytest.raises(Invalid, match="days"):
            await actions.set_terms(payment_days=7, link_days=-1)
        assert await queries.load_profile() == before


async def test_a_logo_is_drawn_anew_and_named_by_its_hash(acme: SampleWorkspace) -> None:
    upload = reencode(build_jpeg())
    async with acme.database.scope(acme.workspace_id):
        logo = await actions.set_logo(upload, clock=CLOCK)
        again = await actions.set_logo(upload, clock=CLOCK)
        image = await queries.load_brand_image(logo.sha256)
        profile = await queries.load_profile()
    assert logo == again == LogoRef(logo.sha256, 40, 20) == profile.logo
    assert (image.content_type, image.data[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    resolved = await queries.find_workspace_by_host(acme.database, acme.host)
    assert resolved is not None
    assert resolved.workspace.logo == logo


async def test_an_earlier_logo_stays_readable_for_pages_that_are_open(acme: SampleWorkspace) -> None:
    async with acme.database.scope(acme.workspace_id):
        first = await actions.set_logo(reencode(build_jpeg(colour="red")), clock=CLOCK)
        await actions.set_logo(reencode(build_jpeg(colour="blue")), clock=CLOCK)
        assert (await actions.remove_logo()).logo is None
        assert (await queries.load_brand_image(first.sha256)).content_type == "image/png"


async def test_a_refused_logo_leaves_the_old_one(acme: SampleWorkspace) -> None:
    async with acme.database.scope(acme.workspace_id):
        logo = await actions.set_logo(reencode(build_jpeg()), clock=CLOCK)
        with pytest.raises(Invalid, match="picture"):
            await actions.set_logo(reencode(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), clock=CLOCK)
        assert (await queries.load_profile()).logo == logo


async def test_a_domain_is_claimed_proven_activated_and_made_primary(acme: SampleWorkspace) -> None:
    host = f"billing-{acme.slug}.example.com"
    domain = await claim(acme, f"  {host.upper()}. ")
    assert (domain.host, domain.state, domain.is_primary) == (host, DomainState.CLAIMED, False)
    assert await queries.find_workspace_by_host(acme.database, host) is None
    await activate(acme, host)
    async with acme.database.scope(acme.workspace_id):
        await actions.set_primary_domain(domain.domain_id)
        assert await queries.load_primary_host() == host
    old = await queries.find_workspace_by_host(acme.database, acme.host)
    assert old is not None
    assert (old.host, old.primary_host, old.is_primary) == (acme.host, host, False)


async def test_a_domain_without_its_token_is_not_proven(acme: SampleWorkspace) -> None:
    domain = await claim(acme, f"unproven-{acme.slug}.example.com")
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Invalid) as caught:
            await actions.verify_domain(domain.domain_id, txt_records=["v=spf1 -all", ""], clock=CLOCK)
        states = {found.host: found.state for found in await queries.list_domains()}
    assert caught.value.code == "domain.verification_failed"
    assert states[domain.host] is DomainState.CLAIMED


async def test_anybody_may_claim_a_host_but_only_one_may_have_it(
    acme: SampleWorkspace, rival: SampleWorkspace
) -> None:
    host = f"contested-{acme.slug}.example.com"
    ours, theirs = await claim(acme, host), await claim(rival, host)
    assert ours.verify_token != theirs.verify_token
    await verify(acme, host)
    async with rival.database.scope(rival.workspace_id):
        with pytest.raises(Conflict) as caught:
            await actions.verify_domain(theirs.domain_id, txt_records=[theirs.verify_token], clock=CLOCK)
        assert (await queries.list_domains())[-1].state is DomainState.CLAIMED
    assert caught.value.code == "domain.taken"


async def test_concurrent_claims_of_a_workspace_leave_one_domain(acme: SampleWorkspace) -> None:
    host = f"raced-{acme.slug}.example.com"
    results = await asyncio.gather(*(claim(acme, host) for _ in range(10)), return_exceptions=True)
    async with acme.database.scope(acme.workspace_id):
        (domain,) = (each for each in await queries.list_domains() if each.host == host)
    assert domain in results
    errors = [each for each in results if each != domain]
    assert {getattr(each, "code", each) for each in errors} <= {"domain.exists"}


async def test_a_released_domain_is_reserved_for_thirty_days(
    acme: SampleWorkspace, rival: SampleWorkspace
) -> None:
    host = f"given-up-{acme.slug}.example.com"
    domain = await activate(acme, host)
    released_at = FixedClock(datetime(2020, 1, 1, tzinfo=UTC))
    async with acme.database.scope(acme.workspace_id):
        await actions.release_domain(domain.domain_id, clock=released_at)
    assert await queries.find_workspace_by_host(acme.database, host) is None
    with pytest.raises(Conflict, match="another workspace"):
        await verify(rival, host)
    released_at.advance(timedelta(days=30))
    async with acme.database.scope(acme.workspace_id):
        assert await actions.purge_released_domains(clock=released_at) == 0
    released_at.advance(timedelta(seconds=1))
    async with acme.database.scope(acme.workspace_id):
        assert await actions.purge_released_domains(clock=released_at) == 1
    assert (await verify(rival, host)).state is DomainState.VERIFIED


async def test_a_workspace_can_claim_again_what_it_released(acme: SampleWorkspace) -> None:
    host = f"regretted-{acme.slug}.example.com"
    domain = await activate(acme, host)
    async with acme.database.scope(acme.workspace_id):
        await actions.release_domain(domain.domain_id, clock=CLOCK)
    again = await claim(acme, host)
    assert again.state is DomainState.CLAIMED
    assert again.verify_token != domain.verify_token


async def test_claiming_twice_is_one_claim_and_an_active_domain_is_not_claimed_again(
    acme: SampleWorkspace,
) -> None:
    host = f"twice-{acme.slug}.example.com"
    assert await claim(acme, host) == await claim(acme, host)
    await activate(acme, host)
    with pytest.raises(Conflict) as caught:
        await claim(acme, host)
    assert caught.value.code == "domain.exists"


async def test_a_mere_claim_is_forgotten_on_release(acme: SampleWorkspace) -> None:
    domain = await claim(acme, f"dropped-{acme.slug}.example.com")
    async with acme.database.scope(acme.workspace_id):
        await actions.release_domain(domain.domain_id, clock=CLOCK)
        assert [found.host for found in await queries.list_domains()] == [acme.host]


async def test_the_primary_domain_cannot_be_released(acme: SampleWorkspace) -> None:
    async with acme.database.scope(acme.workspace_id):
        (own,) = await queries.list_domains()
        with pytest.raises(Conflict) as caught:
            await actions.release_domain(own.domain_id, clock=CLOCK)
    assert caught.value.code == "domain.primary"


async def test_only_a_served_domain_can_be_primary(acme: SampleWorkspace) -> None:
    domain = await verify(acme, f"early-{acme.slug}.example.com")
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Conflict) as caught:
            await actions.set_primary_domain(domain.domain_id)
        assert await queries.load_primary_host() == acme.host
    assert caught.value.code == "domain.state"


@pytest.mark.parametrize("wanted", [DomainState.VERIFIED, DomainState.RELEASED, DomainState.CLAIMED])
async def test_states_that_need_proof_have_their_own_actions(
    acme: SampleWorkspace, wanted: DomainState
) -> None:
    domain = await claim(acme, f"skip-{wanted.value}-{acme.slug}.example.com")
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Conflict) as caught:
            await actions.set_domain_state(domain.domain_id, wanted, clock=CLOCK)
    assert caught.value.code == "domain.state"


@pytest.mark.parametrize("host", ["localhost", "victim.localhost", "a.b.localhost"])
async def test_names_beneath_the_base_domain_cannot_be_claimed(acme: SampleWorkspace, host: str) -> None:
    with pytest.raises(Invalid):
        await claim(acme, host)


async def test_the_host_of_a_surface_can_be_claimed_by_no_workspace(acme: SampleWorkspace) -> None:
    for host in ("console.vendor.example", " X.Console.Vendor.example. "):
        async with acme.database.scope(acme.workspace_id):
            with pytest.raises(Invalid) as caught:
                await actions.claim_domain(
                    host, base_domain=BASE_DOMAIN, reserved_hosts={"console.vendor.example"}, clock=CLOCK
                )
        assert caught.value.code == "domain.reserved"
    async with acme.database.scope(acme.workspace_id):
        assert [domain.host for domain in await queries.list_domains()] == [acme.host]


async def test_no_workspace_is_created_on_the_host_of_a_surface(database: Database, sealer: Sealer) -> None:
    workspace_id = WorkspaceId(new_id())
    async with database.scope(workspace_id):
        with pytest.raises(Invalid) as caught:
            await actions.create_workspace(
                NewWorkspace("desk", "Desk"),
                base_domain=BASE_DOMAIN,
                reserved_hosts={f"desk.{BASE_DOMAIN}"},
                sealer=sealer,
                clock=CLOCK,
            )
    assert caught.value.code == "workspace.slug_reserved"
    assert await queries.find_workspace_by_host(database, f"desk.{BASE_DOMAIN}") is None


async def test_an_unknown_domain_is_missing(acme: SampleWorkspace) -> None:
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Missing) as caught:
            await actions.set_primary_domain(DomainId(new_id()))
    assert caught.value.code == "domain.not_found"


async def test_a_workspace_that_was_never_created_is_missing(database: Database) -> None:
    async with database.scope(WorkspaceId(new_id())):
        with pytest.raises(Missing) as caught:
            await actions.set_brand(name="Nobody")
    assert caught.value.code == "workspace.not_found"


async def test_operators_find_workspaces_across_all_of_them(
    svc: Database, database: Database, add_workspace: AddWorkspace
) -> None:
    one, two = await add_workspace(slug="oper-a"), await add_workspace(slug="oper-b")
    async with svc.unbound():
        listed = await queries.list_workspaces(after="oper-", limit=2)
        assert await queries.find_workspace_by_slug("oper-b") == two.workspace_id
        with pytest.raises(Missing):
            await queries.find_workspace_by_slug("oper-c")
    assert [line.workspace_id for line in listed] == [one.workspace_id, two.workspace_id]
    async with database.scope(one.workspace_id):
        assert [line.slug for line in await queries.list_workspaces()] == ["oper-a"]


async def test_each_workspace_has_a_data_key_of_its_own(
    acme: SampleWorkspace, rival: SampleWorkspace
) -> None:
    keys = []
    for sample_workspace in (acme, rival, acme):
        async with sample_workspace.database.scope(sample_workspace.workspace_id):
            keys.append(await queries.load_data_key(sample_workspace.sealer))
    assert keys[0] == keys[2] != keys[1]
