"""Errors: pages, problem documents and statuses, with words for every status that can be answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from litestar.exceptions import HTTPException

from kernel.errors import Conflict, Denied, Invalid, Missing, PortalError, Throttled, Unavailable
from web.http.assets import Assets
from web.http.bodies import CLIENT_CLOSED_REQUEST, ClientDisconnected
from web.http.errors import (
    _FORM_TEXTS,
    STATUS,
    TEXTS,
    ErrorDescription,
    ErrorPages,
    ErrorText,
    Problems,
    UnknownHost,
    format_retry_after,
    render_nothing,
    render_status,
)
from web.http.negotiation import LANGUAGES
from web.http.templates import Templates, load_words


@pytest.fixture(scope="session")
def templates() -> Templates:
    return Templates(Assets.load())


@pytest.fixture
def problems(settings: Any) -> Problems:
    return Problems(settings)


@pytest.fixture
def pages(templates: Templates, problems: Problems) -> ErrorPages:
    return ErrorPages(templates, problems)


def test_waiting_is_told_in_whole_seconds_and_never_none() -> None:
    assert [format_retry_after(seconds) for seconds in (0, 0.2, 1, 1.2, 59.5)] == ["1", "1", "1", "2", "60"]


def test_every_kind_of_error_has_words_in_every_language(make_request: Any, pages: ErrorPages) -> None:
    assert set(STATUS.values()) <= set(TEXTS)
    for status, text in TEXTS.items():
        shown = [
            pages(make_request(accept_language=tag), HTTPException(status_code=status)) for tag in LANGUAGES
        ]
        assert [page.status_code for page in shown] == [status] * len(LANGUAGES)
        for tag, page in zip(LANGUAGES, shown, strict=True):
            assert load_words(tag).gettext(text.title).replace("'", "&#39;") in page.content.decode()
        assert len({page.content for page in shown}) == len(LANGUAGES)


@pytest.mark.parametrize("code", sorted(_FORM_TEXTS))
def test_what_people_can_cure_themselves_has_words_of_its_own(
    make_request: Any, pages: ErrorPages, code: str
) -> None:
    text = _FORM_TEXTS[code]
    for tag in LANGUAGES:
        page = pages(make_request(accept_language=tag), Denied(code, "for the log"))
        assert page.status_code == 403
        assert load_words(tag).gettext(text.title) in page.content.decode()
        assert load_words(tag).gettext(text.text) in page.content.decode()
        assert "for the log" not in page.content.decode()


def test_a_page_without_a_request_id_is_rendered_once(make_request: Any, pages: ErrorPages) -> None:
    first, second = [pages(make_request(), Missing(code, "")) for code in ("a", "b")]
    assert first.content is second.content


def test_a_page_with_a_request_id_is_rendered_each_time(make_request: Any, pages: ErrorPages) -> None:
    contents = []
    for request_id in ("request-1", "request-2"):
        request = make_request()
        request.context.request_id = request_id
        contents.append(pages(request, HTTPException(status_code=500)).content.decode())
        assert request_id in contents[-1]
    assert contents[0] != contents[1]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Missing("link.not_found", ""), 404, "http.not_found"),
        (UnknownHost(), 404, "http.not_found"),
        (Denied("form.token", ""), 403, "form.token"),
        (Conflict("thing.changed", ""), 409, "thing.changed"),
        (Invalid("thing.wrong", ""), 400, "thing.wrong"),
        (Throttled("page.throttled", ""), 429, "page.throttled"),
        (Unavailable("store.unavailable", ""), 503, "store.unavailable"),
        (HTTPException(status_code=413), 413, "http.too_large"),
        (HTTPException(status_code=404), 404, "http.not_found"),
        # What has no words of its own is a bad request, or a failure of ours.
        (HTTPException(status_code=402), 400, "http.bad_request"),
        (HTTPException(status_code=505), 500, "http.failed"),
        (RuntimeError("boom"), 500, "http.failed"),
    ],
)
def test_each_error_has_a_status_and_a_stable_code(error: Exception, status: int, code: str) -> None:
    description = ErrorDescription.from_error(error, "request-1", TEXTS)
    assert (description.status, description.code) == (status, code)
    assert description.request_id == ("request-1" if status == 500 else "")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Throttled("page.throttled", "", retry_after_s=7.2), "8"),
        (Throttled("page.throttled", ""), "2"),
        (Unavailable("store.unavailable", ""), "2"),
        (Unavailable("store.unavailable", "", retry_after_s="soon"), "2"),
        (Conflict("thing.changed", "", retry_after_s=7), None),
    ],
)
def test_an_error_that_passes_says_when_to_try_again(error: PortalError, expected: str | None) -> None:
    assert ErrorDescription.from_error(error, "", TEXTS).headers.get("retry-after") == expected


def test_a_problem_names_its_code_under_the_address_of_the_api(
    make_request: Any, problems: Problems, settings: Any
) -> None:
    response = problems(make_request(accept_language="de"), Conflict("thing.changed", "for the log", what=1))
    assert (response.status_code, response.media_type) == (409, "application/problem+json")
    assert response.headers["vary"] == "accept-language"
    words = load_words("de")
    assert json.loads(response.content) == {
        "type": settings.build_public_url(settings.api_host, "/problems/thing.changed"),
        "title": words.gettext(TEXTS[409].title),
        "status": 409,
        "detail": words.gettext(TEXTS[409].text),
        "code": "thing.changed",
    }


def test_a_problem_of_ours_carries_the_id_of_its_request_and_no_detail(
    make_request: Any, problems: Problems
) -> None:
    response = problems(make_request(), RuntimeError("the secret recipe"))
    assert json.loads(response.content)["request_id"] == "request-0"
    assert b"recipe" not in response.content


@pytest.mark.parametrize(
    ("accept", "template", "is_json"),
    [
        ("text/html", "/i/{token}", False),
        ("", "/i/{token}", False),
        ("application/json", "/i/{token}", True),
        # Who asks for data is told of problems as data, whatever it accepts.
        ("text/html", "/i/{token}/invoice.json", True),
    ],
)
def test_a_program_and_a_data_route_get_problems(
    make_request: Any, pages: ErrorPages, accept: str, template: str, *, is_json: bool
) -> None:
    request = make_request(accept=accept)
    request.scope["path_template"] = template
    response = pages(request, Missing("link.not_found", ""))
    assert response.media_type == ("application/problem+json" if is_json else "text/html")
    # A cache must not give the page to the program.
    assert response.headers["vary"] == "accept, accept-language, cookie"


def test_a_surface_may_have_its_own_words_for_what_is_missing(
    make_request: Any, templates: Templates, settings: Any
) -> None:
    texts = {**TEXTS, 404: ErrorText("not_found", "Page not found", "No such page.")}
    pages = ErrorPages(templates, Problems(settings, texts))
    for accept in ("text/html", "application/json"):
        request = make_request(accept=accept)
        assert b"Page not found" in pages(request, Missing("any", "")).content
        assert b"Page not found" not in pages(request, Conflict("any", "")).content


def test_a_machine_that_reads_nothing_else_gets_a_status(make_request: Any) -> None:
    response = render_status(make_request(), Throttled("page.throttled", "", retry_after_s=3))
    assert (response.status_code, response.content, response.headers["retry-after"]) == (429, b"", "3")


def test_a_client_that_is_gone_is_answered_with_a_status_for_the_log(make_request: Any) -> None:
    response = render_nothing(make_request(), ClientDisconnected())
    assert (response.status_code, response.content) == (CLIENT_CLOSED_REQUEST, b"")


def _fail() -> None:
    raise RuntimeError("the secret recipe")


def test_a_failure_is_logged_whole_an_outage_in_one_line_and_a_refusal_not_at_all(
    make_request: Any, problems: Problems, capsys: pytest.CaptureFixture[str]
) -> None:
    def log_error(error: Exception) -> str:
        problems(make_request(), error)
        captured = capsys.readouterr()
        return captured.out + captured.err

    with pytest.raises(RuntimeError) as caught:
        _fail()
    assert "Traceback" in log_error(caught.value)
    outage = log_error(Unavailable("store.unavailable", "The database is away."))
    assert "store.unavailable" in outage
    assert "Traceback" not in outage
    assert log_error(Conflict("thing.changed", "It has changed.")) == ""
