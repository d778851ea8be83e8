"""The anonymous session: a random cookie for this host only, replaced when it is not one of ours."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie

import pytest

from web.http.sessions import CookieJar, Session

GOOD = "a" + "A1_-" * 10 + "xyz"


def attributes(header: str) -> tuple[str, set[str]]:
    """The name of a Set-Cookie header, and all attributes in lower case but its value."""
    (pair, *rest) = [part.strip() for part in header.split(";")]
    return pair.partition("=")[0], {part.lower() for part in rest}


def header_of(jar: CookieJar, session: Session) -> str:
    (cookie,) = jar.make_session_cookies(session)
    return cookie.to_header(header="")


def test_over_https_the_cookie_is_locked_to_its_host() -> None:
    # RFC 6265bis, 4.1.3.2: `__Host-` demands Secure, the path "/" and no Domain.
    name, said = attributes(header_of(CookieJar(is_secure=True), Session(GOOD, is_new=True)))
    assert name == "__Host-session"
    assert said == {"httponly", "path=/", "samesite=lax", "secure"}


def test_over_http_the_cookie_has_no_prefix_that_browsers_would_refuse() -> None:
    name, said = attributes(header_of(CookieJar(is_secure=False), Session(GOOD, is_new=True)))
    assert name == "session"
    assert said == {"httponly", "path=/", "samesite=lax"}


def test_a_cookie_lives_as_long_as_it_is_told() -> None:
    jar = CookieJar(is_secure=True)
    assert "max-age=3600" in attributes(jar.make("language", "de", max_age=3600).to_header(header=""))[1]
    assert "max-age" not in jar.make("language", "de").to_header(header="").lower()


def test_a_new_session_is_random_and_is_sent_to_the_browser() -> None:
    jar = CookieJar(is_secure=True)
    sessions = [jar.read_session({}) for _ in range(2)]
    assert sessions[0].value != sessions[1].value
    for session in sessions:
        assert session.is_new
        assert re.fullmatch(r"a[A-Za-z0-9_-]{43}", session.value)
        sent = SimpleCookie(header_of(jar, session))
        assert sent["__Host-session"].value == session.value


def test_a_session_of_ours_is_kept_and_not_sent_again() -> None:
    jar = CookieJar(is_secure=True)
    session = jar.read_session({"__Host-session": GOOD})
    assert session == Session(GOOD, is_new=False)
    assert jar.make_session_cookies(session) == []


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a",
        GOOD[:-1],
        GOOD + "x",
        # A session with a row begins with another letter.
        "b" + GOOD[1:],
        "A" + GOOD[1:],
        GOOD[:-1] + "=",
        GOOD[:-1] + " ",
        GOOD[:-1] + "ü",
        GOOD + "\n",
        "a" * 10_000,
        "<script>alert(1)</script>",
    ],
)
def test_a_forged_or_malformed_session_is_replaced(value: str) -> None:
    session = CookieJar(is_secure=True).read_session({"__Host-session": value})
    assert session.is_new
    assert session.value != value


def test_over_https_a_cookie_without_the_prefix_is_not_believed() -> None:
    # A neighbouring host can set it; `__Host-` it cannot.
    jar = CookieJar(is_secure=True)
    assert jar.read_session({"session": GOOD}).is_new
    assert jar.read({"session": GOOD}, "session") == ""


def test_over_http_the_plain_name_is_read() -> None:
    assert CookieJar(is_secure=False).read_session({"session": GOOD}) == Session(GOOD, is_new=False)
