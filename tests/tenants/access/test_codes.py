"""One-time codes: limits of sending, what a code is bound to, and how it ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

import pytest

from kernel.errors import Denied, Invalid, PortalError, Throttled
from kernel.ids import new_secret
from kernel.store import fetch, fetch_one, fetch_value
from tenants.access import actions
from tenants.access.jobs import SendCode
from tenants.access.values import CodePurpose
from tenants.customers.actions import add_contact
from tests.fakes.proofs import Visitor
from tests.fakes.sample_workspaces import SampleWorkspace

SEND = "SELECT payload ->> 'code_id' AS code_id FROM job WHERE workspace_id = $1 AND kind = $2 ORDER BY created_at"
ROWS = "SELECT count(*) FROM one_time_code WHERE workspace_id = $1"


async def find_error_code(call: Awaitable[object]) -> str:
    """Return the code of the error that a call raises."""
    with pytest.raises(PortalError) as caught:
        await call
    return caught.value.code


async def find_wait_s(ana: Visitor) -> int:
    """Return after how many seconds the address may ask again."""
    with pytest.raises(Throttled) as caught:
        await ana.request_code()
    assert caught.value.code == "code.throttled"
    wait_s = caught.value.data["retry_after_s"]
    assert isinstance(wait_s, int)
    return wait_s


def change_digit(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def test_the_code_that_was_sent_begins_a_session_of_the_address(ana: Visitor) -> None:
    session = await ana.begin_session(await ana.check_code(await ana.get_code()))
    assert session.value.startswith("s")
    assert len(session.value) == 44
    assert session.value not in repr(session)


async def test_asking_adds_the_job_that_sends_it_in_the_same_transaction(ana: Visitor) -> None:
    code_id = await ana.request_code()
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        jobs = await fetch(SEND, ana.workspace.workspace_id, SendCode.kind)
        stored = await fetch_one("SELECT * FROM one_time_code WHERE code_id = $1", code_id)
    assert [job["code_id"] for job in jobs] == [str(code_id)]
    assert stored["code_hash"] is None


async def test_a_code_is_stored_as_a_keyed_hash_only(ana: Visitor) -> None:
    code_id = await ana.request_code()
    code = await ana.receive_code(code_id)
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        made = await actions.make_code(code_id, ana.workspace.sealer)
        rows = await fetch("SELECT t::text AS row FROM one_time_code t")
        jobs = await fetch("SELECT payload::text AS row FROM job")
    assert code is not None
    assert made is not None
    assert made.code not in repr(made)
    assert not any(each in row["row"] for row in [*rows, *jobs] for each in (code, made.code))


async def test_an_address_waits_a_minute_then_for_the_third_code_to_age_then_for_a_day(ana: Visitor) -> None:
    await ana.request_code()
    assert 55 <= await find_wait_s(ana) <= 60
    for _ in range(2):
        await ana.age_codes(seconds=61)
        await ana.request_code()
    await ana.age_codes(seconds=61)
    assert 400 <= await find_wait_s(ana) <= 420
    for _ in range(7):
        await ana.age_codes(minutes=10)
        await ana.request_code()
    await ana.age_codes(minutes=20)
    assert await find_wait_s(ana) > 20 * 3600
    await ana.age_codes(hours=24)
    await ana.request_code()


async def test_the_limits_are_the_addresss_whatever_browser_and_purpose_ask(ana: Visitor) -> None:
    await ana.request_code()
    elsewhere = dataclasses.replace(ana, browser=new_secret(), address="ANA@buyer.example")
    assert await find_error_code(elsewhere.request_code(CodePurpose.WRITE)) == "code.throttled"
    another = dataclasses.replace(ana, address="ben@buyer.example")
    await another.request_code()


async def test_what_is_no_address_gets_no_code(ana: Visitor) -> None:
    with pytest.raises(Invalid) as caught:
        await dataclasses.replace(ana, address="ana@buyer.example\r\nBcc: eve@x.example").request_code()
    assert caught.value.code == "email.invalid"


async def test_nobody_waits_for_the_codes_of_another_workspace(ana: Visitor, rival: SampleWorkspace) -> None:
    await ana.request_code()
    assert await find_wait_s(ana) > 0
    elsewhere = dataclasses.replace(ana, workspace=rival)
    await elsewhere.request_code()
    assert await find_error_code(elsewhere.request_code()) == "code.throttled"


Change = Callable[[Visitor, SampleWorkspace], Visitor]
FOREIGN: dict[str, Change] = {
    "browser": lambda ana, _: dataclasses.replace(ana, browser=new_secret()),
    "address": lambda ana, _: dataclasses.replace(ana, address="eve@buyer.example"),
    "workspace": lambda ana, rival: dataclasses.replace(ana, workspace=rival),
}


@pytest.mark.parametrize("other", FOREIGN)
async def test_a_code_is_worth_nothing_elsewhere(ana: Visitor, rival: SampleWorkspace, other: str) -> None:
    code = await ana.get_code()
    assert await find_error_code(FOREIGN[other](ana, rival).check_code(code)) == "code.expired"
    # It was not even counted.
    await ana.check_code(code)


async def test_a_code_is_worth_nothing_for_another_request_of_another_browser(
    ana: Visitor, rival: SampleWorkspace
) -> None:
    code = await ana.get_code()
    for other in (
        dataclasses.replace(ana, browser=new_secret(), address="eve@buyer.example"),
        dataclasses.replace(ana, workspace=rival),
    ):
        assert await other.get_code() is not None
        assert await find_error_code(other.check_code(code)) == "code.wrong"


async def test_a_code_for_one_purpose_does_not_serve_another(ana: Visitor) -> None:
    code = await ana.get_code(CodePurpose.WRITE)
    assert await find_error_code(ana.check_code(code, CodePurpose.SIGN_IN)) == "code.expired"
    await ana.check_code(code, CodePurpose.WRITE)


async def test_five_guesses_end_a_code_even_for_the_right_one(ana: Visitor) -> None:
    code = await ana.get_code()
    for _ in range(5):
        assert await find_error_code(ana.check_code(change_digit(code))) == "code.wrong"
    assert await find_error_code(ana.check_code(code)) == "code.attempts"


async def test_what_cannot_be_a_code_costs_no_guess(ana: Visitor) -> None:
    code = await ana.get_code()
    for typed in ("", "12345", "abcdef", f"{code}0", "\ud800") * 2:
        assert await find_error_code(ana.check_code(typed)) == "code.wrong"
    await ana.check_code(f" {code[:3]} {code[3:]}")


async def test_an_older_code_adds_no_guesses_and_no_way_in(ana: Visitor) -> None:
    older = await ana.get_code()
    await ana.age_codes(seconds=61)
    newer = await ana.get_code()
    for _ in range(5):
        assert await find_error_code(ana.check_code(older)) == "code.wrong"
    assert await find_error_code(ana.check_code(older)) == "code.attempts"
    assert await find_error_code(ana.check_code(newer)) == "code.attempts"


async def test_a_code_ends_ten_minutes_after_it_was_asked_for_by_the_databases_clock(ana: Visitor) -> None:
    code = await ana.get_code()
    await ana.age_codes(minutes=9)
    code_id = await ana.check_code(code)
    await ana.age_codes(minutes=1)
    assert await find_error_code(ana.check_code(code)) == "code.expired"
    assert await find_error_code(ana.begin_session(code_id)) == "code.expired"


async def test_an_expired_code_is_not_sent(ana: Visitor) -> None:
    code_id = await ana.request_code()
    await ana.age_codes(minutes=10)
    assert await ana.receive_code(code_id) is None


async def test_a_used_code_is_neither_checked_nor_sent_again(ana: Visitor) -> None:
    code_id = await ana.request_code()
    code = await ana.receive_code(code_id)
    assert code is not None
    await ana.begin_session(await ana.check_code(code))
    assert await find_error_code(ana.check_code(code)) == "code.expired"
    assert await ana.receive_code(code_id) is None


async def test_sending_again_makes_another_code_and_gives_no_new_guesses(ana: Visitor) -> None:
    code_id = await ana.request_code()
    first = await ana.receive_code(code_id)
    assert first is not None
    for _ in range(4):
        assert await find_error_code(ana.check_code(change_digit(first))) == "code.wrong"
    second = await ana.receive_code(code_id)
    assert second is not None
    await ana.check_code(second)
    assert await find_error_code(ana.check_code(second)) == "code.attempts"


@pytest.mark.parametrize("is_contact", [True, False])
async def test_where_only_contacts_get_codes_others_get_the_same_answers_and_no_code(
    ana: Visitor, *, is_contact: bool
) -> None:
    if is_contact:
        await ana.become_contact()
    code_id = await ana.request_code(contacts_only=True)
    code = await ana.receive_code(code_id)
    assert (code is not None) == is_contact
    wrong = change_digit(code or "000000")
    answers = [await find_error_code(ana.check_code(wrong)) for _ in range(6)]
    assert answers == ["code.wrong"] * 5 + ["code.attempts"]
    assert 55 <= await find_wait_s(ana) <= 60


async def test_of_a_customer_only_its_own_contacts_get_codes(ana: Visitor) -> None:
    theirs = await ana.become_contact()
    elsewhere = await ana.workspace.create_customer("Lark Ltd")
    code_id = await ana.request_code(contacts_only=True, customer_id=elsewhere)
    assert await ana.receive_code(code_id) is None
    await ana.age_codes(seconds=61)
    code_id = await ana.request_code(contacts_only=True, customer_id=theirs)
    assert await ana.receive_code(code_id) is not None


async def test_a_contact_of_another_workspace_gets_no_code(ana: Visitor, rival: SampleWorkspace) -> None:
    await dataclasses.replace(ana, workspace=rival).become_contact()
    code_id = await ana.request_code(contacts_only=True)
    assert await ana.receive_code(code_id) is None


@pytest.mark.parametrize(
    ("of_contact", "of_customer", "sent_in"),
    [("fr-FR", "ja-JP", "fr-FR"), (None, "ja-JP", "ja-JP"), (None, None, None)],
)
async def test_a_code_is_sent_in_the_language_of_its_reader(
    ana: Visitor, of_contact: str | None, of_customer: str | None, sent_in: str | None
) -> None:
    workspace = ana.workspace
    customer_id = await workspace.create_customer(locale=of_customer)
    code_id = await ana.request_code()
    async with workspace.database.scope(workspace.workspace_id):
        await add_contact(customer_id, email=ana.address, locale=of_contact, clock=workspace.clock)
        made = await actions.make_code(code_id, workspace.sealer)
    assert made is not None
    assert (made.target, made.locale, made.purpose) == (ana.address, sent_in, CodePurpose.SIGN_IN)


async def test_a_refused_request_stores_nothing(ana: Visitor) -> None:
    await ana.request_code()
    await find_error_code(ana.request_code())
    async with ana.workspace.database.scope(ana.workspace.workspace_id):
        assert await fetch_value(ROWS, ana.workspace.workspace_id) == 1
        assert len(await fetch(SEND, ana.workspace.workspace_id, SendCode.kind)) == 1


async def test_a_code_of_nobody_is_denied_as_an_expired_one(ana: Visitor) -> None:
    with pytest.raises(Denied) as caught:
        await ana.check_code("123456")
    assert caught.value.code == "code.expired"
