"""The error tree: kinds, words, data, and that errors survive a journey between processes."""

import copy
import pickle

import pytest

from kernel.errors import (
    Conflict,
    Denied,
    Invalid,
    Kind,
    Missing,
    PortalError,
    Throttled,
    Unavailable,
)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Missing, "missing"),
        (Denied, "denied"),
        (Conflict, "conflict"),
        (Invalid, "invalid"),
        (Throttled, "throttled"),
        (Unavailable, "unavailable"),
    ],
)
def test_each_subclass_fixes_its_kind(error: type[Missing], kind: str) -> None:
    raised = error("noun.reason", "Plain words.", number=7)
    assert (raised.code, raised.kind, raised.message, raised.data) == (
        "noun.reason",
        kind,
        "Plain words.",
        {"number": 7},
    )
    assert isinstance(raised, PortalError)


def test_there_is_a_subclass_for_every_kind() -> None:
    kinds = {error("a.b", "c").kind for error in (Missing, Denied, Conflict, Invalid, Throttled, Unavailable)}
    assert kinds == set(Kind)


def test_the_words_carry_the_code_and_not_the_data() -> None:
    assert str(Missing("link.not_found", "There is no such invoice.", hint="x")) == (
        "There is no such invoice. [link.not_found]"
    )


@pytest.mark.parametrize(
    "error", [PortalError("a.b", Kind.DENIED, "No.", why="x"), Invalid("a.b", "No.", why="x")]
)
def test_an_error_survives_pickling_and_copying(error: PortalError) -> None:
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own bytes
        assert type(copied) is type(error)
        assert (copied.code, copied.kind, copied.message, copied.data) == (
            "a.b",
            error.kind,
            "No.",
            {"why": "x"},
        )


def test_a_subclass_may_be_refined() -> None:
    class UblRefused(Invalid):
        """As the importer does."""

    error = UblRefused("ubl.refused", "It does not add up.", rule="BR-CO-10")
    assert error.kind is Kind.INVALID
    assert error.data["rule"] == "BR-CO-10"
