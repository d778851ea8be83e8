"""Why the hub closes a connection."""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """The codes of the close frame (RFC 6455, 7.4): 4000 to 4499 ask the reader to connect again, 4500 do not."""

    TICKET = 4001
    """The ticket is missing, invalid, expired or for something else: get another one."""
    SLOW = 4008
    """The reader did not read, or did not answer pings."""
    RESET = 4009
    """The reader's place is of another log, or ahead of it: load everything again."""
    DRAIN = 4012
    """This hub ends: connect to another one."""
    BACK_OFF = 4029
    """Too many frames or connections, or no database: wait before the next attempt."""
    REVOKED = 4503
    """The link or session was revoked."""
    NOT_FOUND = 4504
    """There is no such invoice."""


# What clients send, and what the protocol's own errors are closed with; a client's other codes are counted as one.
_STANDARD = frozenset({1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009, 1011})
_OWN = frozenset(int(code) for code in CloseCode)


def label_code(code: int) -> str:
    """Return the label of a close code in metrics, from a closed set."""
    return str(code) if code in _STANDARD or code in _OWN else "other"
