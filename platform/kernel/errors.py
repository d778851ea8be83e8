"""The errors that the product raises for its callers: a stable code, a kind, a message and data.

    Exception
    └── PortalError      code, kind, message, data
        ├── Missing      it does not exist, or the caller may not know that it does (missing)
        ├── Denied       it exists, and the caller may not do this (denied)
        ├── Conflict     it contradicts the stored state (conflict)
        ├── Invalid      the input is invalid, whatever is stored (invalid)
        ├── Throttled    too many requests; `retry_after_s` in data (throttled)
        └── Unavailable  a dependency is not available; try again (unavailable)

Only the gateway and the hub translate kinds into status and close codes. A code is
"noun.reason" in lower case, is part of the public interface and never changes its meaning.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """The kind of an error, which decides the status of the response."""

    MISSING = "missing"
    DENIED = "denied"
    CONFLICT = "conflict"
    INVALID = "invalid"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"


class PortalError(Exception):
    """A failure with a stable `code`, a `kind`, a `message` for people and `data` for programs.

    Neither message nor data may hold a secret: both are logged and shown. Messages are in English.
    """

    # BaseException.__new__ keeps the positional arguments in `args`, so every subclass can be pickled
    # and copied; that is why BaseException.__init__ is not called with other ones.
    def __init__(self, code: str, kind: Kind, message: str, **data: object) -> None:
        self.code = code
        self.kind = kind
        self.message = message
        self.data: dict[str, object] = data

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code!r}, {self.message!r}, **{self.data!r})"


class Missing(PortalError):
    """It does not exist, or the caller may not know that it does."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(code, Kind.MISSING, message, **data)


class Denied(PortalError):
    """It exists, and the caller may not do this; data may name the proof that is required."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(code, Kind.DENIED, message, **data)


class Conflict(PortalError):
    """It contradicts the stored state."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(code, Kind.CONFLICT, message, **data)


class Invalid(PortalError):
    """The input is invalid, whatever is stored."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(code, Kind.INVALID, message, **data)


class Throttled(PortalError):
    """Too many requests; `data["retry_after_s"]` is the number of seconds to wait."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(code, Kind.THROTTLED, message, **data)


class Unavailable(PortalError):
    """A dependency is not available; the same request may succeed later."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(code, Kind.UNAVAILABLE, message, **data)
