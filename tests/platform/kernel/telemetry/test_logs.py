"""A log line is one JSON object with its context and never with a token, a password or a cookie."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import FixedClock
from kernel.ids import new_token
from kernel.telemetry import logs

WORKSPACE = UUID("14610c10-e6dd-4ce0-ad20-1198d163065d")
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(restore_logging: None) -> Iterator[Lines]:
    stream = io.StringIO()
    clock = FixedClock(datetime(2026, 3, 16, 9, 30, 0, 123456, tzinfo=UTC))
    logs.configure(level="info", process="gateway", clock=clock, stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logs.unbind_all()


def test_a_line_says_what_when_where_and_who(lines: Lines) -> None:
    logs.get_logger("web.gateway").info("page served", status=200, seconds=0.25)
    assert lines() == [
        {
            "event": "page served",
            "status": 200,
            "seconds": 0.25,
            "level": "info",
            "logger": "web.gateway",
            "process": "gateway",
            "time": "2026-03-16T09:30:00.123+00:00",
        }
    ]


def test_what_is_bound_is_on_every_line_until_it_is_forgotten(lines: Lines) -> None:
    log = logs.get_logger("x")
    logs.bind(request_id="r1")
    with logs.bind_temporarily(workspace_id=WORKSPACE):
        log.info("inside")
        logging.getLogger("asyncpg").warning("a library's line")
    log.info("outside")
    logs.unbind_all()
    log.info("after")
    assert [(line["event"], line.get("request_id"), line.get("workspace_id")) for line in lines()] == [
        ("inside", "r1", str(WORKSPACE)),
        ("a library's line", "r1", str(WORKSPACE)),
        ("outside", "r1", None),
        ("after", None, None),
    ]


def test_lines_below_the_level_are_not_written(lines: Lines) -> None:
    logs.get_logger("x").debug("no")
    logging.getLogger("y").debug("no")
    logs.get_logger("x").warning("yes")
    assert [line["event"] for line in lines()] == ["yes"]


def test_an_exception_is_one_line_with_its_traceback(lines: Lines) -> None:
    def fail() -> None:
        raise RuntimeError(f"cannot open /i/{new_token()}")

    try:
        fail()
    except RuntimeError:
        logs.get_logger("x").exception("failed")
        logging.getLogger("uvicorn.error").exception("failed too")
    mine, theirs = lines()
    for line in (mine, theirs):
        assert line["exception"].splitlines()[0] == "Traceback (most recent call last):"
        assert line["exception"].splitlines()[-1] == "RuntimeError: cannot open /i/[token]"
        assert line["level"] == "error"


def test_a_token_is_hidden_wherever_it_stands(lines: Lines) -> None:
    token = new_token()
    logs.get_logger("x").info(
        f"event {token}",
        path=f"/i/{token}",
        url=f"https://acme.example/i/{token}/invoice.json?x=1",
        nested={
            "deep": [
                {"a": (token,)},
                {
                    token,
                },
            ],
            "b": f"<{token}>",
        },
    )
    logging.getLogger("somebody.else").info('%s "GET /i/%s"', "10.0.0.1", token, extra={"seen": token})
    written = json.dumps(lines())
    assert token not in written
    mine, theirs = lines()
    assert mine["event"] == "event [token]"
    assert mine["path"] == "/i/[token]"
    assert mine["url"] == "https://acme.example/i/[token]/invoice.json?x=1"
    assert mine["nested"] == {"deep": [{"a": ["[token]"]}, ["[token]"]], "b": "<[token]>"}
    assert (theirs["event"], theirs["seen"]) == ('10.0.0.1 "GET /i/[token]"', "[token]")


@given(st.data())
def test_a_mistyped_token_in_a_path_is_hidden_too(data: st.DataObject) -> None:
    token = new_token()
    cut = data.draw(st.integers(1, 23))
    found = logs.redact(None, "info", {"event": "not found", "path": f"/i/{token[:cut]}"})
    assert found == {"event": "not found", "path": "/i/[token]"}


@pytest.mark.parametrize(
    "name",
    [
        "token", "link_token", "password", "passwd", "secret", "client_secret", "Authorization", "cookie",
        "set-cookie", "api_key", "apikey", "data_key", "private_key", "otp", "totp", "recovery_codes",
    ],
)  # fmt: skip
def test_values_under_secret_names_are_hidden(name: str) -> None:
    assert logs.redact(None, "info", {"event": "x", name: "hunter2", "in": {name: ["hunter2"]}}) == {
        "event": "x",
        name: "[redacted]",
        "in": {name: "[redacted]"},
    }


def test_what_is_no_secret_stays() -> None:
    event = {
        "event": "sealed at noon",
        "code": "link.not_found",
        "request_id": "jvG3cVvkcfTfS1aE0S4jRg",
        "workspace_id": str(WORKSPACE),
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "path": "/assets/app.4f3a9c.js",
        "count": 3,
        "ok": True,
        "none": None,
    }
    assert logs.redact(None, "info", dict(event)) == event


def test_the_password_in_a_url_is_hidden() -> None:
    found = logs.redact(
        None, "info", {"event": "connect postgresql://app:hunter2@db:5432/portal and redis://:hunter2@r/0"}
    )
    assert found["event"] == "connect postgresql://app:[redacted]@db:5432/portal and redis://:[redacted]@r/0"


def test_a_password_with_an_at_sign_is_hidden_whole() -> None:
    event = logs.redact(None, "info", {"event": "connect postgresql://app:hun@ter2@db:5432/portal"})
    assert event["event"] == "connect postgresql://app:[redacted]@db:5432/portal"


def test_nothing_that_is_logged_can_break_the_log(lines: Lines) -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd"

    loop: list[object] = []
    loop.append(loop)
    log = logs.get_logger("x")
    log.info("line\nbreak", bad="\udcff", odd=Odd(), raw=b"\xff", loop=loop, keys={1: "a"}, long="x" * 50_000)
    (line,) = lines()
    assert line["event"] == "line\nbreak"
    assert (line["bad"], line["odd"], line["raw"]) == ("\\udcff", "odd", "b'\\xff'")
    assert line["keys"] == {"1": "a"}
    assert len(line["long"]) == 16_000
    assert "…" in json.dumps(line["loop"], ensure_ascii=False)
