"""Two workspaces: no query and no action on codes, sessions and authenticators reaches the other's.

The calls are compared with the modules: a new query or action without one fails.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from kernel.errors import PortalError
from kernel.ids import WorkspaceId
from kernel.store import Database, fetch
from tenants.access import actions, queries
from tenants.access.actions.retention import PurgedProofs
from tenants.access.values import CodePurpose, NewSession, Subject
from tenants.ids import CodeId, CustomerId
from tests.fakes.proofs import EnrolledAuthenticator, Visitor, own
from tests.fakes.sample_workspaces import SampleWorkspace

TABLES = ("one_time_code", "session", "authenticator", "recovery_code")


@dataclass(frozen=True, slots=True)
class ForeignProofs:
    """One of everything that belongs to somebody in the other workspace."""

    subject: Subject
    customer_id: CustomerId
    browser: bytes
    code_id: CodeId
    code: str
    session: NewSession
    authenticator: EnrolledAuthenticator


async def create_proofs(owner: SampleWorkspace) -> ForeignProofs:
    ana = Visitor.create(owner, "ana@buyer.example")
    customer_id = await ana.become_contact()
    session, authenticator = await ana.sign_in(), await ana.enrol()
    await ana.age_codes(minutes=5)
    code_id = await ana.request_code()
    code = await ana.receive_code(code_id)
    assert code is not None
    return ForeignProofs(own(ana.address), customer_id, ana.browser, code_id, code, session, authenticator)


async def _begin_own(theirs: ForeignProofs, me: SampleWorkspace) -> None:
    begun = await actions.begin_enrolment(theirs.subject, sealer=me.sealer)
    assert begun.secret != theirs.authenticator.secret


Call = Callable[[ForeignProofs, SampleWorkspace], Awaitable[object]]
# Each with what it answers in a workspace that has nothing; in a unit of work of that workspace.
IN_UNITS: dict[str, tuple[Call, object]] = {
    "make_code": (lambda x, me: actions.make_code(x.code_id, me.sealer), None),
    "create_session": (lambda x, me: actions.create_session(x.code_id, sealer=me.sealer), "code.expired"),
    "prove_totp": (
        lambda x, me: actions.prove_totp(x.session.session_id, sealer=me.sealer),
        "session.not_found",
    ),
    "renew_session": (lambda x, _: actions.renew_session(x.session.session_id), None),
    "end_session": (lambda x, _: actions.end_session(x.session.session_id), None),
    "revoke_session": (
        lambda x, _: actions.revoke_session(x.session.session_id, x.subject),
        "session.not_found",
    ),
    "revoke_other_sessions": (lambda x, _: actions.revoke_other_sessions(x.subject, keep=None), 0),
    "remove_authenticator": (lambda x, _: actions.remove_authenticator(x.subject), "authenticator.not_found"),
    "purge_proofs": (lambda _, __: actions.purge_proofs(), PurgedProofs(0, 0, 0)),
    "list_sessions": (lambda x, _: queries.list_sessions(x.subject), ()),
    "find_authenticator": (lambda x, _: queries.find_authenticator(x.subject), None),
    # They write in one's own workspace; the answers differ.
    "begin_enrolment": (_begin_own, None),
    "request_code": (
        lambda x, _: actions.request_code(
            CodePurpose.SIGN_IN, x.subject.id, browser_hash=x.browser, contacts_only=True
        ),
        None,
    ),
}
# They open units of work of their own.
OUTSIDE: dict[str, tuple[Call, object]] = {
    "find_session": (
        lambda x, me: queries.find_session(me.database, me.workspace_id, x.session.value, me.sealer),
        None,
    ),
    "check_code": (
        lambda x, me: actions.check_code(
            me.database,
            me.workspace_id,
            CodePurpose.SIGN_IN,
            x.subject.id,
            browser_hash=x.browser,
            code=x.code,
            sealer=me.sealer,
        ),
        "code.expired",
    ),
    "check_totp": (
        lambda x, me: actions.check_totp(
            me.database, me.workspace_id, x.subject, x.authenticator.compute_next_code(), me.sealer
        ),
        "authenticator.not_found",
    ),
    "confirm_enrolment": (
        lambda x, me: actions.confirm_enrolment(
            me.database, me.workspace_id, x.subject, x.authenticator.compute_next_code(), me.sealer
        ),
        "authenticator.not_found",
    ),
    "replace_recovery_codes": (
        lambda x, me: actions.replace_recovery_codes(me.database, me.workspace_id, x.subject),
        "authenticator.not_found",
    ),
}


async def answer(call: Awaitable[object]) -> object:
    try:
        return await call
    except PortalError as error:
        return error.code


async def load_rows(svc: Database, workspace_id: WorkspaceId) -> dict[str, list[str]]:
    found = {}
    async with svc.scope(workspace_id, read_only=True):
        for table in TABLES:
            sql = f"SELECT t::text AS row FROM {table} t WHERE workspace_id = $1 ORDER BY 1"  # noqa: S608
            found[table] = [row["row"] for row in await fetch(sql, workspace_id)]
    return found


def test_every_query_and_action_is_tried() -> None:
    offered = {
        name
        for module in (actions, queries)
        for name, value in inspect.getmembers(module, inspect.iscoroutinefunction)
        if not name.startswith("_") and value.__module__.startswith(module.__name__)
    }
    assert offered == IN_UNITS.keys() | OUTSIDE.keys()


@pytest.mark.parametrize("role", ["app", "svc"])
async def test_with_the_others_proofs_there_is_nothing(
    acme: SampleWorkspace, rival: SampleWorkspace, svc: Database, role: str
) -> None:
    """Role svc sees every row: what a miss is there, is one because each statement names its workspace."""
    theirs = await create_proofs(acme)
    before = await load_rows(svc, acme.workspace_id)
    assert all(before.values())
    database = {"app": rival.database, "svc": svc}[role]
    me = SampleWorkspace(rival.workspace_id, rival.slug, database, rival.sealer, rival.clock)
    answers = {name: await answer(call(theirs, me)) for name, (call, _) in OUTSIDE.items()}
    for name, (call, _) in IN_UNITS.items():
        async with database.scope(rival.workspace_id):
            answers[name] = await answer(call(theirs, me))
    assert answers == {name: expected for name, (_, expected) in (OUTSIDE | IN_UNITS).items()}
    assert await load_rows(svc, acme.workspace_id) == before
    # They are still worth something at home.
    at_home = await queries.find_session(acme.database, acme.workspace_id, theirs.session.value, acme.sealer)
    assert at_home is not None


async def test_a_code_cannot_be_asked_for_with_anothers_customer(
    acme: SampleWorkspace, rival: SampleWorkspace
) -> None:
    theirs = await create_proofs(acme)
    with pytest.raises(Exception, match="violates foreign key constraint"):
        async with rival.database.scope(rival.workspace_id):
            await actions.request_code(
                CodePurpose.SIGN_IN,
                theirs.subject.id,
                browser_hash=theirs.browser,
                contacts_only=True,
                customer_id=theirs.customer_id,
            )
