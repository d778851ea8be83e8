"""A mute link says which thread it mutes for whom; nobody else can make one."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Missing
from kernel.ids import WorkspaceId
from kernel.seals import Sealer
from tenants.comments.mute import MutedThread, make_mute_token, read_mute_token
from tenants.ids import InvoiceId

ACME, RIVAL = WorkspaceId(UUID(int=1)), WorkspaceId(UUID(int=2))
THREAD = MutedThread(InvoiceId(UUID(int=7)), "ana@buyer.example")
OLD, NEW = ("old", bytes(range(32))), ("new", bytes(range(1, 33)))
SEALER = Sealer([NEW])


def test_a_token_is_read_as_it_was_made() -> None:
    token = make_mute_token(SEALER, ACME, THREAD)
    assert read_mute_token(SEALER, ACME, token) == THREAD
    assert "@" not in token


def test_a_token_outlives_a_change_of_the_key() -> None:
    token = make_mute_token(Sealer([OLD]), ACME, THREAD)
    assert read_mute_token(Sealer([NEW, OLD]), ACME, token) == THREAD


@given(place=st.integers(0, 200), letter=st.sampled_from("AZaz09-_+/=."))
def test_no_other_token_is_valid(place: int, letter: str) -> None:
    token = make_mute_token(SEALER, ACME, THREAD)
    place %= len(token) + 1
    for other in (token[:place] + letter + token[place + 1 :], token[:place] + letter + token[place:]):
        if other != token:
            with pytest.raises(Missing, match="mutes nothing"):
                read_mute_token(SEALER, ACME, other)


@pytest.mark.parametrize("token", ["", "A", "ü" * 80, "A" * 80, "A" * 600, "=" * 40])
def test_what_is_no_token_mutes_nothing(token: str) -> None:
    with pytest.raises(Missing):
        read_mute_token(SEALER, ACME, token)


def test_a_token_of_another_workspace_or_key_mutes_nothing() -> None:
    token = make_mute_token(SEALER, ACME, THREAD)
    for sealer, workspace in ((SEALER, RIVAL), (Sealer([OLD]), ACME)):
        with pytest.raises(Missing):
            read_mute_token(sealer, workspace, token)
