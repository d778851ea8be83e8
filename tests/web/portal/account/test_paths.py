"""Where forms return to: paths of our own and nothing that a browser could take for another host."""

from __future__ import annotations

import pytest

from web.portal.account.paths import add_next, parse_next


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/security",
        "/i/EJNank8UjMZ7O4CAkIR5c5yQ",
        "/i/8a9ab15c-f43a-421e-acc9-3fcae2bb2d38#comment-form",
        "/authenticator?next=/i/abc",
        "/authenticator?next=/i/abc%23comments",
    ],
)
def test_own_paths_stay_as_they_are(path: str) -> None:
    assert parse_next(path) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "security",
        "//evil.example",
        "/\\evil.example",
        "/%2f/evil.example",
        "/i//evil.example",
        "/.//evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/i/a\r\nset-cookie: x",
        "/\t/evil.example",
        "/i/a?x=1",
        "/i/a#b c",
        "/authenticator?next=//evil.example",
        "/authenticator?next=https://evil.example",
        "/authenticator?next=/a&next=/b",
        "//evil.example?next=/a",
        "/" + "x" * 600 + "!",
    ],
)
def test_anything_else_is_the_home(text: str) -> None:
    assert parse_next(text) == "/"


def test_a_place_to_return_to_is_read_again_from_an_address() -> None:
    assert add_next("/sign-in", "/") == "/sign-in"
    assert add_next("/sign-in", "/i/a#b") == "/sign-in?next=/i/a%23b"
    assert add_next("/sign-in", "/authenticator?next=/i/a") == "/sign-in?next=/authenticator%3Fnext=/i/a"
