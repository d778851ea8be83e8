"""An exercise for every action on workspaces."""

from __future__ import annotations

from datetime import timedelta

from kernel.clock import FixedClock
from kernel.ids import new_id
from tenants.ids import DomainId
from tenants.workspaces import actions as workspaces
from tenants.workspaces.authority import WriteAuthority, WriteMode
from tenants.workspaces.domains import RESERVATION_DAYS, DomainState
from tenants.workspaces.logo import reencode
from tenants.workspaces.profile import BankDetails, NewWorkspace
from tenants.workspaces.queries import Domain, list_domains
from tests.fakes.sample_workspaces import BASE_DOMAIN, SampleWorkspace, build_jpeg
from tests.tenants.exercises import CLOCK, Call, call, exercise, run

OTP_WITH_TOTP = WriteAuthority.create(WriteMode.OTP, requires_totp=True)


async def claim(workspace: SampleWorkspace) -> Domain:
    host = f"pay-{workspace.slug[:20]}.example.com"
    claimed: Domain = await run(
        workspace, workspaces.claim_domain, host, base_domain=BASE_DOMAIN, reserved_hosts=(), clock=CLOCK
    )
    return claimed


async def verify(workspace: SampleWorkspace) -> Domain:
    domain = await claim(workspace)
    txt = [domain.verify_token]
    verified: Domain = await run(
        workspace, workspaces.verify_domain, domain.domain_id, txt_records=txt, clock=CLOCK
    )
    return verified


async def activate(workspace: SampleWorkspace) -> DomainId:
    domain_id = (await verify(workspace)).domain_id
    await run(workspace, workspaces.set_domain_state, domain_id, DomainState.ACTIVE, clock=CLOCK)
    return domain_id


@exercise(workspaces.create_workspace, "workspace.created", slug="exercise", host="exercise.localhost")
async def create_a_workspace(workspace: SampleWorkspace) -> Call:
    options = {"base_domain": BASE_DOMAIN, "reserved_hosts": (), "sealer": workspace.sealer, "clock": CLOCK}
    return Call((NewWorkspace("exercise", "Exercise"),), options, new_id())


@exercise(
    workspaces.set_brand,
    "workspace.brand_changed",
    changes={"name": {"before": "Test & Co.", "after": "New & Co."}},
)
async def change_the_brand(_: SampleWorkspace) -> Call:
    return call(name="New & Co.", colour="#2f5bd7")


@exercise(workspaces.set_brand)
async def set_the_brand_it_has(_: SampleWorkspace) -> Call:
    return call(name="Test & Co.")


@exercise(
    workspaces.set_region,
    "workspace.region_changed",
    changes={"currency": {"before": "EUR", "after": "CHF"}},
)
async def change_the_region(_: SampleWorkspace) -> Call:
    return call(currency="CHF", locale="de-DE")


@exercise(
    workspaces.set_terms,
    "workspace.terms_changed",
    changes={"payment_days": {"before": 14, "after": 0}, "link_days": {"before": 30, "after": 31}},
)
async def change_the_terms(_: SampleWorkspace) -> Call:
    return call(payment_days=0, link_days=31)


@exercise(workspaces.set_contact_email, "workspace.contact_email_changed", is_set=True)
async def set_the_contact_email(_: SampleWorkspace) -> Call:
    return call("Billing@Acme.example")


@exercise(workspaces.set_contact_email)
async def set_no_contact_email_again(_: SampleWorkspace) -> Call:
    return call(" ")


@exercise(workspaces.set_logo, "workspace.logo_changed", before=None)
async def set_a_logo(_: SampleWorkspace) -> Call:
    return call(reencode(build_jpeg()), clock=CLOCK)


@exercise(workspaces.set_logo)
async def set_the_logo_it_has(workspace: SampleWorkspace) -> Call:
    await run(workspace, workspaces.set_logo, reencode(build_jpeg()), clock=CLOCK)
    return call(reencode(build_jpeg()), clock=CLOCK)


@exercise(workspaces.remove_logo, "workspace.logo_changed", after=None)
async def remove_the_logo(workspace: SampleWorkspace) -> Call:
    await run(workspace, workspaces.set_logo, reencode(build_jpeg()), clock=CLOCK)
    return call()


@exercise(workspaces.remove_logo)
async def remove_no_logo(_: SampleWorkspace) -> Call:
    return call()


@exercise(workspaces.request_logo_fetch, "workspace.logo_fetch_requested")
async def fetch_a_logo(_: SampleWorkspace) -> Call:
    return call("https://cdn.example/logo.png?signature=secret")


@exercise(workspaces.request_logo_fetch)
async def fetch_a_logo_that_is_being_fetched(workspace: SampleWorkspace) -> Call:
    await run(workspace, workspaces.request_logo_fetch, "https://cdn.example/logo.png")
    return call("https://cdn.example/logo.png")


