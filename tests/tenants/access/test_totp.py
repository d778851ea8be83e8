"""Codes of authenticators: the published vectors, an implementation of our own, and oathtool."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b32decode, b32encode
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.access.totp import STEP_S, build_uri, find_steps, make_secret
from tests.fakes.proofs import compute_code

PUBLISHED = b32encode(b"12345678901234567890").decode()
# RFC 6238, appendix B: the last six of its eight digits.
VECTORS = {
    59: "287082",
    1_111_111_109: "081804",
    1_111_111_111: "050471",
    1_234_567_890: "005924",
    2_000_000_000: "279037",
    20_000_000_000: "353130",
}
OATHTOOL = shutil.which("oathtool")

secrets = st.binary(min_size=20, max_size=20).map(lambda key: b32encode(key).decode())


@pytest.mark.parametrize("now_s", VECTORS)
def test_the_published_vectors_are_right(now_s: int) -> None:
    assert find_steps(PUBLISHED, VECTORS[now_s], now_s=now_s) == (now_s // STEP_S,)


@given(secrets, st.integers(10, 2**40), st.integers(-3, 3))
def test_codes_of_an_independent_implementation_are_accepted_within_one_step(
    secret: str, step: int, offset: int
) -> None:
    found = find_steps(secret, compute_code(secret, step + offset), now_s=step * STEP_S)
    near = {
        each
        for each in range(step - 1, step + 2)
        if compute_code(secret, each) == compute_code(secret, step + offset)
    }
    assert set(found) == near
    assert (step + offset in found) == (abs(offset) <= 1)


def test_a_code_is_accepted_from_the_step_before_its_own_to_the_end_of_the_one_after() -> None:
    code = VECTORS[1_234_567_890]
    accepted = [s for s in range(-60, 120, 5) if find_steps(PUBLISHED, code, now_s=1_234_567_890 + s)]
    assert (accepted[0], accepted[-1]) == (-30, 55)


def test_a_key_has_160_random_bits() -> None:
    made = {make_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(b32decode(secret)) for secret in made} == {20}


def test_the_uri_names_the_account_the_issuer_and_the_key() -> None:
    uri = urlsplit(build_uri(PUBLISHED, account="ana+büro@acme.example", issuer="Acme & Söhne: Rechnungen"))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == "/Acme & Söhne: Rechnungen:ana+büro@acme.example"
    assert parse_qs(uri.query) == {"secret": [PUBLISHED], "issuer": ["Acme & Söhne: Rechnungen"]}


@pytest.mark.integration
@pytest.mark.skipif(OATHTOOL is None, reason="oathtool is Debian's package of that name")
@pytest.mark.parametrize("now_s", [59, 1_800_000_029, 1_800_000_030])
def test_codes_of_oathtool_are_accepted(now_s: int) -> None:
    secret = make_secret()
    printed = subprocess.run(
        ["oathtool", "--totp", "--base32", f"--now=@{now_s}", secret],
        check=True,
        capture_output=True,
        text=True,
    )
    assert now_s // STEP_S in find_steps(secret, printed.stdout.strip(), now_s=now_s)
