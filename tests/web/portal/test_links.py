"""Links: opened in one round trip, forgiven what was appended to them, and missed in one way."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.errors import Missing, Unavailable
from kernel.ids import new_token
from kernel.telemetry.metrics import Metrics
from web.http.sessions import Session
from web.portal.links import Links, clean_path

TOKEN = "rZXUcSJsTcx8OkEQ2lB4gqGa"  # well-formed, and nobody's
ANONYMOUS = Session("a" + 43 * "x", is_new=False)
ZERO_WIDTH_SPACE = "\N{ZERO WIDTH SPACE}"
# What mail programs and people append, as it is sent.
APPENDED = [
    ".",
    ",",
    ")",
    "%3E",
    "/",
    "%20",
    "%E2%80%8B",
    ").",
    "%22",
    "%C2%BB",
    "...",
    "%0A",
    "//",
    "%2F",
    ";",
    "!",
]


def describe_answer(answer: Any) -> dict[str, Any]:
    """Everything of an answer but the request's own id."""
    return {
        "status": answer.status_code,
        "body": answer.content,
        "headers": {name: value for name, value in answer.headers.items() if name != "x-request-id"},
    }


@pytest.mark.parametrize(
    "appended", [".", ",", ")", ">", "/", " ", ZERO_WIDTH_SPACE, ").", "»", "\n", "ä", "-"]
)
def test_what_was_appended_to_a_link_is_dropped(appended: str) -> None:
    assert clean_path(f"/i/{TOKEN}{appended}") == f"/i/{TOKEN}"


@pytest.mark.parametrize(
    "path",
    [
        f"/i/{TOKEN}",
        f"/i/{TOKEN}x",
        f"/i/{TOKEN}.x",
        f"/i/{TOKEN}/invoice.pdf",
        f"/i/{TOKEN}./invoice.json",
        f"/i/{TOKEN[:-1]}.",
        f"/i/{TOKEN[:-1]}{'0' if TOKEN[-1] != '0' else '1'}.",
        f"/i/.{TOKEN}",
        f"/i/{TOKEN}{TOKEN}.",
        f"/I/{TOKEN}.",
        f"/x/i/{TOKEN}.",
        f"//i/{TOKEN}.",
        "/i/.",
        "/i/",
        "/.",
        "",
    ],
)
def test_nothing_else_is_taken_for_a_link(path: str) -> None:
    assert clean_path(path) is None


@pytest.mark.parametrize("appended", APPENDED)
async def test_a_link_with_something_appended_redirects_to_the_link(
    visitor: Any, acme: Any, appended: str
) -> None:
    for method in ("GET", "HEAD"):
        answer = await visitor.ask(acme.path + appended, acme.host, method=method)
        assert (answer.status_code, answer.headers["location"]) == (302, acme.path)
        assert answer.content == b""
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("appended", [".", "/", "%E2%80%8B", ")."])
async def test_whether_a_link_opens_cannot_be_told_from_the_redirect(
    visitor: Any, tenants: Any, acme: Any, appended: str
) -> None:
    bolt = await tenants.make(name="Bolt Ltd")
    known, unknown, foreign = acme.path, f"/i/{new_token()}", bolt.path
    answers = []
    for path in (known, unknown, foreign):
        answer = describe_answer(await visitor.ask(path + appended, acme.host))
        assert answer["headers"].pop("location") == path
        answers.append(answer)
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("appended", [".", "/", "%20", "%E2%80%8B", ")."])
async def test_a_malformed_token_is_the_ordinary_miss(visitor: Any, acme: Any, appended: str) -> None:
    typo = f"/i/{acme.token[:-1]}{'0' if acme.token[-1] != '0' else '1'}"
    miss = describe_answer(await visitor.ask(f"/i/{new_token()}", acme.host))
    assert miss["status"] == 404
    assert describe_answer(await visitor.ask(typo, acme.host)) == miss
    assert describe_answer(await visitor.ask(typo + appended, acme.host)) == miss


@pytest.mark.parametrize("path", ["{}./invoice.json", "{}./invoice.pdf", "{}.x", "{}x", "{}/invoice.pdf."])
async def test_only_the_end_of_a_link_is_forgiven(visitor: Any, acme: Any, path: str) -> None:
    answer = await visitor.ask(path.format(acme.path), acme.host)
    assert (answer.status_code, "location" in answer.headers) == (404, False)


async def test_misses_are_counted_by_whether_the_token_is_well_formed(portal: Any, acme: Any) -> None:
    visitor = portal.visitor()
    await visitor.ask(f"/i/{new_token()}", acme.host)
    for _ in range(2):
        await visitor.ask(f"/i/{'0' * len(acme.token)}1", acme.host)
    await visitor.ask(acme.path, acme.host)
    counts = {
        form: portal.count("portal_links_not_found_total", form=form) for form in ("token", "malformed")
    }
    assert counts == {"token": 1, "malformed": 2}


async def test_an_office_that_follows_sixty_dead_links_still_opens_a_valid_one(
    portal: Any, acme: Any
) -> None:
    visitor = portal.visitor()
    statuses = {(await visitor.ask(f"/i/{new_token()}", acme.host)).status_code for _ in range(60)}
    assert statuses == {404}
    assert portal.count("portal_links_not_found_total", form="token") == 60
    assert (await visitor.ask(acme.path, acme.host)).status_code == 200


class RestartingDatabase:
    """A database of which the first statements fail with a code."""

    def __init__(self, database: Any, code: str, failures: int) -> None:
        self.database = database
        self.code = code
        self.failures = failures
        self.statements = 0

    async def fetch_autocommit(self, sql: str, *args: object) -> Any:
        self.statements += 1
        if self.statements <= self.failures:
            raise Unavailable(self.code, "The database is not available.")
        return await self.database.fetch_autocommit(sql, *args)


@pytest.mark.parametrize(
    ("code", "failures", "statements", "is_opened"),
    [
        ("store.unavailable", 1, 2, True),
        ("store.unavailable", 2, 2, False),
        ("store.busy", 1, 1, False),
    ],
)
async def test_a_link_is_looked_up_again_once_when_postgres_was_restarted(
    tenants: Any, acme: Any, *, code: str, failures: int, statements: int, is_opened: bool
) -> None:
    database: Any = RestartingDatabase(tenants.database, code, failures)
    links = Links(database, tenants.sealer, Metrics())
    if is_opened:
        assert (await links.open(acme.profile, acme.token, ANONYMOUS)).invoice.invoice_id == acme.invoice_id
    else:
        with pytest.raises(Unavailable) as caught:
            await links.open(acme.profile, acme.token, ANONYMOUS)
        assert caught.value.code == code
    assert database.statements == statements


async def test_a_malformed_token_costs_no_statement(tenants: Any, acme: Any) -> None:
    database: Any = RestartingDatabase(tenants.database, "store.unavailable", 0)
    links = Links(database, tenants.sealer, Metrics())
    with pytest.raises(Missing):
        await links.open(acme.profile, acme.token + "x", ANONYMOUS)
    assert database.statements == 0