@exercise(workspaces.set_fetched_logo, "workspace.logo_changed", before=None)
async def set_the_logo_that_was_fetched(workspace: SampleWorkspace) -> Call:
    added = await run(workspace, workspaces.request_logo_fetch, "https://cdn.example/logo.png")
    return call(reencode(build_jpeg()), added.job_id, clock=CLOCK)


@exercise(workspaces.set_fetched_logo)
async def set_a_fetched_logo_that_was_superseded(workspace: SampleWorkspace) -> Call:
    added = await run(workspace, workspaces.request_logo_fetch, "https://cdn.example/logo.png")
    await run(workspace, workspaces.remove_logo)
    return call(reencode(build_jpeg()), added.job_id, clock=CLOCK)


@exercise(workspaces.claim_domain, "domain.claimed", host="pay.acme.example")
async def claim_a_domain(_: SampleWorkspace) -> Call:
    return call("pay.acme.example", base_domain=BASE_DOMAIN, reserved_hosts=(), clock=CLOCK)


@exercise(workspaces.claim_domain)
async def claim_a_domain_twice(workspace: SampleWorkspace) -> Call:
    host = (await claim(workspace)).host
    return call(host, base_domain=BASE_DOMAIN, reserved_hosts=(), clock=CLOCK)


@exercise(workspaces.verify_domain, "domain.verified")
async def verify_a_domain(workspace: SampleWorkspace) -> Call:
    domain = await claim(workspace)
    return call(domain.domain_id, txt_records=[domain.verify_token], clock=CLOCK)


@exercise(workspaces.set_domain_state, "domain.state_changed", before="verified", after="active")
async def activate_a_domain(workspace: SampleWorkspace) -> Call:
    return call((await verify(workspace)).domain_id, DomainState.ACTIVE, clock=CLOCK)


@exercise(workspaces.set_primary_domain, "domain.primary_changed")
async def make_a_domain_primary(workspace: SampleWorkspace) -> Call:
    return call(await activate(workspace))


@exercise(workspaces.set_primary_domain)
async def make_the_primary_domain_primary(workspace: SampleWorkspace) -> Call:
    (own,) = await run(workspace, list_domains)
    return call(own.domain_id)


@exercise(workspaces.release_domain, "domain.released")
async def release_a_domain(workspace: SampleWorkspace) -> Call:
    return call(await activate(workspace), clock=CLOCK)


@exercise(workspaces.release_domain, "domain.claim_withdrawn")
async def release_a_domain_that_is_claimed(workspace: SampleWorkspace) -> Call:
    return call((await claim(workspace)).domain_id, clock=CLOCK)


@exercise(workspaces.purge_released_domains, "domain.purged")
async def purge_a_domain(workspace: SampleWorkspace) -> Call:
    long_ago = FixedClock(CLOCK.now() - timedelta(days=RESERVATION_DAYS + 1))
    await run(workspace, workspaces.release_domain, await activate(workspace), clock=long_ago)
    return call(clock=CLOCK)


@exercise(workspaces.purge_released_domains)
async def purge_no_domain(workspace: SampleWorkspace) -> Call:
    await run(workspace, workspaces.release_domain, await activate(workspace), clock=CLOCK)
    return call(clock=CLOCK)


@exercise(
    workspaces.set_write_authority,
    "workspace.write_authority_changed",
    changes={
        "otp_policy": {"before": "any", "after": "contacts"},
        "write_totp": {"before": False, "after": True},
        "write_mode": {"before": "link", "after": "otp"},
    },
)
async def set_who_may_write_on_all_invoices(_: SampleWorkspace) -> Call:
    return call(OTP_WITH_TOTP)


@exercise(workspaces.set_write_authority)
async def set_who_may_write_on_all_invoices_as_it_is(_: SampleWorkspace) -> Call:
    return call(WriteAuthority.create(WriteMode.LINK))


@exercise(workspaces.reset_streams, "workspace.streams_reset", streams=1)
async def reset_the_streams(workspace: SampleWorkspace) -> Call:
    await workspace.issue_invoice()
    return call()


@exercise(workspaces.reset_streams)
async def reset_no_streams(_: SampleWorkspace) -> Call:
    return call()


@exercise(
    workspaces.set_payment_settings,
    "workspace.payment_settings_changed",
    changes={
        "livemode": {"before": False, "after": True},
        "takes_part_payments": {"before": False, "after": True},
    },
)
async def set_payment_settings(_: SampleWorkspace) -> Call:
    return call(is_live=True, takes_parts=True)


@exercise(workspaces.set_payment_settings)
async def set_payment_settings_as_they_are(_: SampleWorkspace) -> Call:
    return call(is_live=False)


@exercise(workspaces.set_bank_details, "workspace.bank_details_changed", is_set=True)
async def set_bank_details(_: SampleWorkspace) -> Call:
    return call(BankDetails("Acme GmbH", "DE89 3704 0044 0532 0130 00", "COBADEFFXXX", "Commerzbank"))


@exercise(workspaces.set_bank_details)
async def set_no_bank_details_where_there_are_none(_: SampleWorkspace) -> Call:
    return call(BankDetails())
