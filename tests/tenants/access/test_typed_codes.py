"""Codes as people type them: digits and recovery codes."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.access.digits import clean_digits, make_digits
from tenants.access.recovery import (
    COUNT,
    clean_recovery_code,
    hash_recovery_code,
    hash_recovery_codes,
    make_recovery_codes,
)

SALT = bytes(range(16))


@pytest.mark.parametrize(
    "typed",
    [
        "012345",
        " 012345\n",
        "012 345",
        "012-345",
        "0 1 2 3 4 5",
        "０１２３４５",
        "012\u00a0345",
        "\u200b012345",
    ],
)
def test_digits_are_read_however_they_are_grouped(typed: str) -> None:
    assert clean_digits(typed) == "012345"


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "-1234", "12.345", "\ud800", "1" * 10_000]
)
def test_what_is_no_code_of_six_digits_is_none(typed: str) -> None:
    assert clean_digits(typed) is None


def test_random_codes_have_six_digits_and_keep_their_zeros() -> None:
    made = [make_digits() for _ in range(500)]
    assert all(clean_digits(code) == code for code in made)
    assert any(code.startswith("0") for code in made)
    assert len(set(made)) > 450


def test_ten_recovery_codes_differ_and_are_read_as_they_are_written() -> None:
    codes = make_recovery_codes()
    assert len(set(codes)) == COUNT
    assert {tuple(map(len, code.split("-"))) for code in codes} == {(4, 4, 4)}
    assert all(clean_recovery_code(code) == code.replace("-", "") for code in codes)


@pytest.mark.parametrize(
    "typed", ["0a1b-2c3d-4e5f", "0A1B 2C3D 4E5F", "oaib2c3d4e5f", "0a1b2c3d4e5f ", "Oal b-2c 3d4e5f"]
)
def test_a_recovery_code_is_read_with_its_usual_misreadings(typed: str) -> None:
    assert clean_recovery_code(typed) == "0a1b2c3d4e5f"


@pytest.mark.parametrize(
    "typed", ["", "012345", "0a1b-2c3d-4e5", "0a1b-2c3d-4e5u", "0a1b_2c3d_4e5f", "é" * 12]
)
def test_what_is_no_recovery_code_is_none(typed: str) -> None:
    assert clean_recovery_code(typed) is None


@given(st.text())
def test_nothing_is_both_a_code_and_a_recovery_code(typed: str) -> None:
    assert clean_digits(typed) is None or clean_recovery_code(typed) is None


def test_the_hash_of_a_recovery_code_is_scrypt_with_the_salt() -> None:
    expected = hashlib.scrypt(b"0a1b2c3d4e5f", salt=SALT, n=16_384, r=8, p=1, dklen=32)
    assert hash_recovery_code("0a1b2c3d4e5f", SALT) == expected
    assert hash_recovery_codes(("0a1b-2c3d-4e5f",), SALT) == (expected,)
    assert hash_recovery_code("0a1b2c3d4e5f", bytes(16)) != expected
