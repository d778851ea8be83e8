"""Every error the product raises on purpose: a stable code, a kind, plain words and data.

    Exception
    └── PortalError      code, kind, message, data
        ├── Missing      nothing is here, or it is not for you to know (missing)
        ├── Denied       it is here, and you may not (denied)
        ├── Conflict     it would contradict what is already stored (conflict)
        ├── Invalid      what was given cannot be right (invalid)
        ├── Throttled    too often; `retry_after_s` in data (throttled)
        └── Unavailable  something we depend on is away; try again (unavailable)

Only the gateway and the hub translate kinds into status and close codes. A code is
"noun.reason" in lower case, is part of the public interface and never changes its meaning.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What sort of failure it is: decides the answer's status, never its words."""

    MISSING = "missing"
    DENIED = "denied"
    CONFLICT = "conflict"
    INVALID = "invalid"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"


class PortalError(Exception):
    """A failure with a stable `code`, a `kind`, a `message` in plain words and `data` for programs.

    Neither message nor data may hold a secret: both are logged and shown. The words are English.
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
    """Nothing is here, or it is not for the caller to know that there is."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(code, Kind.MISSING, message, **data)


class Denied(PortalError):
    """It is here, and the caller may not; data may name the proof that is wanted."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(code, Kind.DENIED, message, **data)


class Conflict(PortalError):
    """It would contradict what is already stored."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(code, Kind.CONFLICT, message, **data)


class Invalid(PortalError):
    """What was given cannot be right, whatever is stored."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(code, Kind.INVALID, message, **data)


class Throttled(PortalError):
    """Too often; `data["retry_after_s"]` says in how many seconds to come back."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(code, Kind.THROTTLED, message, **data)


class Unavailable(PortalError):
    """Something we depend on is away for the moment; the same request may succeed later."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(code, Kind.UNAVAILABLE, message, **data)
