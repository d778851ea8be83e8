"""What proves nothing any more is deleted, and nothing else."""

from __future__ import annotations

import dataclasses
import datetime as dt

from kernel.ids import new_id, new_secret
from kernel.store import execute, fetch_value
from tenants.access import actions
from tenants.access.actions.retention import PurgedProofs
from tests.fakes.proofs import Visitor, own
from tests.fakes.sample_workspaces import SampleWorkspace

AGE_SESSION = """
UPDATE session SET used_at = used_at - $2::interval, expires_at = expires_at - $2::interval,
                   revoked_at = revoked_at - $2::interval WHERE session_id = $1
"""
COMMENT = """
INSERT INTO comment (workspace_id, comment_id, invoice_id, client_id, side, author_name, session_id, body, staff_seq,
                     public_seq)
VALUES ($1, $2, $3, 'client-1', 'customer', 'Ana', $4, 'Hello', 1, 1)
"""


async def purge(workspace: SampleWorkspace) -> PurgedProofs:
    async with workspace.database.scope(workspace.workspace_id):
        return await actions.purge_proofs()


async def test_codes_are_deleted_when_they_no_longer_count_for_the_limit_of_a_day(ana: Visitor) -> None:
    await ana.request_code()
    assert await purge(ana.workspace) == PurgedProofs(0, 0, 0)
    await ana.age_codes(hours=25)
    await ana.request_code()
    assert await purge(ana.workspace) == PurgedProofs(1, 0, 0)


async def test_sessions_are_deleted_a_month_after_they_were_ended_or_left(ana: Visitor) -> None:
    ended, left, used = [await dataclasses.replace(ana, browser=new_secret()).sign_in() for _ in range(3)]
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        await actions.end_session(ended.session_id)
        await execute(AGE_SESSION, ended.session_id, dt.timedelta(days=29))
        await execute(AGE_SESSION, left.session_id, dt.timedelta(days=43))
    assert (await purge(ana.workspace)).sessions == 0
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        for session in (ended, left):
            await execute(AGE_SESSION, session.session_id, dt.timedelta(days=1, minutes=1))
    assert (await purge(ana.workspace)).sessions == 2
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        assert await fetch_value("SELECT session_id FROM session") == used.session_id


async def test_a_comment_stays_when_the_session_that_wrote_it_is_deleted(ana: Visitor) -> None:
    session, workspace = await ana.sign_in(), ana.workspace
    invoice_id = await workspace.issue_invoice()
    async with workspace.database.scope(workspace.workspace_id):
        await execute(COMMENT, workspace.workspace_id, new_id(), invoice_id, session.session_id)
        await execute(AGE_SESSION, session.session_id, dt.timedelta(days=45))
    assert (await purge(workspace)).sessions == 1
    async with workspace.database.scope(workspace.workspace_id):
        assert await fetch_value("SELECT session_id FROM comment WHERE body = 'Hello'") is None


async def test_an_enrolment_that_nobody_finished_is_deleted_after_a_day(ana: Visitor) -> None:
    workspace = ana.workspace
    await dataclasses.replace(ana, address="ben@buyer.example").enrol()
    async with workspace.database.scope(workspace.workspace_id):
        await actions.begin_enrolment(own(ana.address), sealer=workspace.sealer)
        await execute("UPDATE authenticator SET created_at = created_at - interval '23 hours'")
    assert (await purge(workspace)).enrolments == 0
    async with workspace.database.scope(workspace.workspace_id):
        await execute("UPDATE authenticator SET created_at = created_at - interval '2 hours'")
    assert (await purge(workspace)).enrolments == 1
    async with workspace.database.scope(workspace.workspace_id):
        assert await fetch_value("SELECT subject_id FROM authenticator") == "ben@buyer.example"
