"""Who must prove what: the whole table, and laws that hold in every row of it."""

from __future__ import annotations

import datetime as dt
from itertools import chain, combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Denied, Invalid
from kernel.ids import new_id
from tenants.access.modes import find_missing_proofs, list_proven
from tenants.access.values import Proof, Session, Subject, SubjectKind
from tenants.ids import SessionId
from tenants.workspaces.authority import OtpPolicy, WriteAuthority, WriteMode

LINK, EMAIL, CONTACT, TOTP = Proof.LINK, Proof.EMAIL_CODE, Proof.CONTACT, Proof.TOTP
NOW = dt.datetime(2026, 3, 16, 9, 30, tzinfo=dt.UTC)
EVERY_SET = [frozenset(each) for size in range(5) for each in combinations(Proof, size)]

BY_LINK = WriteAuthority.create(WriteMode.LINK)
BY_CODE = WriteAuthority.create(WriteMode.OTP)
BY_CODE_OF_CONTACTS = WriteAuthority.create(WriteMode.OTP, otp_policy=OtpPolicy.CONTACTS)
BY_CODE_AND_TOTP = WriteAuthority.create(WriteMode.OTP, requires_totp=True)
BY_CUSTOMER = WriteAuthority.create(WriteMode.CUSTOMER)
BY_CUSTOMER_AND_TOTP = WriteAuthority.create(WriteMode.CUSTOMER, requires_totp=True)
OPEN = (BY_LINK, BY_CODE, BY_CODE_OF_CONTACTS, BY_CODE_AND_TOTP, BY_CUSTOMER, BY_CUSTOMER_AND_TOTP)

# What is missing of each setting: without any proof, with a link, with link and code, as a contact, with everything.
TABLE = {
    BY_LINK: ((LINK,), (), (), (), ()),
    BY_CODE: ((LINK, EMAIL), (EMAIL,), (), (), ()),
    BY_CODE_OF_CONTACTS: ((LINK, EMAIL, CONTACT), (EMAIL, CONTACT), (CONTACT,), (), ()),
    BY_CODE_AND_TOTP: ((LINK, EMAIL, CONTACT, TOTP), (EMAIL, CONTACT, TOTP), (CONTACT, TOTP), (TOTP,), ()),
    BY_CUSTOMER: ((LINK, EMAIL, CONTACT), (EMAIL, CONTACT), (CONTACT,), (), ()),
    BY_CUSTOMER_AND_TOTP: (
        (LINK, EMAIL, CONTACT, TOTP),
        (EMAIL, CONTACT, TOTP),
        (CONTACT, TOTP),
        (TOTP,),
        (),
    ),
}
STAGES: tuple[set[Proof], ...] = (set(), {LINK}, {LINK, EMAIL}, {EMAIL, CONTACT}, set(Proof))


@pytest.mark.parametrize(
    ("authority", "proven", "missing"),
    [(authority, *row) for authority in TABLE for row in zip(STAGES, TABLE[authority], strict=True)],
)
def test_what_is_missing(authority: WriteAuthority, proven: set[Proof], missing: tuple[Proof, ...]) -> None:
    assert find_missing_proofs(authority, proven) == missing


@pytest.mark.parametrize("proven", EVERY_SET)
def test_nobody_writes_where_comments_are_closed(proven: frozenset[Proof]) -> None:
    with pytest.raises(Denied) as caught:
        find_missing_proofs(WriteAuthority.create(WriteMode.CLOSED), proven)
    assert caught.value.code == "write.closed"


def test_an_authenticator_is_refused_with_a_mode_in_which_nobody_signs_in() -> None:
    for mode in (WriteMode.LINK, WriteMode.CLOSED):
        with pytest.raises(Invalid) as caught:
            WriteAuthority.create(mode, requires_totp=True)
        assert caught.value.code == "write_authority.totp"


@given(st.sampled_from(OPEN), st.sets(st.sampled_from(Proof)))
def test_proving_what_is_missing_in_its_order_leaves_nothing_missing(
    authority: WriteAuthority, proven: set[Proof]
) -> None:
    missing = find_missing_proofs(authority, proven)
    assert list(missing) == sorted(missing, key=list(Proof).index)
    assert not proven & set(missing)
    for place, proof in enumerate(missing):
        assert find_missing_proofs(authority, proven | set(missing[:place]))[:1] == (proof,)
    assert find_missing_proofs(authority, proven | set(missing)) == ()


@given(st.sampled_from(OPEN), st.sets(st.sampled_from(Proof)), st.sampled_from(Proof))
def test_one_more_proof_never_makes_more_missing(
    authority: WriteAuthority, proven: set[Proof], more: Proof
) -> None:
    assert set(find_missing_proofs(authority, proven | {more})) <= set(find_missing_proofs(authority, proven))


def build_session(address: str = "ana@buyer.example", *, email: bool = True, totp: bool = False) -> Session:
    return Session(
        session_id=SessionId(new_id()),
        subject=Subject(SubjectKind.ADDRESS, address),
        browser_hash=bytes(32),
        email_proven_at=NOW if email else None,
        totp_proven_at=NOW if totp else None,
        used_at=NOW,
        has_authenticator=totp,
    )


@pytest.mark.parametrize(
    ("has_link", "session", "is_contact", "proven"),
    [
        (False, None, False, set()),
        (True, None, False, {LINK}),
        # A contact's link is no sign-in: it may have been passed on.
        (True, None, True, {LINK}),
        (True, build_session(), False, {LINK, EMAIL}),
        (False, build_session(), True, {EMAIL, CONTACT}),
        (True, build_session(totp=True), True, set(Proof)),
        (True, build_session(email=False), True, {LINK}),
    ],
)
def test_what_a_visitor_has_proven(
    *, has_link: bool, session: Session | None, is_contact: bool, proven: set[Proof]
) -> None:
    assert list_proven(has_link=has_link, session=session, is_contact=is_contact) == proven


def test_a_session_of_another_address_or_of_a_member_proves_nothing_for_a_comment() -> None:
    mine = build_session(totp=True)
    for address, count in (("ana@buyer.example", 3), ("eve@buyer.example", 0)):
        proven = list_proven(has_link=False, session=mine, is_contact=True, address=address)
        assert len(proven) == count
    member = Session(
        mine.session_id,
        Subject(SubjectKind.MEMBER, "m1"),
        mine.browser_hash,
        NOW,
        NOW,
        NOW,
        mine.has_authenticator,
    )
    assert list_proven(has_link=True, session=member, is_contact=True) == {LINK}


def test_the_table_has_every_setting() -> None:
    created = set()
    for mode, totp, policy in product(WriteMode, (False, True), OtpPolicy):
        try:
            created.add(WriteAuthority.create(mode, requires_totp=totp, otp_policy=policy))
        except Invalid:
            continue
    modes = {(each.mode, each.requires_totp) for each in created} - {(WriteMode.CLOSED, False)}
    assert modes == {(each.mode, each.requires_totp) for each in chain(TABLE)}


@pytest.mark.parametrize(("mode", "missing"), [(WriteMode.CUSTOMER, (TOTP,)), (WriteMode.OTP, ())])
def test_a_customer_with_an_authenticator_has_not_signed_in_without_it(
    mode: WriteMode, missing: tuple[Proof, ...]
) -> None:
    authority, proven = WriteAuthority.create(mode), {LINK, EMAIL, CONTACT}
    assert find_missing_proofs(authority, proven) == ()
    assert find_missing_proofs(authority, proven, has_authenticator=True) == missing
    assert find_missing_proofs(authority, proven | {TOTP}, has_authenticator=True) == ()
