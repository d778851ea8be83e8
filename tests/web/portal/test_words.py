"""The words for an invoice's state: each state has one, in every language that has a catalogue."""

import datetime as dt

import pytest

from tenants.invoices.status import PaymentState
from web.http.negotiation import LANGUAGES
from web.http.templates import CATALOGUES
from web.http.templates import load_words as language
from web.portal import words

TODAY = dt.date(2026, 3, 16)
SHOWN = [state for state in PaymentState if state is not PaymentState.DRAFT]


@pytest.mark.parametrize(
    ("days", "english", "german"),
    [
        (0, "due today", "heute fällig"),
        (1, "due tomorrow", "morgen fällig"),
        (9, "due in 9 days", "in 9 Tagen fällig"),
        (-1, "1 day overdue", "seit 1 Tag überfällig"),
        (-14, "14 days overdue", "seit 14 Tagen überfällig"),
        (-2642, "2,642 days overdue", "seit 2.642 Tagen überfällig"),
    ],
)
def test_the_due_date_is_told_in_words(days: int, english: str, german: str) -> None:
    due = TODAY + dt.timedelta(days=days)
    state = PaymentState.OVERDUE if days < 0 else PaymentState.DUE
    assert words.describe_due_date(due, TODAY, state, language("en-US")) == english
    assert words.describe_due_date(due, TODAY, state, language("de-DE")) == german


@pytest.mark.parametrize("state", [PaymentState.PAID, PaymentState.VOID, PaymentState.PROCESSING])
def test_a_due_date_that_no_longer_matters_is_not_told(state: PaymentState) -> None:
    assert words.describe_due_date(TODAY, TODAY, state, language("en-US")) == ""
    assert words.describe_due_date(None, TODAY, PaymentState.DUE, language("en-US")) == ""


@pytest.mark.parametrize("state", SHOWN)
def test_every_state_has_a_word_an_icon_and_a_label_in_each_language(state: PaymentState) -> None:
    told = {
        tag: (
            words.describe_status(state, language(tag)).word,
            words.label_amount(state, language(tag)),
            words.explain_state(state, language(tag)),
        )
        for tag in ("en-US", "de-DE")
    }
    for english, german in zip(*told.values(), strict=True):
        assert (english == "") == (german == "")
        assert not english or english != german
    status = words.describe_status(state, language("en-US"))
    assert (status.state, bool(status.icon)) == (state.value, True)


@pytest.mark.parametrize(
    ("tag", "current"), [("en-US", "English"), ("de-DE", "Deutsch"), ("ar-EG", "English")]
)
def test_the_language_form_marks_the_language_that_the_words_are_in(tag: str, current: str) -> None:
    form = words.build_language_form(language(tag), action="/i/x/language", token="t", error="e")
    assert (form.action, form.token, form.error) == ("/i/x/language", "t", "e")
    assert [(option.code, option.name) for option in form.options] == [("en", "English"), ("de", "Deutsch")]
    assert [option.name for option in form.options if option.is_current] == [current]


def test_every_language_with_a_catalogue_can_be_chosen() -> None:
    (folder,) = CATALOGUES
    assert {path.name for path in folder.iterdir()} == set(LANGUAGES)


def test_no_two_states_look_alike() -> None:
    statuses = [words.describe_status(state, language("en-US")) for state in SHOWN]
    assert (
        len({status.word for status in statuses}) == len({status.icon for status in statuses}) == len(SHOWN)
    )


def test_where_nothing_is_to_be_paid_a_sentence_says_so() -> None:
    silent = {state for state in SHOWN if not words.explain_state(state, language("en-US"))}
    assert silent == words.PAYABLE
