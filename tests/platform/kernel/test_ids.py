"""Tokens are random, and their checksum refuses what people and mail programs do to them."""

from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import (
    ALPHABET,
    TOKEN_LENGTH,
    is_well_formed_token,
    new_code,
    new_id,
    new_nonce,
    new_secret,
    new_token,
)

tokens = st.builds(new_token)


def test_ids_are_random_uuids() -> None:
    made = {new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert {each.version for each in made} == {4}


def test_secrets_have_the_size_asked_for_and_never_repeat() -> None:
    assert len(new_secret()) == 32
    assert len(new_secret(5)) == 5
    assert len({new_secret() for _ in range(100)}) == 100


def test_a_nonce_is_128_bits_in_characters_a_header_may_hold() -> None:
    made = new_nonce()
    assert len(made) == 22
    assert set(made) <= set(ALPHABET) | {"-", "_"}
    assert len({new_nonce() for _ in range(100)}) == 100


def test_a_code_has_the_length_and_the_characters_asked_for() -> None:
    made = {new_code(8, "01") for _ in range(1000)}
    assert {len(code) for code in made} == {8}
    assert set("".join(made)) == {"0", "1"}
    assert len(made) > 200


def test_a_token_is_22_random_characters_and_2_of_checksum() -> None:
    made = [new_token() for _ in range(2000)]
    assert {len(token) for token in made} == {24}
    assert len(set(made)) == 2000
    # Every character of the alphabet appears at every random place: nothing is thrown away.
    assert all({token[place] for token in made} == set(ALPHABET) for place in (0, 11, 21))


@given(tokens)
def test_every_token_is_well_formed(token: str) -> None:
    assert is_well_formed_token(token)


@given(tokens)
def test_every_single_wrong_character_is_refused(token: str) -> None:
    wrong = [
        token[:place] + other + token[place + 1 :]
        for place in range(TOKEN_LENGTH)
        for other in ALPHABET
        if other != token[place]
    ]
    assert len(wrong) == TOKEN_LENGTH * 61
    assert [each for each in wrong if is_well_formed_token(each)] == []


@given(tokens)
def test_every_exchange_of_neighbours_is_refused(token: str) -> None:
    pairs = [place for place in range(TOKEN_LENGTH - 1) if token[place] != token[place + 1]]
    exchanged = [token[:p] + token[p + 1] + token[p] + token[p + 2 :] for p in pairs]
    assert [each for each in exchanged if is_well_formed_token(each)] == []


@given(tokens, st.sampled_from([" ", "\n", "A", "0", "=", "٣", "/", "é"]))
def test_what_is_cut_or_has_something_on_it_is_refused(token: str, extra: str) -> None:
    for wrong in (token[:-1], token[1:], token + extra, extra + token, token + token, ""):
        assert not is_well_formed_token(wrong)


@given(st.text(max_size=60))
def test_any_text_gets_an_answer(text: str) -> None:
    assert is_well_formed_token(text) in {True, False}


def test_digits_of_other_scripts_are_not_in_the_alphabet() -> None:
    assert not is_well_formed_token("٠" * TOKEN_LENGTH)
    assert is_well_formed_token("0" * TOKEN_LENGTH)
