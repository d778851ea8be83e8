"""The browser session: a random cookie, to which form tokens are bound. It has a row once something was proven."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from litestar.datastructures import Cookie

from kernel.ids import new_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

# "a": anonymous, without a row, so that no look-up is made. "s": a session that can have a row.
_VALUE: Final = re.compile(r"[as][A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's session; `is_new` when the browser has not sent its cookie."""

    value: str
    is_new: bool

    @property
    def is_elevated(self) -> bool:
        """Whether the session can have a row; it has none after it has ended."""
        return self.value.startswith("s")


class CookieJar:
    """Names cookies and sets their attributes: `__Host-` and Secure, except on plain http (demo and tests)."""

    def __init__(self, *, is_secure: bool) -> None:
        """Use the prefix `__Host-` where pages are served by https (RFC 6265bis, 4.1.3.2)."""
        self._is_secure = is_secure
        self._prefix = "__Host-" if is_secure else ""

    def read(self, cookies: Mapping[str, str], name: str) -> str:
        """Return a cookie's value, empty without it."""
        return cookies.get(self._prefix + name, "")

    def make(self, name: str, value: str, *, max_age: int | None = None) -> Cookie:
        """Return an HttpOnly cookie for this host; it lasts `max_age` seconds, or as long as the browser runs."""
        return Cookie(
            self._prefix + name,
            value=value,
            max_age=max_age,
            secure=self._is_secure or None,
            httponly=True,
            samesite="lax",
        )

    def read_session(self, cookies: Mapping[str, str]) -> Session:
        """Return the browser's session, or a new anonymous one."""
        value = self.read(cookies, "session")
        if _VALUE.fullmatch(value):
            return Session(value, is_new=False)
        return Session("a" + urlsafe_b64encode(new_secret()).rstrip(b"=").decode(), is_new=True)

    def make_elevated_cookie(self, value: str, *, max_age: int) -> Cookie:
        """Return the cookie of a session that has a row; it lasts `max_age` seconds, although the browser is closed."""
        return self.make("session", value, max_age=max_age)

    def make_ended_cookie(self) -> Cookie:
        """Return the cookie that removes the session from the browser."""
        return self.make("session", "", max_age=0)

    def make_session_cookies(self, session: Session) -> list[Cookie]:
        """Return the session cookie for a browser that has none, else an empty list."""
        return [self.make("session", session.value)] if session.is_new else []
