"""What Postgres and the operating system refuse, in one sentence that says what to do."""

import asyncpg

_CURES: tuple[tuple[type[Exception], str], ...] = (
    (
        asyncpg.InvalidCatalogNameError,
        "`portal migrate --admin-url` makes the database, or the URL names the wrong one.",
    ),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        "`portal migrate --admin-url` makes the roles, with the passwords in the PORTAL_DATABASE_ URLs.",
    ),
    (asyncpg.UndefinedTableError, "The database is not at this release: run `portal migrate`."),
    (asyncpg.UndefinedFunctionError, "The database is not at this release: run `portal migrate`."),
    (asyncpg.UndefinedColumnError, "The database is not at this release: run `portal migrate`."),
    (
        asyncpg.InsufficientPrivilegeError,
        "Each PORTAL_DATABASE_ URL must name its own role; `portal doctor` looks at all of them.",
    ),
    (asyncpg.PostgresConnectionError, "Check that Postgres runs and that the URL is right."),
    (asyncpg.LockNotAvailableError, "Somebody else holds the lock: try again in a quieter moment."),
)


def said(error: Exception) -> str | None:
    """Return the sentence about an error from outside, or None for one of our own making."""
    if isinstance(error, BrokenPipeError):
        return None  # whoever read our output has gone: nothing to be said to them
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        words = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        cure = next((cure for kind, cure in _CURES if isinstance(error, kind)), "")
        return f"Postgres refuses: {words}. {cure}".rstrip()
    if isinstance(error, OSError):
        words = error.strerror or str(error) or type(error).__name__
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{words}. Does the server that is asked for run, where the settings say?"
    return None
