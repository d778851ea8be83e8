"""Texts of the thread: each refusal says at its field what to do."""

from __future__ import annotations

import pytest

from kernel.errors import Conflict, Denied, Invalid, PortalError, Throttled
from tenants.access.values import Proof
from web.http.templates import load_words
from web.portal.thread.values import Challenge
from web.portal.thread.words import count_comments, describe_challenge, describe_proofs, explain_refusal

ENGLISH, GERMAN = load_words("en-US"), load_words("de-DE")
UNEXPLAINED = "This could not be sent. Please try again."


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (Invalid("comment.empty", ""), "body"),
        (Invalid("comment.too_long", ""), "body"),
        (Invalid("comment.name", ""), "name"),
        (Invalid("email.invalid", ""), "email"),
        (Invalid("comment.client_id", ""), "form"),
        (Conflict("comment.edit_window", ""), "body"),
        (Conflict("comment.deleted", ""), "body"),
        (Denied("code.wrong", ""), "code"),
        (Denied("code.expired", ""), "code"),
        (Denied("code.attempts", ""), "code"),
        (Denied("totp.wrong", ""), "totp"),
        (Denied("totp.replayed", ""), "totp"),
        (Denied("totp.attempts", "", retry_after_s=300), "totp"),
        (Throttled("code.throttled", "", retry_after_s=42), "code"),
        (Denied("write.closed", ""), "form"),
        (Denied("form.token", ""), "form"),
        (Denied("form.origin", ""), "form"),
    ],
    ids=lambda value: value.code if isinstance(value, PortalError) else value,
)
def test_each_refusal_has_its_field_and_a_text_of_its_own(error: PortalError, field: str) -> None:
    for language in (ENGLISH, GERMAN):
        found, text = explain_refusal(error, language)
        assert found == field
        assert text
        assert text != language.gettext(UNEXPLAINED)
        assert "%(" not in text


def test_a_refusal_without_a_text_of_its_own_still_has_one() -> None:
    assert explain_refusal(Conflict("thing.new", ""), ENGLISH) == ("form", UNEXPLAINED)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "Please wait 1 second and try again."),
        (60, "Please wait 60 seconds and try again."),
        (61, "Please wait 2 minutes and try again."),
        (3600, "Please wait 60 minutes and try again."),
        (3601, "Please try again in 2 hours."),
    ],
)
def test_the_time_to_wait_is_rounded_up(seconds: float, words: str) -> None:
    assert explain_refusal(Throttled("code.throttled", "", retry_after_s=seconds), ENGLISH)[1] == words


def test_the_strongest_proof_is_named() -> None:
    proofs = [Proof.LINK, Proof.EMAIL_CODE, Proof.CONTACT, Proof.TOTP]
    named = [describe_proofs(frozenset(proofs[: count + 1]), ENGLISH)[1] for count in range(4)]
    assert named == [
        "by link, not verified",
        "verified by e-mail code",
        "signed in",
        "signed in with an authenticator",
    ]
    assert describe_proofs(frozenset(), ENGLISH) == ("", "")


def test_where_only_some_addresses_get_a_code_the_words_do_not_say_which() -> None:
    sent = describe_challenge(Challenge.CODE, ENGLISH, address="a@b.example")
    perhaps = describe_challenge(Challenge.CODE, ENGLISH, address="a@b.example", is_uniform=True)
    assert sent.startswith("We have sent a code to a@b.example.")
    assert perhaps.startswith("If a@b.example may write here,")


def test_no_comments_are_an_invitation() -> None:
    assert [count_comments(count, ENGLISH) for count in (0, 1, 1234)] == [
        "Ask a question about this invoice",
        "1 comment",
        "1,234 comments",
    ]
