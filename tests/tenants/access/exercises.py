"""An exercise for every action on sessions and authenticators that emits."""

from __future__ import annotations

import dataclasses

from kernel.ids import new_secret
from tenants.access import actions as access
from tenants.access.actions.authenticators import check_first_code
from tenants.access.actions.recovery_codes import store_enrolment, store_recovery_codes
from tests.fakes.proofs import Visitor, compute_code, own
from tests.fakes.sample_workspaces import SampleWorkspace
from tests.tenants.exercises import Call, call, exercise, run

HASHES = (bytes(32), bytes(range(32)))


def _create_ana(workspace: SampleWorkspace) -> Visitor:
    return Visitor.create(workspace, "ana@buyer.example")


@exercise(store_enrolment, "authenticator.enrolled")
async def confirm_an_authenticator(workspace: SampleWorkspace) -> Call:
    ana = _create_ana(workspace)
    subject = own(ana.address)
    begun = await run(workspace, access.begin_enrolment, subject, sealer=workspace.sealer)
    code = compute_code(begun.secret, await ana.find_step())
    found, _ = await check_first_code(
        workspace.database, workspace.workspace_id, subject, code, workspace.sealer
    )
    return call(found, HASHES)


@exercise(store_recovery_codes, "recovery_codes.replaced")
async def replace_recovery_codes(workspace: SampleWorkspace) -> Call:
    return call((await _create_ana(workspace).enrol()).authenticator_id, HASHES)


@exercise(access.remove_authenticator, "authenticator.removed")
async def remove_an_authenticator(workspace: SampleWorkspace) -> Call:
    ana = _create_ana(workspace)
    await ana.enrol()
    return call(own(ana.address))


@exercise(access.revoke_session, "session.revoked")
async def revoke_a_session(workspace: SampleWorkspace) -> Call:
    ana = _create_ana(workspace)
    return call((await ana.sign_in()).session_id, own(ana.address))


@exercise(access.revoke_other_sessions, "session.revoked", "session.revoked")
async def revoke_two_other_sessions(workspace: SampleWorkspace) -> Call:
    ana = _create_ana(workspace)
    sessions = [await dataclasses.replace(ana, browser=new_secret()).sign_in() for _ in range(3)]
    return call(own(ana.address), keep=sessions[0].session_id)


@exercise(access.revoke_other_sessions)
async def revoke_no_other_session(workspace: SampleWorkspace) -> Call:
    ana = _create_ana(workspace)
    return call(own(ana.address), keep=(await ana.sign_in()).session_id)
