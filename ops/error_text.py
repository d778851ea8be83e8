"""Describes errors of Postgres and the operating system in one sentence that says what to do."""

import asyncpg

_REMEDIES: tuple[tuple[type[Exception], str], ...] = (
    (
        asyncpg.InvalidCatalogNameError,
        "`portal migrate --admin-url` creates the database, or the URL names the wrong one.",
    ),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        "`portal migrate --admin-url` creates the roles, with the passwords in the PORTAL_DATABASE_ URLs.",
    ),
    (asyncpg.UndefinedTableError, "The database is not at this release: run `portal migrate`."),
    (asyncpg.UndefinedFunctionError, "The database is not at this release: run `portal migrate`."),
    (asyncpg.UndefinedColumnError, "The database is not at this release: run `portal migrate`."),
    (
        asyncpg.InsufficientPrivilegeError,
        "Each PORTAL_DATABASE_ URL must name its own role; `portal doctor` checks all of them.",
    ),
    (asyncpg.PostgresConnectionError, "Check that Postgres runs and that the URL is right."),
    (asyncpg.LockNotAvailableError, "Another transaction holds the lock: try again later."),
)


def describe_error(error: Exception) -> str | None:
    """Return a sentence about an error of Postgres or the operating system; None for any other error."""
    if isinstance(error, BrokenPipeError):
        return None  # the reader of the output has closed it
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        text = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        remedy = next((remedy for kind, remedy in _REMEDIES if isinstance(error, kind)), "")
        return f"Postgres refuses: {text}. {remedy}".rstrip()
    if isinstance(error, OSError):
        text = error.strerror or str(error) or type(error).__name__
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{text}. Does the server run at the address in the settings?"
    return None
