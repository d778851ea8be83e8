"""Authenticators: set up with a first code, used once a code, replaced by recovery codes, removed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
import subprocess
from collections.abc import Awaitable
from urllib.parse import parse_qs, urlsplit

import pytest

from kernel.errors import Invalid, PortalError
from kernel.store import execute, fetch
from tenants.access import actions, queries
from tenants.access.actions.authenticators import check_first_code
from tenants.access.values import AuthenticatorState, Enrolment
from tests.fakes.proofs import Visitor, compute_code, own
from tests.fakes.sample_workspaces import SampleWorkspace

AGE = "UPDATE authenticator SET created_at = created_at - $1::interval, attempts_since = attempts_since - $1::interval"
STALE = "000000"


async def find_error_code(call: Awaitable[object]) -> str:
    with pytest.raises(PortalError) as caught:
        await call
    return caught.value.code


async def begin(ana: Visitor) -> Enrolment:
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        return await actions.begin_enrolment(own(ana.address), sealer=ana.workspace.sealer)


async def confirm(ana: Visitor, code: str) -> tuple[str, ...]:
    workspace = ana.workspace
    return await actions.confirm_enrolment(
        workspace.database, workspace.workspace_id, own(ana.address), code, workspace.sealer
    )


async def find_state(ana: Visitor) -> AuthenticatorState | None:
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        return await queries.find_authenticator(own(ana.address))


async def age(ana: Visitor, **age: float) -> None:
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        await execute(AGE, dt.timedelta(**age))


def find_wrong_code(secret: str, step: int) -> str:
    """Return a code that no step near this one has."""
    near = {compute_code(secret, step + offset) for offset in range(-3, 20)}
    return next(code for code in (f"{number:06d}" for number in range(100)) if code not in near)


async def test_a_first_code_confirms_an_authenticator_and_gives_ten_recovery_codes(ana: Visitor) -> None:
    begun = await begin(ana)
    assert await find_state(ana) is None
    codes = await confirm(ana, compute_code(begun.secret, await ana.find_step()))
    state = await find_state(ana)
    assert state is not None
    assert (state.authenticator_id, state.recovery_codes_left) == (begun.authenticator_id, 10)
    checked = await ana.check_totp(codes[9].upper())
    assert (checked.authenticator_id, checked.is_recovery_code) == (begun.authenticator_id, True)


async def test_the_key_comes_with_the_workspaces_name_and_the_address_for_the_app(ana: Visitor) -> None:
    begun = await begin(ana)
    fields = parse_qs(urlsplit(begun.uri).query)
    assert fields == {"secret": [begun.secret], "issuer": ["Test & Co."]}
    assert begun.secret not in repr(begun)


async def test_the_key_is_stored_sealed_for_its_own_row_and_workspace(
    ana: Visitor, rival: SampleWorkspace
) -> None:
    begun, theirs = await begin(ana), await begin(dataclasses.replace(ana, workspace=rival))
    assert begun.secret != theirs.secret
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        (row,) = await fetch("SELECT t::text AS row, secret_sealed FROM authenticator t")
        assert begun.secret not in row["row"]
        assert begun.secret.encode().hex() not in row["row"]
    async with rival.database.scope(rival.workspace_id):
        await execute("UPDATE authenticator SET secret_sealed = $1", row["secret_sealed"])
    with pytest.raises(Invalid) as caught:
        await begin(dataclasses.replace(ana, workspace=rival))
    assert caught.value.code == "seal.broken"


async def test_a_page_that_is_loaded_again_shows_the_same_key_for_a_quarter_of_an_hour(ana: Visitor) -> None:
    first = await begin(ana)
    await age(ana, minutes=14)
    assert await begin(ana) == first
    await age(ana, minutes=1)
    second = await begin(ana)
    assert second.secret != first.secret
    old = compute_code(first.secret, await ana.find_step())
    assert await find_error_code(confirm(ana, old)) == "totp.wrong"


async def test_an_authenticator_that_was_never_confirmed_proves_nothing(ana: Visitor) -> None:
    begun = await begin(ana)
    code = compute_code(begun.secret, await ana.find_step())
    assert await find_error_code(ana.check_totp(code)) == "authenticator.not_found"
    # The code was not used up.
    await check_first_code(
        ana.workspace.database, ana.workspace.workspace_id, own(ana.address), code, ana.workspace.sealer
    )


async def test_a_second_authenticator_needs_the_removal_of_the_first(ana: Visitor) -> None:
    await ana.enrol()
    assert await find_error_code(begin(ana)) == "authenticator.exists"
    assert await find_error_code(confirm(ana, "123456")) == "authenticator.not_found"
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        await actions.remove_authenticator(own(ana.address))
    await begin(ana)


async def test_a_code_is_accepted_once_and_no_older_one_after_it(ana: Visitor) -> None:
    enrolled = await ana.enrol()
    assert (
        await find_error_code(ana.check_totp(compute_code(enrolled.secret, enrolled.step))) == "totp.replayed"
    )
    checked = await ana.check_totp(enrolled.compute_next_code())
    assert not checked.is_recovery_code
    for step in (enrolled.step, enrolled.step + 1):
        answer = await find_error_code(ana.check_totp(compute_code(enrolled.secret, step)))
        # The clock may have left the older step behind meanwhile.
        assert answer in {"totp.replayed", "totp.wrong"}
    assert await find_error_code(ana.check_totp(enrolled.compute_next_code())) == "totp.replayed"


async def test_five_wrong_codes_close_an_authenticator_for_five_minutes(ana: Visitor) -> None:
    enrolled = await ana.enrol()
    wrong = find_wrong_code(enrolled.secret, enrolled.step)
    for _ in range(5):
        assert await find_error_code(ana.check_totp(wrong)) == "totp.wrong"
    for code in (wrong, enrolled.compute_next_code(), enrolled.recovery_codes[0]):
        assert await find_error_code(ana.check_totp(code)) == "totp.attempts"
    await age(ana, minutes=5)
    assert (await ana.check_totp(enrolled.recovery_codes[0])).is_recovery_code


async def test_right_codes_do_not_count_as_wrong_ones(ana: Visitor) -> None:
    enrolled = await ana.enrol()
    wrong = find_wrong_code(enrolled.secret, enrolled.step)
    for code in (wrong, wrong, *enrolled.recovery_codes, wrong, wrong, wrong):
        if code == wrong:
            assert await find_error_code(ana.check_totp(code)) == "totp.wrong"
        else:
            await ana.check_totp(code)
    assert await find_error_code(ana.check_totp(wrong)) == "totp.attempts"


async def test_what_cannot_be_a_code_costs_no_attempt(ana: Visitor) -> None:
    enrolled = await ana.enrol()
    for typed in ("", "12345", "password", "0a1b-2c3d") * 2:
        assert await find_error_code(ana.check_totp(typed)) == "totp.wrong"
    code = enrolled.compute_next_code()
    await ana.check_totp(f"{code[:3]} {code[3:]}")


async def test_a_recovery_code_is_used_once_and_only_by_its_owner(ana: Visitor) -> None:
    enrolled = await ana.enrol()
    eve = dataclasses.replace(ana, address="eve@buyer.example")
    await eve.enrol()
    code = enrolled.recovery_codes[0]
    assert await find_error_code(eve.check_totp(code)) == "totp.wrong"
    await ana.check_totp(code)
    assert await find_error_code(ana.check_totp(code)) == "totp.wrong"
    state = await find_state(ana)
    assert state is not None
    assert state.recovery_codes_left == 1


async def test_new_recovery_codes_replace_all_old_ones(ana: Visitor) -> None:
    enrolled = await ana.enrol()
    workspace, subject = ana.workspace, own(ana.address)
    await ana.check_totp(enrolled.recovery_codes[0])
    codes = await actions.replace_recovery_codes(workspace.database, workspace.workspace_id, subject)
    state = await find_state(ana)
    assert state is not None
    assert state.recovery_codes_left == len(codes) == 10
    assert await find_error_code(ana.check_totp(enrolled.recovery_codes[1])) == "totp.wrong"
    await ana.check_totp(codes[0])


async def test_removing_an_authenticator_takes_its_proof_from_every_session(ana: Visitor) -> None:
    session, workspace = await ana.sign_in(), ana.workspace
    enrolled = await ana.enrol()
    async with workspace.database.scope(workspace.workspace_id):
        proven = await actions.prove_totp(session.session_id, sealer=workspace.sealer)
        await actions.remove_authenticator(own(ana.address))
        assert await fetch("SELECT 1 FROM recovery_code") == []
    found = await queries.find_session(
        workspace.database, workspace.workspace_id, proven.value, workspace.sealer
    )
    assert found is not None
    assert (found.totp_proven_at, found.has_authenticator) == (None, False)
    assert await find_error_code(ana.check_totp(enrolled.recovery_codes[0])) == "authenticator.not_found"


async def test_nobody_without_one_can_use_or_remove_an_authenticator(ana: Visitor) -> None:
    workspace, subject = ana.workspace, own(ana.address)
    assert await find_error_code(ana.check_totp("123456")) == "authenticator.not_found"
    replacing = actions.replace_recovery_codes(workspace.database, workspace.workspace_id, subject)
    assert await find_error_code(replacing) == "authenticator.not_found"
    async with workspace.database.scope(workspace.workspace_id):
        assert await find_error_code(actions.remove_authenticator(subject)) == "authenticator.not_found"


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("oathtool") is None, reason="oathtool is Debian's package of that name")
async def test_a_person_with_oathtool_enrols_and_signs_in(ana: Visitor) -> None:
    def run(*arguments: str) -> str:
        printed = subprocess.run(["oathtool", *arguments], check=True, capture_output=True, text=True)
        return printed.stdout.strip()

    secret = parse_qs(urlsplit((await begin(ana)).uri).query)["secret"][0]
    await confirm(ana, run("--totp", "--base32", secret))
    await ana.check_totp(run("--totp", "--base32", "--now=30 seconds", secret))


async def test_another_browser_of_the_address_gets_another_key_until_one_is_confirmed(ana: Visitor) -> None:
    """Who was once in the mailbox must not read the key that the owner scans."""

    async def begin_in(browser: bytes) -> str:
        async with ana.workspace.database.scope(ana.workspace.workspace_id):
            enrolment = await actions.begin_enrolment(
                own(ana.address), sealer=ana.workspace.sealer, browser_hash=browser
            )
        return enrolment.secret

    stranger, owner = await begin_in(b"stranger"), await begin_in(b"owner")
    assert stranger != owner
    assert await begin_in(b"owner") == owner
    await confirm(ana, compute_code(owner, await ana.find_step()))
    assert await find_error_code(begin_in(b"stranger")) == "authenticator.exists"
