"""How each action on connections is called, and what it emits."""

from __future__ import annotations

import datetime as dt

from kernel.ids import new_token
from tenants.connect import actions
from tenants.connect.values import CardCapability
from tests.fakes.sample_workspaces import SampleWorkspace
from tests.fakes.stripe_accounts import READ_AT, begin, build_snapshot, connect
from tests.tenants.exercises import Call, call, exercise, run

LATER = READ_AT + dt.timedelta(minutes=1)
ACCOUNT = "acct_exercise"


@exercise(actions.begin_onboarding, "stripe.onboarding_started", is_live=False)
async def begin_onboarding(workspace: SampleWorkspace) -> Call:
    return call(is_live=False, token=new_token(), sealer=workspace.sealer)


@exercise(actions.set_account, "stripe.account_created")
async def set_account(workspace: SampleWorkspace) -> Call:
    connection = await run(
        workspace, actions.begin_onboarding, is_live=False, token=new_token(), sealer=workspace.sealer
    )
    return call(connection.connection_id, f"{ACCOUNT}_{connection.connection_id}")


@exercise(actions.set_account)
async def set_the_same_account(workspace: SampleWorkspace) -> Call:
    connection = await begin(workspace)
    return call(connection.connection_id, connection.account_id)


@exercise(actions.record_account, "stripe.account_connected")
async def record_an_active_account(workspace: SampleWorkspace) -> Call:
    return call(build_snapshot((await begin(workspace)).account_id), read_at=READ_AT)


@exercise(actions.record_account, "stripe.account_changed")
async def record_a_restricted_account(workspace: SampleWorkspace) -> Call:
    account_id = (await connect(workspace)).account_id
    return call(build_snapshot(account_id, CardCapability.RESTRICTED, "document"), read_at=LATER)


@exercise(actions.record_account, "stripe.account_revoked")
async def record_a_closed_account(workspace: SampleWorkspace) -> Call:
    account_id = (await connect(workspace)).account_id
    return call(build_snapshot(account_id, is_closed=True), read_at=LATER)


@exercise(actions.record_account)
async def record_an_older_picture(workspace: SampleWorkspace) -> Call:
    account_id = (await connect(workspace)).account_id
    return call(
        build_snapshot(account_id, CardCapability.RESTRICTED), read_at=READ_AT - dt.timedelta(seconds=1)
    )


@exercise(actions.revoke_account, "stripe.account_revoked")
async def revoke_account(workspace: SampleWorkspace) -> Call:
    return call((await connect(workspace)).account_id)


@exercise(actions.revoke_account)
async def revoke_a_revoked_account(workspace: SampleWorkspace) -> Call:
    account_id = (await connect(workspace)).account_id
    await run(workspace, actions.revoke_account, account_id)
    return call(account_id)


@exercise(actions.disconnect, "stripe.account_disconnected")
async def disconnect(workspace: SampleWorkspace) -> Call:
    await connect(workspace)
    return call()


@exercise(actions.set_application_fee, "stripe.account_changed")
async def set_application_fee(workspace: SampleWorkspace) -> Call:
    await connect(workspace)
    return call(150)


@exercise(actions.set_application_fee)
async def set_the_same_fee(workspace: SampleWorkspace) -> Call:
    await connect(workspace)
    return call(0)
