"""Many at once: guesses are counted before they are compared, and what is used up is used up once."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Awaitable

import pytest

from kernel.errors import PortalError
from kernel.ids import new_secret
from kernel.settings import Settings
from kernel.store import Database, fetch_value
from tenants.access import actions
from tenants.access.values import NewSession
from tests.conftest import OPERATOR
from tests.fakes.proofs import Visitor, compute_code, own
from tests.fakes.sample_workspaces import SampleWorkspace

CODES = "SELECT count(*) FROM one_time_code WHERE workspace_id = $1"
OPEN_SESSIONS = "SELECT count(*) FROM session WHERE workspace_id = $1 AND revoked_at IS NULL"


@pytest.fixture
async def crowd(acme: SampleWorkspace, settings: Settings) -> AsyncIterator[Visitor]:
    """Somebody whose requests use as many connections as they like."""
    wide = await Database.open(
        settings.database_url, size=20, name="crowd", acquire_timeout_s=60, actor=OPERATOR
    )
    try:
        yield Visitor.create(dataclasses.replace(acme, database=wide), "ana@buyer.example")
    finally:
        assert wide.in_use == 0
        await wide.close()


async def count_answers(calls: list[Awaitable[object]]) -> dict[str, int]:
    """Run calls at once; returns how often each error code came, and "done"."""

    async def answer(call: Awaitable[object]) -> str:
        try:
            await call
        except PortalError as error:
            return error.code
        return "done"

    return dict(Counter(await asyncio.gather(*map(answer, calls))))


async def test_of_200_guesses_at_once_5_are_compared(crowd: Visitor) -> None:
    code = await crowd.get_code()
    wrong = (f"{number:06d}" for number in range(1_000_000) if f"{number:06d}" != code)
    answers = await count_answers([crowd.check_code(next(wrong)) for _ in range(200)])
    assert answers == {"code.wrong": 5, "code.attempts": 195}
    assert await count_answers([crowd.check_code(code)]) == {"code.attempts": 1}


async def test_the_right_code_50_times_at_once_begins_one_session(crowd: Visitor) -> None:
    code = await crowd.get_code()

    async def sign_in() -> NewSession:
        return await crowd.begin_session(await crowd.check_code(code))

    answers = await count_answers([sign_in() for _ in range(50)])
    assert answers["done"] == 1
    assert sum(answers.values()) == 50
    assert set(answers) <= {"done", "code.attempts", "code.expired"}
    async with crowd.workspace.database.scope(crowd.workspace.workspace_id):
        assert await fetch_value(OPEN_SESSIONS, crowd.workspace.workspace_id) == 1


async def test_of_20_requests_at_once_for_one_address_one_is_accepted(crowd: Visitor) -> None:
    browsers = [dataclasses.replace(crowd, browser=new_secret()) for _ in range(20)]
    answers = await count_answers([each.request_code() for each in browsers])
    assert answers == {"done": 1, "code.throttled": 19}
    async with crowd.workspace.database.scope(crowd.workspace.workspace_id):
        assert await fetch_value(CODES, crowd.workspace.workspace_id) == 1


async def test_of_100_codes_of_an_authenticator_at_once_5_are_compared(crowd: Visitor) -> None:
    enrolled = await crowd.enrol()
    # Steps whose codes the clock cannot reach during this test.
    wrong = [compute_code(enrolled.secret, enrolled.step + 1000 + number) for number in range(100)]
    near = {compute_code(enrolled.secret, enrolled.step + offset) for offset in range(-1, 10)}
    assert not near & set(wrong)
    answers = await count_answers([crowd.check_totp(code) for code in wrong])
    assert answers == {"totp.wrong": 5, "totp.attempts": 95}
    right = enrolled.compute_next_code()
    assert await count_answers([crowd.check_totp(right)]) == {"totp.attempts": 1}


async def test_a_code_of_an_authenticator_20_times_at_once_is_accepted_once(crowd: Visitor) -> None:
    code = (await crowd.enrol()).compute_next_code()
    answers = await count_answers([crowd.check_totp(code) for _ in range(20)])
    assert answers["done"] == 1
    assert set(answers) <= {"done", "totp.replayed", "totp.attempts"}


async def test_a_recovery_code_5_times_at_once_is_accepted_once(crowd: Visitor) -> None:
    code = (await crowd.enrol()).recovery_codes[0]
    answers = await count_answers([crowd.check_totp(code) for _ in range(5)])
    assert answers == {"done": 1, "totp.wrong": 4}


async def test_the_first_code_at_once_confirms_an_authenticator_once(crowd: Visitor) -> None:
    workspace, subject = crowd.workspace, own(crowd.address)
    async with workspace.database.scope(workspace.workspace_id):
        begun = await actions.begin_enrolment(subject, sealer=workspace.sealer)
    code = compute_code(begun.secret, await crowd.find_step())
    calls = [
        actions.confirm_enrolment(workspace.database, workspace.workspace_id, subject, code, workspace.sealer)
        for _ in range(4)
    ]
    answers = await count_answers([*calls])
    assert answers.pop("done") == 1
    assert answers.keys() <= {"totp.replayed", "authenticator.not_found"}


async def test_two_tabs_that_begin_at_once_show_the_same_key(crowd: Visitor) -> None:
    workspace = crowd.workspace

    async def begin() -> str:
        async with workspace.database.scope(workspace.workspace_id):
            return (await actions.begin_enrolment(own(crowd.address), sealer=workspace.sealer)).secret

    assert len(set(await asyncio.gather(*(begin() for _ in range(5))))) == 1
