"""Errors as responses of each surface."""

from ipaddress import ip_network
from typing import Any

import pytest
from litestar import get

from kernel.errors import Conflict, Unavailable
from kernel.store import Database

# The visitors' own addresses are in it: each of them comes as a proxy would.
PROXIES = (ip_network("2001:db8::/32"),)


@get("/boom")
async def boom() -> None:
    raise RuntimeError("the secret recipe")


@get("/away")
async def away() -> None:
    raise Unavailable("store.unavailable", "The database is away.", host="db.internal")


@get("/clash")
async def clash() -> None:
    raise Conflict("thing.changed", "It has changed.", what="nothing to see")


async def test_a_machine_is_told_of_problems_as_json(visitor: Any, acme: Any, settings: Any) -> None:
    answer = await visitor.ask("/i/nothing", acme.host, accept="application/json")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": settings.build_public_url("api.localhost", "/problems/http.not_found"),
        "title": "Invoice not found",
        "status": 404,
        "detail": (
            "The link may be incomplete, have expired or been withdrawn. If the invoice was sent to you by e-mail, you"
            " can have a fresh link sent to the same address."
        ),
        "code": "http.not_found",
    }
    missing_data = await visitor.ask("/i/nothing/invoice.json", acme.host)
    assert missing_data.json()["code"] == "http.not_found"


async def test_each_surface_has_its_own_form_of_errors(visitor: Any, acme: Any, settings: Any) -> None:
    page = await visitor.ask("/nowhere", "console.localhost")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Page not found" in page.text
    problem = await visitor.ask("/nowhere", "api.localhost", accept="text/html")
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["type"] == settings.build_public_url("api.localhost", "/problems/http.not_found")
    status = await visitor.ask("/nowhere", "hooks.localhost", accept="text/html")
    assert (status.status_code, status.content) == (404, b"")


async def test_a_link_opens_on_no_other_surface(portal: Any, acme: Any) -> None:
    for host in ("console.localhost", "api.localhost", "hooks.localhost"):
        assert (await portal.visitor().ask(acme.path, host)).status_code == 404
    # Nothing was looked up for hosts that are ours.
    assert portal.count("portal_host_lookups_total", result="absent") == 0


async def test_errors_are_in_the_visitors_language(visitor: Any, acme: Any) -> None:
    german = await visitor.ask("/i/nothing", acme.host, accept_language="fr, de-AT;q=0.8, en;q=0.5")
    assert '<html lang="de" dir="ltr">' in german.text
    assert "Invoice not found" not in german.text
    english = await visitor.ask("/i/nothing", acme.host, accept_language="fr, de;q=0")
    assert "Invoice not found" in english.text
    assert german.headers["vary"] == english.headers["vary"] == "accept, accept-language, cookie"


async def test_an_unexpected_failure_shows_its_id_and_no_detail(
    make_portal: Any, acme: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    visitor = make_portal(extra_handlers=[boom], trusted_proxies=PROXIES).visitor()
    answer = await visitor.ask("/boom", acme.host, x_request_id="trace-0123456789")
    assert answer.status_code == 500
    assert "trace-0123456789" in answer.text
    assert "secret recipe" not in answer.text
    assert "RuntimeError" not in answer.text
    problem = await visitor.ask(
        "/boom", acme.host, accept="application/json", x_request_id="trace-0123456789"
    )
    assert problem.json()["request_id"] == "trace-0123456789"
    assert problem.json()["code"] == "http.failed"
    # The traceback is in the log, for us.
    logged = capsys.readouterr()
    assert "secret recipe" in logged.out + logged.err


async def test_an_outage_says_when_to_try_again(make_portal: Any, acme: Any) -> None:
    visitor = make_portal(extra_handlers=[away]).visitor()
    answer = await visitor.ask("/away", acme.host)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "db.internal" not in answer.text
    problem = await visitor.ask("/away", acme.host, accept="application/json")
    assert problem.json()["code"] == "store.unavailable"


async def test_an_error_of_ours_has_its_status_and_code(make_portal: Any, acme: Any) -> None:
    answer = (
        await make_portal(extra_handlers=[clash])
        .visitor()
        .ask("/clash", acme.host, accept="application/json")
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "thing.changed")
    assert "nothing to see" not in answer.text


async def test_when_postgres_is_gone_every_page_says_back_in_a_moment(
    make_portal: Any, acme: Any, settings: Any
) -> None:
    database = await Database.open(settings.database_url, size=1, name="about to go", acquire_timeout_s=0.2)
    visitor = make_portal(over=database).visitor()
    assert (await visitor.ask(acme.path, acme.host)).status_code == 200
    await database.close()
    # The host is cached, the page fails; another host fails while it is looked up.
    for host in (acme.host, "other.localhost"):
        answer = await visitor.ask(acme.path, host)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert "Back in a moment" in answer.text
